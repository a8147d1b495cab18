"""Each way in which the stock Allure formatter tells less than the truth, and ours must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reporting.conftest import Run, labels, message, run_behave

HOOKS = """
def boom(context, hook, tags):
    if f"fail.{hook}" in tags:
        raise RuntimeError(f"boom in {hook}")

def before_feature(context, feature): boom(context, "before_feature", feature.tags)
def after_feature(context, feature): boom(context, "after_feature", feature.tags)
def before_rule(context, rule): boom(context, "before_rule", rule.tags)
def before_scenario(context, scenario):
    boom(context, "before_scenario", scenario.tags)
    if "skipped.by.hook" in scenario.tags:
        scenario.skip("needs three brokers")
def after_scenario(context, scenario): boom(context, "after_scenario", scenario.tags)
def before_step(context, step): boom(context, "before_step", context.scenario.tags)
def after_step(context, step): boom(context, "after_step", context.scenario.tags)
def before_tag(context, tag):
    if tag == "fail.before_tag": raise RuntimeError("boom in before_tag")
def after_tag(context, tag):
    if tag == "fail.after_tag": raise RuntimeError("boom in after_tag")
"""

SCENARIOS = """
    Feature: Scenarios
      @fail.before_scenario
      Scenario: before_scenario
        Given it works
      @fail.after_scenario
      Scenario: after_scenario
        Given it works
      @fail.before_step
      Scenario: before_step
        Given it works
        And it works
      @fail.after_step
      Scenario: after_step
        Given it works
      @fail.before_tag
      Scenario: before_tag
        Given it works
      @fail.after_tag
      Scenario: after_tag
        Given it works
      Scenario: cleanup
        Given a cleanup fails
        Then it works
      @fail.after_scenario
      Scenario: assertion and hook
        Then the count is 93 of 100
      Scenario: assertion
        Given it works
        When the count is 93 of 100
        Then it works
        And it works
      Scenario: undefined
        Given it works
        When nobody has written this
        Then it works
      Scenario: error
        When it raises
      Scenario: connection
        When the connection is refused
      Scenario: trouble
        When the service is down
      Scenario: not possible
        When it is not possible here
      Scenario: refused
        When it must not be done
      Scenario: skips itself
        Given it works
        When the scenario is skipped because the table is empty
        Then it works
      Scenario: skips itself silently
        When the scenario is skipped
      @skipped.by.hook
      Scenario: skipped by a hook
        Given it works
      @slow
      Scenario: deselected
        Given it works
      Scenario: passes
        Given it works

      Rule: Later
        Scenario: under a rule
          Given it works
        @fail.after_scenario
        Scenario: after_scenario under a rule
          Given it works
        Scenario Outline: A <kind> message
          Given the kind is <kind>
          Examples:
            | kind  |
            | large |

      @fail.before_rule
      Rule: Never begun
        Scenario: under a failing rule
          Given it works
"""
BEFORE_FEATURE = """
    @fail.before_feature
    Feature: Before
      Scenario: first of a failing feature
        Given it works
      Rule: Inner
        Scenario: second of a failing feature
          Given it works
        @slow
        Scenario: deselected in a failing feature
          Given it works
"""
AFTER_FEATURE = """
    @fail.after_feature
    Feature: After
      Scenario: of a feature that fails late
        Given it works
"""
BROKEN = {
    "before_scenario": "boom in before_scenario",
    "after_scenario": "boom in after_scenario",
    "before_step": "HOOK-ERROR in before_step: RuntimeError: boom in before_step",
    "after_step": "HOOK-ERROR in a step hook: RuntimeError: boom in after_step",
    "before_tag": "boom in before_tag",
    "after_tag": "boom in after_tag",
    "cleanup": "CLEANUP-ERROR in remove_topic: RuntimeError: topic is stuck",
    "after_scenario under a rule": "boom in after_scenario",
    "under a failing rule": "boom in before_rule",
    "first of a failing feature": "boom in before_feature",
    "second of a failing feature": "boom in before_feature",
    "Hooks of the feature 'After'": "boom in after_feature",
    "undefined": "Undefined step: When nobody has written this",
    "error": "ValueError: not a number",
    "connection": "ConnectionRefusedError: nobody listens",
    "trouble": "kafka did not start",
}


@pytest.fixture(scope="module")
def run(project: Path) -> Run:
    features = {
        "messaging/scenarios.feature": SCENARIOS,
        "messaging/before.feature": BEFORE_FEATURE,
        "messaging/after.feature": AFTER_FEATURE,
    }
    return run_behave(project, features, "--tags=not @slow", environment=HOOKS)


@pytest.mark.parametrize(("name", "reason"), BROKEN.items())
def test_what_broke_is_broken_with_its_reason(run: Run, name: str, reason: str):
    assert run.results[name]["status"] == "broken"
    assert reason in message(run.results[name])


def test_a_failing_hook_keeps_the_steps_true_statuses(run: Run):
    assert [s["status"] for s in run.results["after_scenario"]["steps"]] == ["passed"]
    assert [s["status"] for s in run.results["before_scenario"]["steps"]] == ["skipped"]
    assert [s["status"] for s in run.results["before_step"]["steps"]] == ["broken", "skipped"]


def test_a_failed_assertion_stays_a_failure_beside_a_failing_hook(run: Run):
    result = run.results["assertion and hook"]
    assert result["status"] == "failed"
    assert message(result).startswith("predictions\nExpected: <100>\n     but: was <93>")
    assert "and then: HOOK-ERROR in after_scenario: RuntimeError: boom" in message(result)


def test_steps_after_a_failure_are_skipped(run: Run):
    steps = run.results["assertion"]["steps"]
    assert [s["status"] for s in steps] == ["passed", "failed", "skipped", "skipped"]
    assert "but: was <93>" in steps[1]["statusDetails"]["message"]
    assert "assert_that(actual" in run.results["assertion"]["statusDetails"]["trace"]


def test_an_undefined_step_hints_at_its_definition(run: Run):
    result = run.results["undefined"]
    assert [s["status"] for s in result["steps"]] == ["passed", "broken", "skipped"]
    assert "@when(u'nobody has written this')" in result["statusDetails"]["trace"]


def test_scenarios_under_a_rule_have_results(run: Run):
    assert run.results["under a rule"]["status"] == "passed"
    assert run.results["A large message"]["status"] == "passed"
    assert labels(run.results["under a rule"], "story") == ["Later"]


def test_passing_neighbours_of_failing_hooks_pass(run: Run):
    assert run.results["passes"]["status"] == "passed"
    assert run.results["of a feature that fails late"]["status"] == "passed"


def test_skipped_scenarios_tell_why(run: Run):
    for name, reason in {
        "skips itself": "the table is empty",
        "skips itself silently": "skipped without a reason",
        "skipped by a hook": "needs three brokers",
    }.items():
        assert run.results[name]["status"] == "skipped"
        assert message(run.results[name]) == reason


def test_not_supported_and_refused_are_skipped_and_say_so(run: Run):
    impossible, refused = run.results["not possible"], run.results["refused"]
    assert impossible["status"] == refused["status"] == "skipped"
    assert message(impossible).startswith("Not supported: no partitions")
    assert message(refused) == "Refused: would stop a shared broker"
    assert labels(impossible, "category") == labels(refused, "category") == ["not supported"]


def test_categories_say_whose_fault_it_is(run: Run):
    blamed = {name: labels(result, "category") for name, result in run.results.items()}
    assert blamed["assertion"] == ["product"]
    assert blamed["connection"] == blamed["trouble"] == ["environment"]
    assert blamed["error"] == blamed["undefined"] == blamed["after_scenario"] == ["suite"]
    assert blamed["passes"] == []


def test_deselected_scenarios_have_no_result(run: Run):
    assert "deselected" not in run.results
    assert "deselected in a failing feature" not in run.results


def test_nothing_is_left_out_and_nothing_made_up(run: Run):
    expected = set(BROKEN) | {
        "assertion and hook",
        "assertion",
        "not possible",
        "refused",
        "skips itself",
        "skips itself silently",
        "skipped by a hook",
        "passes",
        "under a rule",
        "A large message",
        "of a feature that fails late",
    }
    assert set(run.results) == expected


TWO = {
    "one.feature": """
        Feature: One
          Scenario: first
            Given it works
          @slow
          Scenario: slow
            Given it works
    """,
    "two.feature": """
        Feature: Two
          Rule: R
            Scenario: second
              When it raises
          Scenario: third
            Given it works
    """,
}


def test_a_failing_before_all_leaves_no_empty_report(tmp_path: Path):
    run = run_behave(
        tmp_path,
        TWO,
        "--tags=not @slow",
        environment="def before_all(context): raise RuntimeError('no broker')",
    )
    assert {name: r["status"] for name, r in run.results.items()} == dict.fromkeys(
        ["first", "second", "third"], "broken"
    )
    assert "before_all" in message(run.results["first"])


def test_stopping_at_the_first_failure_names_what_did_not_run(tmp_path: Path):
    run = run_behave(tmp_path, TWO, "--stop")
    assert run.results["second"]["status"] == "broken"
    assert run.results["third"]["status"] == "skipped"
    assert message(run.results["third"]).startswith("not run: the run was told to stop")


def test_an_interrupted_run_reports_the_rest_as_not_run(tmp_path: Path):
    hooks = """
        def before_scenario(context, scenario):
            if scenario.name == "second": raise KeyboardInterrupt
    """
    run = run_behave(tmp_path, TWO, environment=hooks)
    assert run.results["first"]["status"] == "passed"
    assert run.results["second"]["status"] == run.results["third"]["status"] == "broken"


def test_a_feature_skipped_by_its_hook_is_skipped_not_forgotten(tmp_path: Path):
    hooks = """
        def before_feature(context, feature):
            if feature.name == "Two": feature.skip("no S3 here")
    """
    run = run_behave(tmp_path, TWO, environment=hooks)
    assert run.results["first"]["status"] == "passed"
    for name in ("second", "third"):
        assert run.results[name]["status"] == "skipped"
        assert message(run.results[name]) == "no S3 here"


def test_a_feature_skipped_without_a_reason_is_not_forgotten_either(tmp_path: Path):
    hooks = """
        def before_feature(context, feature):
            if feature.name == "Two": feature.skip()
    """
    run = run_behave(tmp_path, TWO, environment=hooks)
    assert run.results["second"]["status"] == run.results["third"]["status"] == "skipped"


def test_a_cleanup_error_is_told_without_capture_too(tmp_path: Path):
    feature = "Feature: F\n  Scenario: s\n    Given a cleanup fails\n"
    run = run_behave(tmp_path, {"f.feature": feature}, "--no-capture", "--no-capture-hooks")
    assert run.results["s"]["status"] == "broken"
    assert "a cleanup of this scenario failed" in message(run.results["s"])


@pytest.mark.parametrize("arguments", [["features/one.feature:3"], ["--name=first"]])
def test_lines_and_names_deselect(tmp_path: Path, arguments: list[str]):
    assert set(run_behave(tmp_path, TWO, *arguments).results) == {"first"}
    assert set(run_behave(tmp_path, TWO, *arguments, "--show-skipped").results) == {"first"}


def test_a_dry_run_makes_no_results(tmp_path: Path):
    run = run_behave(tmp_path, TWO, "--dry-run")
    assert run.folder.is_dir()
    assert run.results == {}
