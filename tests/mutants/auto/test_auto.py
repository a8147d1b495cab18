"""Random changes: what is changed, what is left alone, and where the copies lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackproof.errors import Trouble
from stackproof.settings import load
from tests.mutants.auto import __main__ as auto
from tests.mutants.auto import running
from tests.mutants.auto.changes import Change, choose
from tests.mutants.auto.copies import Sources, sources_of

CODE = '''\
"""Doc."""
import logging
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import os.path as p
__version__ = "1.2"
log = logging.getLogger(__name__)
class Thing:
    def __repr__(self) -> str:
        return "thing" + str(1)
def work(n: "Number of" = 3) -> "int":
    """Doc."""
    log.info("working on %s", n + 1)
    log.debug(
        "more %s",
        n * 2,
    )
    print("n is", n + 5)
    parser.add_argument("--n", help="how many" + "!")
    send(n, 2)
    return n < 4
if __name__ == "__main__":
    work(1)
'''
VISIBLE = {7, 11, 19, 20, 21}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "app.py"
    place.write_text(CODE)
    return place


def lines(file: Path, seeds: int = 60) -> set[int]:
    return {change.line for seed in range(seeds) for change in choose([file], 99, seed)}


def test_only_what_can_matter_is_changed(file: Path) -> None:
    assert lines(file) == VISIBLE
    texts = [change.after for seed in range(60) for change in choose([file], 99, seed)]
    for invisible in ('"Number of"', '"working on %s", n + 1', '"1.2"', '-> "int"'):
        assert all(invisible in text for text in texts)
    assert not any("help=None" in text or 'help="XX' in text for text in texts)


def test_a_seed_makes_the_same_changes_and_another_one_others(file: Path) -> None:
    assert choose([file], 3, 1) == choose([file], 3, 1)
    assert choose([file], 3, 1) != choose([file], 3, 2)
    assert len({change.line for change in choose([file], 3, 1)}) == 3


def test_a_call_may_be_left_out(file: Path) -> None:
    assert any("\n    ...\n" in c.after for seed in range(60) for c in choose([file], 99, seed))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    base = tmp_path / "project"
    (base / "src" / "app" / "tests").mkdir(parents=True)
    (base / "contracts").mkdir()
    (base / "contracts" / "c.json").write_text("{}")
    for name in ("__init__", "core", "test_core"):
        (base / "src" / "app" / f"{name}.py").write_text("LEVEL = 1\n")
    (base / "src" / "app" / "tests" / "more.py").write_text("")
    (base / "script.py").write_text("LEVEL = 1\n")
    (base / "stackproof.toml").write_text(
        "".join(
            f"[systems.{name}]\ncommand = {command}\nready_line = 'r'\n{more}\n"
            for name, command, more in (
                ("script", ["{python}", "script.py"], ""),
                ("package", ["{python}", "-m", "app"], "directory = 'src'"),
                ("module", ["{python}", "-m", "app.core"], "directory = 'src'"),
                ("go", ["bin/scorer"], ""),
            )
        )
    )
    return base


@pytest.mark.parametrize(
    ("system", "place", "files"),
    [
        ("script", "script.py", ["script.py"]),
        ("package", "src/app", ["src/app/__init__.py", "src/app/core.py"]),
        ("module", "src/app", ["src/app/__init__.py", "src/app/core.py"]),
    ],
)
def test_the_code_of_a_system_is_found(
    project: Path, system: str, place: str, files: list[str]
) -> None:
    sources = sources_of(load(project), system)
    assert sources.place == project / place
    assert sources.files() == [project / file for file in files]


def test_code_that_is_not_found(project: Path) -> None:
    with pytest.raises(Trouble, match="the Python code of the system go was not found"):
        sources_of(load(project), "go")
    assert sources_of(load(project), "go", "script.py").place == project / "script.py"
    with pytest.raises(Trouble, match="cannot be copied"):
        sources_of(load(project), "go", "..")


def test_a_copy_is_changed_and_the_original_is_not(project: Path, tmp_path: Path) -> None:
    sources = Sources(project / "stackproof.toml", project / "src" / "app")
    core = project / "src" / "app" / "core.py"
    copy = tmp_path / "copy"
    settings = sources.copy(copy, Change(core, 1, "LEVEL = 1\n", "LEVEL = 2\n"))
    assert (copy / "src" / "app" / "core.py").read_text() == "LEVEL = 2\n"
    assert core.read_text() == "LEVEL = 1\n"
    # Paths in the settings lead into the copy, and beside what is changed to the original.
    assert load(settings.parent).system("package").directory == copy / "src"
    assert (copy / "contracts" / "c.json").resolve() == project / "contracts" / "c.json"
    assert sources.search_path(settings).startswith(str(copy / "src"))


def test_what_cannot_be_done_is_told(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    assert auto.main(["3", "--system", "go"]) == 2
    assert "--sources" in capsys.readouterr().err


def test_what_never_ran_speaks_against_nothing() -> None:
    verdicts = ("passed", "failed", "broken", "skipped", "not supported", "unknown")
    told = running.against([{"verdict": verdict} for verdict in verdicts])
    assert [scenario["verdict"] for scenario in told] == ["failed", "broken"]


def test_features_that_use_the_system(tmp_path: Path) -> None:
    (tmp_path / "steps").mkdir()
    (tmp_path / "features").mkdir()
    (tmp_path / "steps" / "own.py").write_text(
        "from behave import step\nfrom stackproof.session.needs import uses_system\n"
        "@step('orders are rated')\n@uses_system('orders')\ndef rated(context): pass\n"
        "@step('nothing is rated')\ndef nothing(context): pass\n"
    )
    for name, said in (("a", "orders are rated"), ("b", "nothing is rated")):
        text = f"Feature: {name}\n  Scenario: s\n    When {said}\n"
        (tmp_path / "features" / f"{name}.feature").write_text(text)
    assert running.features_of("orders", tmp_path) == ["features/a.feature"]
    with pytest.raises(Trouble, match="no feature in"):
        running.features_of("invoices", tmp_path)
