"""What is no process, and is removed with its run by whoever ends it."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator

import pytest

from stackproof.processes import reaper
from stackproof.processes.run import Run

Part = Callable[[Run], list[str]]


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Part], str]]:
    """Makes a module of the suite out of a function."""

    def make(reap: Part) -> str:
        name = f"stackproof.pretended_{reap.__name__}"
        module = types.ModuleType(name)
        module.reap = reap  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, module)
        return name

    yield make


def test_a_part_is_called_until_it_finds_nothing(run: Run, part: Callable[[Part], str]) -> None:
    left = ["a container", "another"]
    seen: list[bool] = []

    def found(of: Run) -> list[str]:
        assert of == run
        seen.append(run.directory.is_dir())
        return [left.pop()] if left else []

    reaper.also(run, part(found))
    reaper.also(run, part(found))  # once is enough
    assert reaper.reap(run) == []
    assert left == []
    assert len(seen) == 4  # twice in a row without a find
    assert seen[:3] == [True] * 3  # by the directory the part finds what is the run's
    assert not run.directory.exists()


def test_what_resists_is_told_and_the_directory_stays(
    run: Run, part: Callable[[Part], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper, "_WITH_PARTS", 0.3)

    def resists(of: Run) -> list[str]:
        return ["container c"]

    reaper.also(run, part(resists))
    assert reaper.reap(run, within=0.1) == ["container c"]
    assert run.directory.is_dir()
    (run.directory / "reaped-by").unlink()


def test_a_part_with_a_defect_does_not_save_the_others_remains(
    run: Run, part: Callable[[Part], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper, "_WITH_PARTS", 0.3)
    asked: list[str] = []

    def broken(of: Run) -> list[str]:
        raise KeyError("a bug")

    def works(of: Run) -> list[str]:
        asked.append(of.id)
        return []

    reaper.also(run, part(broken))
    reaper.also(run, part(works))
    reaper.also(run, "stackproof.no_such_module")
    first, second = reaper.reap(run, within=0.1)
    assert "KeyError: 'a bug'" in first
    assert "ModuleNotFoundError" in second
    assert asked
    (run.directory / "reaped-by").unlink()


@pytest.fixture
def no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may come to wait for the end of a minute: it never comes."""
    monkeypatch.setattr(reaper, "_WITH_PARTS", float("inf"))


def _not_installed(of: Run) -> list[str]:
    import nowhere  # type: ignore[import-not-found]

    return [str(nowhere)]


def test_what_cannot_be_loaded_is_not_waited_for(
    run: Run, part: Callable[[Part], str], no_time: None
) -> None:
    left = ["a container"]

    def works(of: Run) -> list[str]:
        return [left.pop()] if left else []

    for module in ("stackproof.no_such_module", "evil", "stackproof.errors", part(_not_installed)):
        reaper.also(run, module)
    reaper.also(run, part(works))
    told = reaper.reap(run)
    assert left == []
    for said in ("no_such_module", "evil", "stackproof.errors", "No module named 'nowhere'"):
        assert sum(said in line for line in told) == 1, told
    assert run.directory.is_dir()
    (run.directory / "reaped-by").unlink()


def test_a_start_says_at_once_what_it_removes_and_what_it_waits_for(
    run: Run, part: Callable[[Part], str], no_time: None
) -> None:
    said: list[str] = []
    heard: list[list[str]] = []

    def slow(of: Run) -> list[str]:
        heard.append(list(said))
        return ["container c: the engine is busy"] if len(heard) < 4 else []

    reaper.also(run, part(slow))
    run.end()
    run.write_state(owner_birth=None, owner_started=0.0)
    assert reaper.reap_stale_runs(said.append) == [run.id]
    assert heard[0] == [f"removing what was left of the interrupted run {run.id}"]
    assert said[1:] == ["  waiting for container c: the engine is busy"]
    assert heard[2] == said  # told while it waits, once


def test_a_start_says_what_it_could_not_remove(run: Run, no_time: None) -> None:
    said: list[str] = []
    reaper.also(run, "stackproof.no_such_module")
    run.end()
    run.write_state(owner_birth=None, owner_started=0.0)
    assert reaper.reap_stale_runs(said.append) == []
    assert "could not be removed: what stackproof.no_such_module" in said[1]
    (run.directory / "reaped-by").unlink()


def test_only_parts_of_the_suite_are_called(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaper, "_WITH_PARTS", 0.3)
    monkeypatch.setitem(sys.modules, "evil", None)
    reaper.also(run, "evil")
    (left,) = reaper.reap(run, within=0.1)
    assert "no part of the suite" in left
    (run.directory / "reaped-by").unlink()
