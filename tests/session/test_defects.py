"""Defects of the suite's own code: never green, and they cost no other scenario its result."""

from __future__ import annotations

import builtins
import io
import os
import signal
import tempfile
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from stackproof.cli import main
from stackproof.reporting.evidence import ScenarioProof
from stackproof.session.running.progress import Progress
from stackproof.session.running.signals import Interrupted, Signals
from stackproof.session.running.verdicts import Verdicts
from tests.session.conftest import Outcome, Project

IN_THE_RUN = """
import os
if "STACKPROOF_WORKER" not in os.environ:
    from stackproof.session.running import clusters, execution, replay, spans
    from stackproof.session.workers import pool

    def broken_for(name, cls, method):
        original = getattr(cls, method)

        def replaced(self, planned, *arguments):
            if planned.scenario.name == name:
                raise ZeroDivisionError("a defect in " + method)
            return original(self, planned, *arguments)

        setattr(cls, method, replaced)
"""


@pytest.fixture
def made(project: Project) -> Project:
    project.feature("a", """
        Feature: First
          Scenario: one
            Given it works
          Scenario: two
            Given it works
          Scenario: three
            Given it works
        """)  # fmt: skip
    project.feature("b", "Feature: Second\n Scenario: four\n  Given it works\n")
    return project


#: Where a defect strikes, once each, and what becomes of the scenario it strikes.
PLACES = {
    "execution.Execution.started": "broken",
    "execution.Execution.step_started": "passed",
    "execution.Execution.step_ended": "passed",
    "execution.Execution.ended": "broken",
    "execution.Execution.admit": "broken",
    "execution.Execution.provide": "broken",
    "replay.Replay.ended": "passed",
    "clusters.Clusters.release": "passed",
    "spans.LogSpans.begin": "passed",
}


@pytest.fixture(scope="module")
def struck(shared_project: Project) -> Outcome:
    """Two features whose every other scenario is struck by a defect."""
    scenarios = "".join(
        f" Scenario: {place}\n  Given it works\n Scenario: after {place}\n  Given it works\n"
        for place in PLACES
    )
    shared_project.feature("a", f"Feature: Struck\n{scenarios}")
    shared_project.feature("b", "Feature: Second\n Scenario: beside\n  Given it works\n")
    defects = "".join(
        "    broken_for('{}', {}, '{}')\n".format(place, *place.rsplit(".", 1)) for place in PLACES
    )
    shared_project.environment(IN_THE_RUN + defects)
    return shared_project.run("-j", "2")


@pytest.mark.parametrize("place", PLACES)
def test_a_defect_is_told_and_costs_its_own_scenario_at_most(place: str, struck: Outcome) -> None:
    assert struck.verdicts[place] == PLACES[place]
    told = [*struck.results["suite_problems"], struck.scenario(place)["reason"]]
    method = place.rpartition(".")[2]
    assert any(f"a defect in {method}" in problem for problem in told)


def test_defects_cost_no_other_scenario_anything(struck: Outcome) -> None:
    assert struck.code == 1
    others = {name: verdict for name, verdict in struck.verdicts.items() if name not in PLACES}
    assert others == {f"after {place}": "passed" for place in PLACES} | {"beside": "passed"}
    assert set(struck.allure) == set(struck.verdicts)


def test_a_defect_in_the_middle_of_everything_ends_with_a_report(made: Project) -> None:
    made.environment(
        IN_THE_RUN
        + """
    def broken(self): raise ZeroDivisionError("a defect in the loop")
    pool.Pool._turn = broken
"""
    )
    outcome = made.run()
    assert outcome.code == 2
    assert set(outcome.verdicts.values()) == {"broken"}
    assert {r["status"] for r in outcome.allure.values()} == {"broken"}
    problem = outcome.results["suite_problems"][0]
    assert problem.startswith("defect of the suite: ZeroDivisionError: a defect in the loop\n")
    assert "Traceback" not in outcome.text
    log = outcome.directory / "stackproof.log"
    assert f"report it with the log: {log}" in outcome.err
    assert "Traceback" in log.read_text(encoding="utf-8")
    made.assert_nothing_left(within=0.5)


def test_a_defect_at_the_end_is_not_green_and_the_report_is_written(made: Project) -> None:
    made.environment(
        IN_THE_RUN
        + """
    from stackproof.stack.stack import Stack
    def broken(self): raise ZeroDivisionError("a defect in stopping")
    Stack.stop_all = broken
"""
    )
    outcome = made.run()
    assert outcome.code == 1
    assert set(outcome.verdicts.values()) == {"passed"}
    assert "a defect in stopping" in outcome.results["suite_problems"][0]
    made.assert_nothing_left(within=0.5)


def test_a_scenario_without_a_result_is_broken(made: Project) -> None:
    """Whatever loses it: what was planned is reported."""
    made.environment(
        IN_THE_RUN
        + """
    original = pool.Pool.work
    def forgetful(self, units): original(self, units[:1])
    pool.Pool.work = forgetful
"""
    )
    outcome = made.run("-Dallow_skipped=yes")
    assert outcome.code == 1
    assert outcome.verdicts == {"one": "passed", "two": "passed", "three": "passed",
                                "four": "broken"}  # fmt: skip
    assert outcome.scenario("four")["reason"] == "no result of it has arrived"


def test_a_worker_that_leaves_a_scenario_out_does_not_make_it_pass(made: Project) -> None:
    made.environment("""
        import os, sys
        if "STACKPROOF_WORKER" in os.environ:
            worker = sys.modules["__main__"]
            original = worker._Runnable.__call__
            def forgetful(self, runner):
                return False if self._scenario.name == "two" else original(self, runner)
            worker._Runnable.__call__ = forgetful
        """)
    outcome = made.run()
    assert outcome.code == 1
    assert outcome.verdicts["two"] == "broken"
    assert "passed over" in outcome.scenario("two")["reason"]


def test_a_scenario_that_is_reported_twice_keeps_its_first_verdict(made: Project) -> None:
    made.steps("""
        @step("it reports itself as passed, and fails")
        def lies(context):
            assert False, "in truth"
        """)
    made.environment("""
        import os
        if "STACKPROOF_WORKER" in os.environ:
            from dataclasses import replace
            from stackproof.session.workers import link
            original = link.Link.send_result
            def twice(self, ends):
                original(self, ends)
                original(self, replace(ends, proof=replace(ends.proof, verdict="passed")))
            link.Link.send_result = twice
        """)
    made.feature(
        "c", "Feature: C\n Scenario: five\n  Given it reports itself as passed, and fails\n"
    )
    outcome = made.run("features/c.feature")
    assert outcome.code == 1
    assert outcome.verdicts == {"five": "failed"}


def test_a_second_verdict_changes_nothing() -> None:
    planned: Any = SimpleNamespace(id="s001")
    plan: Any = SimpleNamespace(scenarios=[planned], known_issues={}, earlier={})
    verdicts = Verdicts(plan, allow_skipped=False, seed=1)
    assert verdicts.exit_code == 1, "nothing is known yet"
    assert verdicts.give(planned, ScenarioProof(verdict="failed"))
    assert not verdicts.give(planned, ScenarioProof(verdict="passed"))
    assert verdicts.exit_code == 1


def test_a_signal_that_comes_when_all_is_done_changes_nothing(made: Project) -> None:
    made.environment(
        IN_THE_RUN
        + """
    import signal
    from stackproof.stack.stack import Stack
    original = Stack.stop_all
    def interrupted(self):
        signal.raise_signal(signal.SIGINT)
        original(self)
    Stack.stop_all = interrupted
"""
    )
    outcome = made.run()
    assert outcome.code == 0
    assert set(outcome.verdicts.values()) == {"passed"}
    assert len(outcome.allure) == 4
    made.assert_nothing_left(within=0.5)


def test_no_thread_outlives_a_run(made: Project) -> None:
    made.write(
        "in_process.py",
        """
        import sys, threading
        from behave.__main__ import main
        from stackproof.polling import poll
        code = main(["-j", "2"])
        poll(lambda: threading.active_count() == 1, within=5, awaiting="threads to end",
             describe=lambda _: repr(threading.enumerate()))
        print("code", code, "threads", threading.active_count())
        sys.exit(code)
        """,
    )
    outcome = made.run(program="in_process")
    assert outcome.code == 0, outcome.text
    assert "code 0 threads 1" in outcome.out


def test_the_standard_layout_of_behave_works(project: Project) -> None:
    """With steps and hooks below features/, called from the root."""
    steps = (project.root / "steps" / "steps.py").read_text()
    (project.root / "steps" / "steps.py").unlink()
    (project.root / "steps").rmdir()
    (project.root / "environment.py").rename(project.write("features/environment.py", ""))
    project.write("features/steps/steps.py", steps)
    project.feature("area/a", "Feature: A\n Scenario: a\n  Given it works\n")
    for arguments in ((), ("features/area",), ("features/area/a.feature:2",)):
        outcome = project.run(*arguments)
        assert (outcome.code, outcome.verdicts) == (0, {"a": "passed"}), outcome.text


# -- what reaches the top --------------------------------------------------------------
COMMANDS = {
    "doctor": "stackproof.commands.doctor.doctor",
    "steps": "stackproof.commands.steps.steps",
    "figures": "stackproof.commands.figures.figures",
    "down": "stackproof.commands.stacks.down",
    "check x": "stackproof.commands.check.check",
    "run --no-report": "stackproof.session.runner.make_plan",
    "report": "stackproof.commands.run.make_report",
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("error", ["ZeroDivisionError", "RecursionError", "OSError", "KeyError"])
def test_a_defect_that_reaches_the_top_is_one_sentence(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    command: str, error: str,
) -> None:  # fmt: skip
    project.feature("a", "Feature: A\n Scenario: a\n  Given it works\n")
    monkeypatch.chdir(project.root)
    monkeypatch.setattr(tempfile, "tempdir", str(project.root))

    def broken(*_: object, **__: object) -> None:
        raise getattr(builtins, error)("a defect \ud83d")

    monkeypatch.setattr(COMMANDS[command], broken)
    assert main(command.split()) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"\nstackproof: defect of the suite: {error}: ")
    assert "Traceback" not in told
    (log,) = project.root.glob("stackproof-defect-*.log")
    assert f"report it with the log: {log}" in told
    assert "while running: " in told
    assert "in broken" in log.read_text(encoding="utf-8")


def test_a_defect_is_told_whole_where_no_log_can_be_written(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(project.root / "missing"))
    monkeypatch.setattr("stackproof.commands.steps.steps", lambda *_, **__: 1 / 0)
    assert main(["steps"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("\nstackproof: defect of the suite: ZeroDivisionError: ")
    assert "while running: stackproof steps" in told
    assert "Traceback" in told


# -- signals ---------------------------------------------------------------------------
def test_the_first_signal_is_raised_once_and_the_rest_is_ignored() -> None:
    with Signals() as signals:
        with pytest.raises(Interrupted) as interrupted:
            signal.raise_signal(signal.SIGTERM)
        assert (interrupted.value.exit_code, interrupted.value.how) == (143, "SIGTERM")
        signal.raise_signal(signal.SIGINT)
        with signals.heard():
            signal.raise_signal(signal.SIGTERM)


def test_a_signal_waits_for_what_must_not_be_torn_apart() -> None:
    done = []
    with Signals() as signals, pytest.raises(Interrupted, match="2"):
        with signals.held():
            with signals.held():
                signal.raise_signal(signal.SIGINT)
                done.append("inner")
            done.append("outer")
        done.append("after")
    assert done == ["inner", "outer"]


def test_a_signal_before_it_may_be_heard_is_heard_then() -> None:
    done = []
    with Signals() as signals, signals.held():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Interrupted), signals.heard():
            done.append("never")
        signals.ignore()
    assert done == []


def test_handlers_are_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with Signals():
        assert signal.getsignal(signal.SIGTERM) != before[0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    ended = []
    thread = threading.Thread(target=lambda: ended.append(Signals().__enter__()))
    thread.start()
    thread.join()
    assert ended, "in other threads there is nothing to install"


# -- progress --------------------------------------------------------------------------
class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_progress_is_told_on_terminals_and_elsewhere(stream: type[io.StringIO]) -> None:
    progress = Progress(stream())
    with progress.doing("starting [echo]"):
        progress.say("a [line] beside it")
    progress.say("the end")
    told = progress._stream.getvalue()  # type: ignore[attr-defined]
    for line in ("a [line] beside it", "starting [echo]: done in 0.", "the end"):
        assert line in told


def test_progress_on_a_closed_console_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        progress = Progress(stream)
        progress.say("into the void")
        with pytest.raises(ZeroDivisionError), progress.doing("dividing"):
            1 / 0  # noqa: B018
        # What is left in its buffer goes where it does not matter.
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)
