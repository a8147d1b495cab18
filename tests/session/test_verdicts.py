"""One run with every kind of ending: no report may be green where something went wrong."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from tests.session.conftest import Outcome, Project

FEATURES = {
    "endings": """
        Feature: Endings
          Scenario: passes
            Given it works
          Scenario: fails
            Given it works
            When it fails
            Then it works
          Scenario: raises
            Given it raises
          Scenario: is skipped by a step
            Given it is skipped because of the weather
            Then it fails
          @skipped_by_hook
          Scenario: is skipped by a hook
            Given it fails
          Scenario: is not supported
            Given the provider cannot
          Scenario: is refused
            Given the provider must not
          Scenario: lacks a service
            Given the service is down
          Scenario: proves nothing
            Given its premise is not met
          Scenario: is late
            Given it is still getting on
          Scenario: is stalled
            Given it gets on no more
          Scenario: comes too early
            Given it needs what no step has kept
          Scenario: is still to be written
            Given it is pending
          @wip
          Scenario: is in progress
            Given it is pending
          Scenario Outline: row <n>
            Given it <does>
            Examples:
              | n | does  |
              | 1 | works |
              | 2 | fails |
          Rule: A rule
            Scenario: passes in a rule
              Given it works
            Scenario: fails in a rule
              Given it fails
        """,
    "oddities": """
        Feature: Odd exceptions
          Scenario: a local class
            Given it raises something local
          Scenario: an exception that cannot be shown
            Given it raises something unspeakable
          Scenario: no message
            Given it raises nothing but a name
          Scenario: sys.exit
            Given it exits with success
          Scenario: an interruption
            Given it raises an interruption
          Scenario: a base exception
            Given it raises a base exception
          Scenario: odd parameters
            Given it reports a lambda
          Scenario: evidence that cannot be kept
            Given its history cannot be saved
          Scenario: after all of these
            Given it works
        """,
    "hooks": """
        Feature: Hooks of scenarios
          @fails_before
          Scenario: before_scenario
            Given it works
          @fails_after
          Scenario: after_scenario
            Given it works
          @fails_before_tag
          Scenario: before_tag
            Given it works
          @fails_after_tag
          Scenario: after_tag
            Given it works
          @fails_before_step
          Scenario: before_step
            Given it works
          @fails_after_step
          Scenario: after_step
            Given it works
          @exits_before
          Scenario: before_scenario exits
            Given it works
          Scenario: cleanup of behave
            Given a cleanup of behave fails
          Scenario: cleanup of the session
            Given a cleanup of the session fails
          Scenario: both
            Given a cleanup of the session fails
            Then it fails
          Scenario: untouched
            Given it works
        """,
    "before_feature": """
        @fails_before_feature
        Feature: before_feature fails
          Scenario: kept back
            Given it works
          Rule: r
            Scenario: kept back in a rule
              Given it works
        """,
    "before_feature_exit": """
        @exits_before_feature
        Feature: before_feature exits
          Scenario: kept back by an exit
            Given it works
        """,
    "before_feature_tag": """
        @fails_before_tag
        Feature: before_tag of a feature fails
          Scenario: kept back by a tag
            Given it works
        """,
    "after_feature": """
        @fails_after_feature
        Feature: after_feature fails
          Scenario: before after_feature
            Given it works
        """,
    "cleanup_feature": """
        @cleanup_fails
        Feature: a cleanup of a feature fails
          Scenario: before the cleanup
            Given it works
        """,
    "rules": """
        Feature: Rules
          Rule: fine
            Scenario: in a fine rule
              Given it works
          @fails_before_rule
          Rule: before_rule fails
            Scenario: kept back by its rule
              Given it works
          @fails_after_rule
          Rule: after_rule fails
            Scenario: before after_rule
              Given it works
          Rule: fine too
            Scenario: in another fine rule
              Given it works
        """,
    "skipped": """
        @skipped_feature
        Feature: Skipped as a whole
          Scenario: never wanted
            Given it fails
        """,
    "elsewhere": """
        @not_selected
        Feature: Not selected
          Scenario: deselected
            Given it fails
        """,
}

STEPS = """
from behave.api.pending_step import StepNotImplementedError
from hamcrest import greater_than
from stackproof.polling import Late, Stalled
from stackproof.session.premises import presume
from stackproof.session.scenario import Kept

@step("it is skipped because of {reason}")
def skips(context, reason): context.scenario.skip("because of " + reason)

@step("the provider cannot")
def cannot(context): raise NotSupported("no partitions", "one host", "use docker")

@step("the provider must not")
def must_not(context): raise Refused("it would stop a shared broker")

@step("the service is down")
def down(context): raise Trouble("echo did not start", "port taken", "free it")

@step("its premise is not met")
def premise(context):
    presume(0, greater_than(0), "messages left when the instance ended")

@step("it is still getting on")
def late(context): raise Late("late: 3 of 4", 3)

@step("it gets on no more")
def stalled(context): raise Stalled("stalled: 3 of 4", 3)

@step("it needs what no step has kept")
def early(context): context.session.kept(Kept("instance", "it is launched"))

@step("it is pending")
def pending(context): raise StepNotImplementedError("later")

@step("it raises something local")
def local(context):
    class Local(Exception):
        def __init__(self, one, two, *, three):
            super().__init__(f"{one} and {two} and {three}")
            self.broken = lambda: None
    raise Local("one", "two", three="three")

class Unspeakable(Exception):
    def __str__(self): raise RuntimeError("it cannot be shown")

@step("it raises something unspeakable")
def unspeakable(context): raise Unspeakable("secretly")

class Nameless(Exception): pass

@step("it raises nothing but a name")
def nameless(context): raise Nameless

@step("it exits with success")
def exits(context): sys.exit(0)

@step("it raises an interruption")
def interrupts(context): raise KeyboardInterrupt

class Base(BaseException): pass

@step("it raises a base exception")
def base(context): raise Base("not an Exception")

@step("it reports a lambda")
def reports(context):
    context.session.figure("odd", lambda: None)
    context.session.parameters[3] = object()
    context.session.attach("strange", lambda: None)

@step("its history cannot be saved")
def unsaved(context):
    def evidence(*, failed): raise OSError(28, "No space left on device")
    context.session.evidence = evidence

@step("a cleanup of behave fails")
def cleanup(context):
    def remove(): raise OSError("it cannot be removed")
    context.add_cleanup(remove)

@step("a cleanup of the session fails")
def session_cleanup(context):
    def close(): raise OSError("it cannot be closed")
    context.session.add_cleanup(close)
"""

HOOKS = """
import sys

ours = before_scenario, after_scenario

def fail(where): raise RuntimeError(where + " went wrong")

def before_scenario(context, scenario):
    ours[0](context, scenario)
    if "skipped_by_hook" in scenario.tags: scenario.skip("by decree")
    if "fails_before" in scenario.tags: fail("before_scenario")
    if "exits_before" in scenario.tags: sys.exit(0)

def after_scenario(context, scenario):
    ours[1](context, scenario)
    if "fails_after" in scenario.tags: fail("after_scenario")

def before_tag(context, tag):
    if tag == "fails_before_tag": fail("before_tag")

def after_tag(context, tag):
    if tag == "fails_after_tag": fail("after_tag")

def before_step(context, step):
    if "fails_before_step" in context.tags: fail("before_step")

def after_step(context, step):
    if "fails_after_step" in context.tags: fail("after_step")

def before_feature(context, feature):
    if "fails_before_feature" in feature.tags: fail("before_feature")
    if "exits_before_feature" in feature.tags: sys.exit(0)
    if "skipped_feature" in feature.tags: feature.skip("out of season")
    if "cleanup_fails" in feature.tags: context.add_cleanup(fail, "the cleanup")

def after_feature(context, feature):
    if "fails_after_feature" in feature.tags: fail("after_feature")

def before_rule(context, rule):
    if "fails_before_rule" in rule.tags: fail("before_rule")

def after_rule(context, rule):
    if "fails_after_rule" in rule.tags: fail("after_rule")
"""

VERDICTS = {
    "passes": "passed",
    "fails": "failed",
    "raises": "broken",
    "is skipped by a step": "skipped",
    "is skipped by a hook": "skipped",
    "is not supported": "not supported",
    "is refused": "refused",
    "lacks a service": "broken",
    "proves nothing": "broken",
    "is late": "failed",
    "is stalled": "failed",
    "comes too early": "broken",
    "is still to be written": "broken",
    "is in progress": "skipped",
    "row 1 -- @1.1 ": "passed",
    "row 2 -- @1.2 ": "failed",
    "passes in a rule": "passed",
    "fails in a rule": "failed",
    "a local class": "broken",
    "an exception that cannot be shown": "broken",
    "no message": "broken",
    "sys.exit": "broken",
    "an interruption": "broken",
    "a base exception": "broken",
    "odd parameters": "broken",
    "evidence that cannot be kept": "passed",
    "after all of these": "passed",
    "before_scenario": "broken",
    "after_scenario": "broken",
    "before_tag": "broken",
    "after_tag": "broken",
    "before_step": "broken",
    "after_step": "broken",
    "before_scenario exits": "broken",
    "cleanup of behave": "broken",
    "cleanup of the session": "broken",
    "both": "failed",
    "untouched": "passed",
    "kept back": "broken",
    "kept back in a rule": "broken",
    "kept back by an exit": "broken",
    "kept back by a tag": "broken",
    "before after_feature": "passed",
    "before the cleanup": "passed",
    "in a fine rule": "passed",
    "kept back by its rule": "broken",
    "before after_rule": "passed",
    "in another fine rule": "passed",
    "never wanted": "skipped",
}

REASONS = {
    "fails": "one is not two",
    "raises": "ValueError: not a number",
    "is skipped by a step": "because of the weather",
    "is skipped by a hook": "by decree",
    "is not supported": "no partitions",
    "is refused": "it would stop a shared broker",
    "lacks a service": "echo did not start",
    "proves nothing": "premise: messages left when the instance ended: expected: a value greater",
    "is late": "late: 3 of 4",
    "is stalled": "stalled: 3 of 4",
    "comes too early": 'put a step like "it is launched" before it',
    "is still to be written": "Pending step: Given it is pending",
    "is in progress": "Pending step: Given it is pending",
    "a local class": "Local: one and two and three",
    "an exception that cannot be shown": "it cannot be shown",
    "no message": "Nameless",
    "sys.exit": "SystemExit: 0",
    "an interruption": "KeyboardInterrupt",
    "a base exception": "Base: not an Exception",
    "odd parameters": "its result could not be sent",
    "before_scenario": "before_scenario went wrong",
    "after_scenario": "after_scenario went wrong",
    "before_tag": "before_tag went wrong",
    "after_tag": "after_tag went wrong",
    "before_step": "before_step went wrong",
    "after_step": "after_step went wrong",
    "before_scenario exits": "HOOK-ERROR in before_scenario: SystemExit",
    "cleanup of behave": "it cannot be removed",
    "cleanup of the session": "it cannot be closed",
    "both": "one is not two",
    "kept back": "before_feature went wrong",
    "kept back in a rule": "before_feature went wrong",
    "kept back by an exit": "HOOK-ERROR in before_feature: SystemExit",
    "kept back by a tag": "before_tag went wrong",
    "kept back by its rule": "before_rule went wrong",
    "never wanted": "out of season",
}

CATEGORIES = {
    "fails": "product",
    "proves nothing": "premise",
    "is late": "late",
    "is stalled": "stalled",
    "comes too early": "premise",
    "lacks a service": "environment",
    "raises": "suite",
    "is refused": "not supported",
}

CONTAINERS = {
    "Hooks of the feature 'after_feature fails'": "after_feature went wrong",
    "Hooks of the feature 'a cleanup of a feature fails'": "the cleanup went wrong",
    "Hooks of the rule 'after_rule fails'": "after_rule went wrong",
}


@pytest.fixture(scope="module")
def project(shared_project: Project) -> Project:
    for name, text in FEATURES.items():
        shared_project.feature(name, text)
    shared_project.steps(STEPS)
    shared_project.environment(HOOKS)
    return shared_project


@pytest.fixture(scope="module")
def outcome(project: Project) -> Outcome:
    return project.run("--tags=not @not_selected", "-f", "plain", "-f", "stackproof")


@pytest.fixture(scope="module")
def verdicts(outcome: Outcome) -> dict[str, str]:
    return outcome.verdicts


@pytest.fixture(scope="module")
def allure(outcome: Outcome) -> dict[str, dict[str, Any]]:
    return outcome.allure


@pytest.mark.parametrize("name", VERDICTS)
def test_verdict(name: str, verdicts: dict[str, str]) -> None:
    assert verdicts[name] == VERDICTS[name]


@pytest.mark.parametrize("name", REASONS)
def test_reason(name: str, outcome: Outcome) -> None:
    assert REASONS[name] in outcome.scenario(name)["reason"]


@pytest.mark.parametrize("name", CATEGORIES)
def test_category(name: str, outcome: Outcome, allure: dict[str, Any]) -> None:
    assert outcome.scenario(name)["category"] == CATEGORIES[name]
    labels = {label["name"]: label["value"] for label in allure[name]["labels"]}
    assert labels["category"] == CATEGORIES[name]


def test_junit_and_console_name_a_premise_that_was_not_met(outcome: Outcome) -> None:
    cases = ET.parse(outcome.directory / "junit" / "stackproof.xml").iter("testcase")
    error = next(case for case in cases if case.get("name") == "proves nothing").find("error")
    assert error is not None and error.get("type") == "premise"
    assert "premise: messages left when the instance ended" in outcome.out
    assert "Traceback" not in outcome.scenario("comes too early")["trace"]


def test_nothing_but_the_selected_scenarios_is_reported(outcome: Outcome) -> None:
    assert set(outcome.verdicts) == set(VERDICTS)
    assert outcome.code == 1
    assert outcome.results["exit_code"] == 1


def test_allure_has_every_scenario_with_the_same_verdict(allure: dict[str, Any]) -> None:
    status = {"not supported": "skipped", "refused": "skipped"}
    told = {name.strip(): result["status"] for name, result in allure.items()}
    expected = {name.partition(" -- ")[0]: status.get(v, v) for name, v in VERDICTS.items()}
    found = {name.partition(" -- ")[0]: v for name, v in told.items() if name not in CONTAINERS}
    assert found == expected


@pytest.mark.parametrize("name", CONTAINERS)
def test_late_hooks_of_features_and_rules_have_a_result_of_their_own(
    name: str, allure: dict[str, Any], outcome: Outcome
) -> None:
    assert allure[name]["status"] == "broken"
    assert CONTAINERS[name] in allure[name]["statusDetails"]["message"]
    assert any(CONTAINERS[name] in problem for problem in outcome.results["suite_problems"])


def test_no_other_hook_has_a_result_of_its_own(outcome: Outcome, allure: dict[str, Any]) -> None:
    assert {name for name in allure if name.startswith("Hooks of")} == set(CONTAINERS)
    problems = outcome.results["suite_problems"]
    lost = [problem for problem in problems if problem.startswith("evidence of ")]
    assert len(lost) == 1
    assert "'evidence that cannot be kept' is missing" in lost[0]
    assert len(problems) == len(CONTAINERS) + len(lost)


def test_junit_has_every_scenario(outcome: Outcome) -> None:
    cases = list(ET.parse(outcome.directory / "junit" / "stackproof.xml").iter("testcase"))
    assert len(cases) == len(VERDICTS) + len(CONTAINERS)
    passed = [case for case in cases if not {"failure", "error", "skipped"} & {e.tag for e in case}]
    assert len(passed) == list(VERDICTS.values()).count("passed")


def test_steps_are_marked_as_they_went(outcome: Outcome) -> None:
    assert outcome.scenario("fails")["steps"] == ["passed", "failed", "skipped"]
    assert outcome.scenario("is skipped by a step")["steps"][1] == "skipped"
    assert outcome.scenario("sys.exit")["steps"] == ["error"]
    assert outcome.scenario("kept back")["steps"] == ["skipped"]


def test_each_result_says_which_worker_it_comes_from(outcome: Outcome) -> None:
    ran = [s for s in outcome.results["scenarios"] if not s["name"].startswith("kept back")]
    assert {s["worker"] for s in ran} <= {f"worker-{n}" for n in range(1, 9)}


def test_a_worker_in_disorder_is_replaced(outcome: Outcome) -> None:
    before, after = (outcome.scenario(n)["worker"] for n in ("sys.exit", "an interruption"))
    assert before != after


def test_evidence_that_cannot_be_kept_is_told(allure: dict[str, Any]) -> None:
    names = [a["name"] for a in allure["evidence that cannot be kept"]["attachments"]]
    assert "evidence missing" in names


def test_the_console_tells_each_scenario_once(outcome: Outcome) -> None:
    lines = [line.strip() for line in outcome.out.splitlines()]
    for name in VERDICTS:
        assert lines.count(f"Scenario: {name.strip()}") + lines.count(
            f"Scenario Outline: {name.strip()}"
        ) == 1, name  # fmt: skip


def test_several_workers_come_to_the_same_verdicts(project: Project, outcome: Outcome) -> None:
    parallel = project.run("--tags=not @not_selected", "-j", "2", STACKPROOF_REPORTS="parallel")
    parallel.directory = project.root / "parallel"
    assert parallel.verdicts == outcome.verdicts
    assert parallel.code == 1
    same = ("name", "verdict", "category", "steps")
    assert [{k: s[k] for k in same} for s in parallel.results["scenarios"]] == [
        {k: s[k] for k in same} for s in outcome.results["scenarios"]
    ]
    assert {n: r["status"] for n, r in parallel.allure.items()} == {
        n: r["status"] for n, r in outcome.allure.items()
    }
