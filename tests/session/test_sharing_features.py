"""Several workers at one feature: who gets what, and how often its hooks run."""

from __future__ import annotations

import json
from collections import Counter
from itertools import product

import pytest

from tests.session.conftest import Outcome, Project

#: Two scenarios meet: each goes on when the other has begun, so that two workers are at them.
MEETING = """
              Scenario: {one} meets {other}
                Given "{one}" is noted
                When it is held up until "{other}" is noted
              Scenario: {other} meets {one}
                Given "{other}" is noted
                When it is held up until "{one}" is noted
"""
HOOKS = """
import os

def note(what):
    with open("notes.txt", "a") as notes:
        notes.write(what + " in " + os.environ["STACKPROOF_WORKER"][-1] + "\\n")

def before_feature(context, feature): note("before " + feature.name)
def after_feature(context, feature): note("after " + feature.name)
def before_rule(context, rule): note("before " + rule.name)
def after_rule(context, rule): note("after " + rule.name)
"""
SIX = f"""
            Feature: Six
{MEETING.format(one="a", other="b")}
              Scenario: alone
                Given it works
              Rule: together
{MEETING.format(one="c", other="d")}
              Rule: single
                Scenario: the last
                  Given it works
"""


@pytest.fixture(scope="module")
def shared(shared_project: Project) -> tuple[Project, Outcome]:
    shared_project.feature("six", SIX)
    shared_project.environment(HOOKS)
    return shared_project, shared_project.run("-j", "2")


def test_two_workers_share_one_feature(shared: tuple[Project, Outcome]) -> None:
    _, outcome = shared
    assert outcome.code == 0, outcome.text
    assert len(outcome.verdicts) == 6
    workers = {s["name"]: s["worker"] for s in outcome.results["scenarios"]}
    assert workers["a meets b"] != workers["b meets a"]
    assert workers["c meets d"] != workers["d meets c"]


def test_hooks_run_once_in_each_worker_that_runs_a_part(shared: tuple[Project, Outcome]) -> None:
    project, _ = shared
    noted = Counter(note for note in project.notes if " in " in note)
    for what, when, worker in product(("Six", "together"), ("before", "after"), "12"):
        assert noted.pop(f"{when} {what} in {worker}") == 1
    # The rule of one scenario: one worker's hooks, nobody else's.
    assert sorted(what[:-1] for what in noted) == ["after single in ", "before single in "]
    assert set(noted.values()) == {1}


@pytest.mark.parametrize("hook", ["before_feature", "before_rule"])
def test_a_hook_that_fails_costs_what_stands_in_it(project: Project, hook: str) -> None:
    project.feature("six", SIX)
    project.environment(f"""
        def {hook}(context, container):
            if container.name in ("Six", "together"): raise RuntimeError("no room")
        """)
    outcome = project.run("-j", "2")
    assert outcome.code == 1
    struck = {s["name"]: s["verdict"] for s in outcome.results["scenarios"]
              if "no room" in s["reason"]}  # fmt: skip
    assert set(struck.values()) == {"broken"}
    within = {"c meets d", "d meets c"} if hook == "before_rule" else set(outcome.verdicts)
    assert set(struck) == within
    assert {outcome.verdicts[name] for name in outcome.verdicts if name not in within} <= {"passed"}
    project.assert_nothing_left()


@pytest.mark.parametrize("hook", ["after_feature", "after_rule"])
def test_what_fails_in_two_workers_is_told_once(project: Project, hook: str) -> None:
    project.feature("f", f"Feature: f\n Rule: r\n{MEETING.format(one='a', other='b')}")
    project.environment(f"def {hook}(context, it): raise RuntimeError('untidy')\n")
    outcome = project.run("-j", "2")
    assert (outcome.code, set(outcome.verdicts.values())) == (1, {"passed"})
    assert [p.count("untidy") for p in outcome.results["suite_problems"]] == [1]


def test_a_worker_that_dies_costs_the_others_nothing(project: Project) -> None:
    rest = "".join(f" Scenario: {n}\n  Given it works\n" for n in range(8))
    project.feature("f", f"""
        Feature: f
          Scenario: dies
            Given "begun" is noted
            When it is held up until "beside" is noted
            Then it dies
          Scenario: beside
            Given it is held up until "begun" is noted
            Then "beside" is noted
        {rest}""")  # fmt: skip
    project.steps("""
        @step("it dies")
        def dies(context): os._exit(7)
        """)
    outcome = project.run("-j", "2")
    verdicts = outcome.verdicts
    assert (verdicts.pop("dies"), set(verdicts.values())) == ("broken", {"passed"}), outcome.text
    assert len(verdicts) == 9


def test_at_the_first_failure_nobody_begins_another(project: Project) -> None:
    rest = "".join(f" Scenario: {n}\n  Given it works\n" for n in range(6))
    project.feature("f", f"""
        Feature: f
          Scenario: fails
            Given it is held up until "begun" is noted
            Then it fails
          Scenario: under way
            Given "begun" is noted
            And it is held up until "over" is noted
        {rest}""")  # fmt: skip
    project.environment("""
        def after_scenario(context, scenario):
            if scenario.name == "fails":
                with open("notes.txt", "a") as notes: notes.write("over\\n")
        """)
    outcome = project.run("-j", "2", "--stop")
    assert outcome.code == 1
    assert outcome.verdicts["fails"] == "failed"
    assert outcome.verdicts["under way"] == "passed"
    others = [s for s in outcome.results["scenarios"] if s["name"].isdigit()]
    assert [s["verdict"] for s in others] == ["skipped"] * 6


def test_the_longest_begins_first(project: Project) -> None:
    """Both workers would wait for it otherwise, until the time is over."""
    waiting = "".join(
        f' Scenario: {n}\n  Given it is held up until "long" is noted\n' for n in range(2)
    )
    text = f'Feature: f\n{waiting} Scenario: long\n  Given "long" is noted\n'
    project.feature("f", text)
    known = project.run("-j", "3").results
    (project.root / "notes.txt").unlink()
    for scenario in known["scenarios"]:
        scenario["seconds"] = 9.0 if scenario["name"] == "long" else 1.0
    project.write("reports/results.json", json.dumps(known))
    outcome = project.run("-j", "2")
    assert set(outcome.verdicts.values()) == {"passed"}, outcome.text
