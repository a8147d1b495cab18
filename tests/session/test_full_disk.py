"""What cannot be written: no run may be green with half of its results missing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackproof import settings
from stackproof.errors import Trouble
from stackproof.session.running.reports import Reports
from tests.session.conftest import Project

#: In a step: from now on, the run's own process cannot write to files any more (EFBIG), but
#: its pipes work. Needs no rights, and is refused by the kernel as a full disk is.
STEPS = """
import resource, shutil

@step("the run can write no more")
def no_more(context):
    resource.prlimit(os.getppid(), resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

@step('"{place}" is made unusable')
def unusable(context, place):
    at = Path("reports") / place
    shutil.rmtree(at, ignore_errors=True)
    at.write_text("")

@step("a message was recorded")
def recorded(context):
    context.session.history.event("a message", "node")
"""
FEATURE = """
    Feature: F
      Scenario: before
        Given it works
      Scenario: fills
        Given {step}
      Scenario: after
        Given it works
    """


def test_a_run_that_cannot_write_its_results_fails(project: Project) -> None:
    project.steps(STEPS)
    project.feature("a", FEATURE.format(step="the run can write no more"))
    outcome = project.run()
    assert outcome.code == 1, outcome.text
    reports = project.root / "reports"
    for what, place in (
        ("the Allure results are incomplete", reports / "allure-results"),
        ("the JUnit XML was not written", reports / "junit" / "stackproof.xml"),
        ("results.json was not written", reports / "results.json"),
        ("the log is incomplete", reports / "stackproof.log"),
    ):
        assert outcome.err.count(what) == 1, outcome.err
        assert f"{place}: File too large" in outcome.err, (what, outcome.err)
    assert "Traceback" not in outcome.text
    assert "3 passed" in outcome.out  # the verdicts stand
    assert "exit code 1" in outcome.out
    assert not (reports / "results.json").exists()  # nothing half of a file either
    assert not list(reports.glob(".results*"))


@pytest.mark.parametrize(
    ("place", "said"),
    [("allure-results", "the Allure results are incomplete"),
     ("junit", "the JUnit XML was not written"),
     ("evidence", "evidence of 'fills' is missing")],
)  # fmt: skip
def test_one_place_that_cannot_be_written_is_enough(
    project: Project, place: str, said: str
) -> None:
    project.steps(STEPS)
    step = f'"{place}" is made unusable\n        And a message was recorded'
    project.feature("a", FEATURE.format(step=step))
    outcome = project.run()
    assert outcome.code == 1, outcome.text
    assert outcome.err.count(said) == 1, outcome.err
    assert str(project.root / "reports" / place) in outcome.err
    assert "Traceback" not in outcome.text
    assert set(outcome.verdicts.values()) == {"passed"}
    assert outcome.results["exit_code"] == 1
    assert said in outcome.results["suite_problems"][0]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, timeout=10).returncode:
        pytest.skip("a file system can only be mounted by root")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True, timeout=10)


def test_a_disk_that_fills_up_meanwhile_fails_the_run(project: Project, small_disk: Path) -> None:
    project.steps("""
        @step("the disk is full")
        def full(context):
            with contextlib.suppress(OSError), open(os.environ["SMALL"] + "/rest", "wb", 0) as file:
                while file.write(b"0" * 4096): pass
        """.replace("contextlib", "__import__('contextlib')"))  # fmt: skip
    project.feature("a", FEATURE.format(step="the disk is full"))
    reports = small_disk / "reports"
    outcome = project.run(STACKPROOF_REPORTS=str(reports), SMALL=str(small_disk))
    assert outcome.code == 1, outcome.text
    assert "3 passed" in outcome.out
    assert "the Allure results are incomplete" in outcome.err
    assert "No space left on device" in outcome.err
    assert "Traceback" not in outcome.text
    assert not (reports / "results.json").exists()
    project.assert_nothing_left()


def test_a_failure_while_the_services_disk_is_full_is_the_environments(
    project: Project, small_disk: Path
) -> None:
    project.feature("a", "Feature: F\n  Scenario: s\n    Given it fails\n")
    outcome = project.run(STACKPROOF_RUNS=str(small_disk))
    assert outcome.code == 1
    scenario = outcome.scenario("s")
    assert (scenario["verdict"], scenario["category"]) == ("failed", "environment")
    assert "one is not two" in scenario["reason"]
    assert f"the disk of the run is full: {small_disk}" in scenario["reason"]
    assert project.run().scenario("s")["category"] == "product"


# -- folders that are there already ----------------------------------------------------
def linked(place: Path) -> None:
    elsewhere = place.parent.parent / f"elsewhere-{place.name}"
    elsewhere.mkdir()
    (elsewhere / "old").write_text("")
    (elsewhere / "old-result.json").symlink_to("nowhere")
    (elsewhere / "old-folder").mkdir()
    (elsewhere / "old-folder" / "x").write_text("")
    place.symlink_to(f"../{elsewhere.name}")


def linked_to_nothing(place: Path) -> None:
    place.symlink_to(f"../made-{place.name}")


def plain_file(place: Path) -> None:
    place.write_text("")


def read_only_inside(place: Path) -> None:
    (place / "inner").mkdir(parents=True)
    (place / "inner").chmod(0o500)


@pytest.mark.parametrize("name", ["allure-results", "evidence", "junit", "logs"])
@pytest.mark.parametrize("make", [linked, linked_to_nothing, plain_file, read_only_inside])
def test_a_folder_of_the_reports_is_emptied_whatever_it_is(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    (tmp_path / "reports").mkdir()
    place = tmp_path / "reports" / name
    make(place)
    was_link = place.is_symlink()
    opened(tmp_path).close()
    assert (place.is_dir(), place.is_symlink(), list(place.iterdir())) == (True, was_link, [])


@pytest.mark.parametrize(
    ("call", "what"), [("iterdir", "folder"), ("unlink", "file"), ("rmtree", "tree")]
)
def test_what_cannot_be_emptied_is_named_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, what: str
) -> None:
    place = tmp_path / "reports" / "logs"
    place.mkdir(parents=True)
    (place / "tree").mkdir() if call == "rmtree" else (place / "file").write_text("")

    def denied(path: object, *_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(shutil if call == "rmtree" else Path, call, denied)
        with pytest.raises(Trouble, match=r"reports/.*: Permission denied"):
            opened(tmp_path)
    opened(tmp_path).close()  # and nothing keeps it from being used afterwards


@pytest.mark.parametrize(
    ("make", "said"),
    [(plain_file, "reports: it is no folder"),
     (lambda p: p.symlink_to("reports"), "is no folder|symbolic"),
     (lambda p: (p / "stackproof.log").mkdir(parents=True), "stackproof.log: Is a directory"),
     (lambda p: (p / "results.json").mkdir(parents=True), "results.json: Is a directory")],
)  # fmt: skip
def test_reports_that_cannot_be_written_are_named(
    tmp_path: Path, make: Callable[[Path], None], said: str
) -> None:
    make(tmp_path / "reports")
    with pytest.raises(Trouble, match=said):
        opened(tmp_path)


def test_a_run_empties_and_uses_a_linked_folder(project: Project) -> None:
    (project.root / "reports").mkdir()
    linked(project.root / "reports" / "allure-results")
    project.feature("a", FEATURE.format(step="it works"))
    outcome = project.run()
    assert outcome.code == 0, outcome.text
    assert len(outcome.allure) == 3
    assert len(list((project.root / "elsewhere-allure-results").glob("*-result.json"))) == 3


def opened(place: Path) -> Reports:
    return Reports.open(settings.load(place, command_line={"run.reports": str(place / "reports")}))
