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


def test_only_parts_of_the_suite_are_called(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaper, "_WITH_PARTS", 0.3)
    monkeypatch.setitem(sys.modules, "evil", None)
    reaper.also(run, "evil")
    (left,) = reaper.reap(run, within=0.1)
    assert "no part of the suite" in left
    (run.directory / "reaped-by").unlink()
