"""Runs that are told to end, or killed, at several moments; and stacks that are kept."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackproof.polling import poll
from tests.session.conftest import HOOKS, Outcome, Project, RunningProject

STEPS = """
from stackproof.session.needs import needs

@step("an echo")
@needs("echo")
def echo(context): pass

@step("a dumb service")
@needs("dumb")
def dumb(context): pass

@step("an echo of its own")
@needs("echo", dedicated=True)
def own_echo(context): pass

@step("a dumb service of its own")
@needs("dumb", dedicated=True)
def own_dumb(context): pass
"""
FEATURE = """
    Feature: Interrupted
      Scenario: done
        Given an echo
      Scenario: under way
        Given an echo of its own
        And it starts a child called "orphan"
        And "under way" is noted
        When it hangs
      Scenario: still to come
        Given it works
    """
AFTER_ALL = """
import threading
def after_all(context):
    with open("notes.txt", "a") as notes: notes.write("after_all\\n")
    threading.Event().wait()
"""

#: How each moment is reached: what is different in the project, and how to see it come.
MOMENTS = ("loading", "starting", "dedicated", "scenario", "after_all")
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}


def prepare(root: Path, moment: str) -> Project:
    project = Project(root)
    project.steps(STEPS)
    project.with_services()
    project.feature("a", FEATURE)
    if moment == "loading":
        project.write(
            "steps/slow.py",
            """
            import threading
            from pathlib import Path
            Path("notes.txt").write_text("loading\\n")
            threading.Event().wait()
            """,
        )
    elif moment == "starting":
        project.feature("b", "Feature: B\n Scenario: dumb\n  Given a dumb service\n")
    elif moment == "dedicated":
        text = FEATURE.replace("an echo of its own", "a dumb service of its own")
        project.feature("a", text)
    elif moment == "after_all":
        project.feature("a", FEATURE.replace("it hangs", "it works"))
        project.write("environment.py", HOOKS + AFTER_ALL)
        project.with_services()
    return project


def reach(running: RunningProject, project: Project, moment: str) -> None:
    if moment in ("starting", "dedicated"):
        servers = {"starting": 2, "dedicated": 2}[moment]
        logs = project.root / "reports" / "logs"
        running.until(
            lambda: len([*logs.glob("echo-*.log"), *logs.glob("dumb-*.log")]) >= servers,
            "the services to be started",
        )
    else:
        running.until_noted(moment if moment != "scenario" else "under way")


CASES = [
    *((moment, signal.SIGINT) for moment in MOMENTS),
    *((moment, signal.SIGKILL) for moment in MOMENTS),
    ("starting", signal.SIGTERM),
    ("scenario", signal.SIGTERM),
]


@pytest.mark.parametrize(
    ("moment", "number"), CASES, ids=[f"{moment}-{number.name}" for moment, number in CASES]
)
def test_a_run_that_is_told_to_end_leaves_nothing(
    tmp_path: Path, moment: str, number: signal.Signals
) -> None:
    project = prepare(tmp_path, moment)
    running = project.start()
    try:
        reach(running, project, moment)
        running.send(number)
        outcome = running.end()
        assert outcome.code == CODES[number]
        # The tidy endings are tidy at once.
        project.assert_nothing_left(within=10 if number == signal.SIGKILL else 0.5)
        if number != signal.SIGKILL and moment != "loading":
            check_report(outcome, moment, number)
    finally:
        running.kill()


def assert_interrupted(steps: list[str], done: int) -> None:
    """So many steps were done; the next one was under way, or was about to be."""
    assert steps[:done] == ["passed"] * done
    assert steps[done:] in (["error"], ["skipped"])


def check_report(outcome: Outcome, moment: str, number: int) -> None:
    assert outcome.results["exit_code"] == outcome.code
    verdicts = outcome.verdicts
    assert set(verdicts) >= {"done", "under way", "still to come"}
    assert {name: r["status"] for name, r in outcome.allure.items()} == verdicts, outcome.text
    how = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}[signal.Signals(number)]
    passed = {name for name, verdict in verdicts.items() if verdict == "passed"}
    # The order is not given: what needs no service, or one that is up, does not wait for others.
    if moment == "after_all":
        assert passed == set(verdicts)
    assert passed <= {"done", "still to come"} or moment == "after_all"
    for name in set(verdicts) - passed:
        assert verdicts[name] == "broken"
        assert outcome.scenario(name)["reason"] == f"interrupted by {how}"
    assert f"interrupted by {how}" in outcome.err
    assert "Traceback" not in outcome.err
    if moment == "scenario":
        assert_interrupted(outcome.scenario("under way")["steps"], 3)


def test_what_never_began_is_told_behind_what_was_under_way(project: Project) -> None:
    project.steps(STEPS)
    project.with_services()
    project.feature("a", """
        Feature: Interrupted
          Scenario: waits for its service
            Given a dumb service
          Scenario: under way
            Given "under way" is noted
            When it hangs
        """)  # fmt: skip
    running = project.start()
    try:
        running.until_noted("under way")
        running.send(signal.SIGINT)
        outcome = running.end()
    finally:
        running.kill()
    assert "formatter" not in outcome.text
    assert set(outcome.allure) == {"waits for its service", "under way"}
    assert_interrupted(outcome.scenario("under way")["steps"], 1)


@pytest.fixture
def running(project: Project) -> Iterator[RunningProject]:
    project.steps(STEPS)
    project.with_services()
    project.feature("a", FEATURE)
    started = project.start()
    yield started
    started.kill()


def test_what_a_worker_had_said_is_heard_before_the_run_ends(project: Project) -> None:
    """However far behind the run is with listening."""
    project.feature("a", """
        Feature: A
          Scenario: far on
            Given "begun" is noted
            When it is held up until "go" is noted
            Then it works
            And "under way" is noted
            And it hangs
        """)  # fmt: skip
    running = project.start()
    try:
        running.until_noted("begun")
        running.popen.send_signal(signal.SIGSTOP)
        with (project.root / "notes.txt").open("a") as notes:
            notes.write("go\n")
        running.until_noted("under way")
        running.popen.send_signal(signal.SIGTERM)
        running.popen.send_signal(signal.SIGCONT)
        outcome = running.end()
    finally:
        running.kill()
    assert outcome.verdicts == {"far on": "broken"}
    assert_interrupted(outcome.scenario("far on")["steps"], 4)


def test_more_ctrl_c_while_the_stack_is_removed_is_harmless(
    project: Project, running: RunningProject
) -> None:
    running.until_noted("under way")
    running.send(signal.SIGINT)
    said = project.root / "err.txt"
    running.until(lambda: "interrupted by" in said.read_text(), "the run to hear of it")

    sent = 0

    def again() -> bool:
        nonlocal sent
        left = bool(project.directories())
        if left:
            running.send((signal.SIGINT, signal.SIGTERM)[sent % 2])
            sent += 1
        return not left

    poll(again, within=30, awaiting="the run's directory to be removed", longest_pause=0.01)
    assert sent
    outcome = running.end()
    assert outcome.code == 130
    project.assert_nothing_left(within=0.5)
    check_report(outcome, "scenario", signal.SIGINT)


def test_a_killed_worker_of_a_killed_run_does_not_stay(
    project: Project, running: RunningProject
) -> None:
    """Neither does the next run find anything of it."""
    running.until_noted("under way")
    running.popen.kill()
    running.end()
    project.assert_nothing_left(within=10)
    project.feature("a", "Feature: A\n Scenario: new\n  Given an echo\n")
    outcome = project.run()
    assert (outcome.code, outcome.verdicts) == (0, {"new": "passed"})


# -- keeping the stack -----------------------------------------------------------------
def test_a_kept_stack_stays_until_it_is_ended(project: Project) -> None:
    project.steps(STEPS)
    project.with_services()
    project.feature("a", """
        Feature: Kept
          Scenario: shared
            Given an echo
            And it starts a child called "not-kept"
          Scenario: own
            Given an echo of its own
        """)  # fmt: skip
    outcome = project.run("run", "--keep", "--no-report", program="stackproof")
    assert outcome.code == 0, outcome.text
    (run_id,) = re.findall(r"the stack of run (r\w+) is left up:", outcome.err)
    assert f"end it by: stackproof down {run_id}" in outcome.err
    (reach,) = re.findall(r"echo-1: (127\.0\.0\.1):(\d+)", outcome.err)
    socket.create_connection((reach[0], int(reach[1])), 5).close()
    assert len(project.processes()) == 1, "the shared server and nothing else"
    assert outcome.scenario("shared")["verdict"] == "passed"

    # Another run in the meantime neither ends it nor is disturbed by it.
    assert project.run("run", "--no-report", program="stackproof").code == 0
    socket.create_connection((reach[0], int(reach[1])), 5).close()

    # Ending it needs nothing of the project: its services need not be known.
    down = project.run("down", program="stackproof")
    assert (down.code, f"run {run_id}: ended" in down.out) == (0, True), down.text
    project.assert_nothing_left(within=0.5)


def test_nothing_is_kept_of_a_stack_that_did_not_start(project: Project) -> None:
    project.steps(STEPS.replace('"dumb"', '"broken"'))
    project.with_services()
    project.feature("a", "Feature: A\n Scenario: a\n  Given a dumb service\n")
    outcome = project.run("run", "--keep", "--no-report", program="stackproof")
    assert outcome.code == 2
    assert "is left up" not in outcome.err
    project.assert_nothing_left(within=0.5)


def test_an_interrupted_run_keeps_its_stack_when_told_so(
    project: Project, running: RunningProject
) -> None:
    running.until_noted("under way")
    running.send(signal.SIGTERM)
    assert running.end().code == 143
    project.assert_nothing_left(within=0.5)
    (project.root / "notes.txt").unlink()
    keeping = project.start("-Dcleanup=no")
    try:
        keeping.until_noted("under way")
        keeping.send(signal.SIGINT)
        outcome = keeping.end()
        assert outcome.code == 130
        assert "is left up" in outcome.err
        assert len(project.processes()) == 1, "neither the worker nor the dedicated server"
    finally:
        keeping.kill()
        assert project.run("down", program="stackproof").code == 0
    project.assert_nothing_left(within=0.5)
