"""Suites by tag, what failed last, shards: what a run leaves out and how it says so."""

from __future__ import annotations

import json

import pytest

from tests.session.conftest import Outcome, Project

STEPS = """
@step("it passes when mended")
def when_mended(context): assert os.path.exists("mended"), "not mended yet"
"""
TEXT = """
    Feature: Chosen
      Scenario: plain
        Given it works
      @nightly
      Scenario: long
        Given it works
      Scenario Outline: mixed
        Given it works
        Examples:
          | n |
          | 1 |
        @release
        Examples: slow
          | n |
          | 2 |
    """


@pytest.fixture
def made(project: Project) -> Project:
    project.feature("a", TEXT)
    return project


def names(outcome: Outcome) -> list[str]:
    return [s["name"].partition(" --")[0] for s in outcome.results["scenarios"]]


@pytest.mark.parametrize(
    ("arguments", "expected", "left"),
    [
        ([], ["plain", "mixed"], "suite pr: left out 1 @nightly, 1 @release"),
        (["--suite", "nightly"], ["plain", "long", "mixed"], "left out 1 @release"),
        (["--suite", "release"], ["plain", "long", "mixed", "mixed"], ""),
        (["--tags", "@nightly"], ["long"], ""),
        (["--tags", "not @other"], ["plain", "long", "mixed", "mixed"], ""),
        (["--tags", "not @other", "--suite", "pr"], ["plain", "mixed"], "left out"),
        (["--name", "long"], ["long"], ""),
        (["features/a.feature:6"], ["long"], ""),
    ],
)
def test_suites(made: Project, arguments: list[str], expected: list[str], left: str) -> None:
    outcome = made.run("run", "--no-report", *arguments, program="stackproof")
    assert outcome.code == 0, outcome.text
    assert names(outcome) == expected
    assert len(outcome.allure) == len(expected)
    assert left in outcome.out, outcome.out
    assert ("left out" in outcome.out) == bool(left)


def test_plain_behave_runs_the_same_suite(made: Project) -> None:
    assert names(made.run()) == ["plain", "mixed"]
    assert names(made.run(STACKPROOF_SUITE="nightly")) == ["plain", "long", "mixed"]


def test_a_suite_without_scenarios_says_where_they_are(made: Project) -> None:
    made.feature("a", "@nightly\nFeature: A\n  Scenario: s\n    Given it works\n")
    outcome = made.run("run", program="stackproof")
    assert outcome.code == 2
    assert "left out 1 @nightly (--suite nightly runs them too)" in outcome.err


# -- run again ---------------------------------------------------------------
def again(project: Project, *arguments: str) -> Outcome:
    return project.run("run", "--no-report", *arguments, program="stackproof")


FAILING = """
    Feature: Again
      Scenario: good
        Given it works
      Scenario Outline: row
        Given {step}
        Examples:
          | n | step                  |
          | 1 | it works              |
          | 2 | it passes when mended |
      @nightly
      Scenario: bad
        Given it fails
    """.replace("{step}", "<step>")


def test_only_what_failed_runs_again_wherever_it_stands_now(project: Project) -> None:
    project.steps(STEPS)
    project.feature("a", FAILING)
    first = again(project, "--suite", "release")
    assert first.code == 1
    run, seed = first.results["run"], first.results["seed"]
    project.feature("a", FAILING.replace("Feature: Again", "Feature: Again\n\n      # moved\n"))
    (project.root / "mended").touch()
    second = again(project, "--rerun-failed")
    assert second.code == 1, second.text
    assert [s["name"][:3] for s in second.results["scenarios"]] == ["row", "bad"]
    said = f"run again: 2 that did not pass in run {run}; nothing is proved of 2 others"
    assert said in second.out and said in second.err  # at the end as well as before
    row = next(s for s in second.results["scenarios"] if s["name"].startswith("row"))
    assert row["verdict"] == "passed"
    assert [(e["run"], e["verdict"]) for e in row["earlier"]] == [(run, "failed")]
    assert "not mended yet" in row["earlier"][0]["reason"]
    details = next(r for n, r in second.allure.items() if n.startswith("row"))["statusDetails"]
    assert details["flaky"] is True
    assert f"failed before, in run {run}" in details["message"]
    assert second.results["seed"] == seed
    third = again(project, "--rerun-failed")
    assert [s["name"] for s in third.results["scenarios"]] == ["bad"]
    assert len(third.scenario("bad")["earlier"]) == 2


def test_nothing_to_run_again(made: Project) -> None:
    outcome = again(made, "--rerun-failed")
    assert outcome.code == 2
    assert "there is no last run" in outcome.err
    assert again(made).code == 0
    outcome = again(made, "--rerun-failed")
    assert outcome.code == 0
    assert "nothing to run again: all passed in run" in outcome.out
    assert (made.root / "reports" / "results.json").exists()


def test_what_failed_and_is_gone_is_named(project: Project) -> None:
    project.feature("a", FAILING)
    project.steps(STEPS)
    assert again(project, "--suite", "release").code == 1
    project.feature("a", FAILING.replace("Scenario: bad", "Scenario: renamed"))
    outcome = again(project, "--rerun-failed")
    assert outcome.code == 1
    assert "not run again, because not found or not selected: bad" in outcome.out
    project.feature("a", "Feature: A\n  Scenario: other\n    Given it works\n")
    outcome = again(project, "--rerun-failed")
    assert outcome.code == 2
    assert "nothing of what failed in the last run" in outcome.err


def test_a_run_that_failed_as_a_whole_cannot_be_repaired_by_running_less(made: Project) -> None:
    made.environment("def after_feature(context, feature): raise OSError('late')\n")
    assert again(made).code == 1
    outcome = again(made, "--rerun-failed")
    assert outcome.code == 2
    assert "no scenario failed in the last run, and still it did not pass" in outcome.err


def test_results_that_cannot_be_read(made: Project) -> None:
    made.write("reports/results.json", json.dumps({"scenarios": [{"name": "x"}]}))
    outcome = again(made, "--rerun-failed")
    assert outcome.code == 2
    assert "results.json cannot be read" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_shard_of_a_rerun_is_refused(made: Project) -> None:
    assert again(made).code == 0
    assert again(made, "--rerun-failed", "--shard", "1/2").code == 2


def test_a_misspelt_keyword_hides_no_step(made: Project) -> None:
    made.feature("b", "Feature: B\n  Scenario: s\n    Gven it fails\n    Then it works\n")
    outcome = made.run()
    assert outcome.code == 2, outcome.text
    assert "1 line looks like a step or a scenario" in outcome.err
    assert "features/b.feature:3: Gven it fails" in outcome.err


def test_a_feature_whose_only_scenario_is_hidden_is_told(made: Project) -> None:
    made.feature("b", "Feature: B\n  Scenario\u00a0: s\n    Given it fails\n")
    outcome = made.run()
    assert outcome.code == 2, outcome.text
    assert r"features/b.feature:2: Scenario\xa0: s" in outcome.err
