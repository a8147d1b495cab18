"""What behave's own formatters, other runners and the console see of a run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.session.conftest import Outcome, Project


@pytest.fixture
def small(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.feature("small", "Feature: Small\n Scenario: works\n  Given it works\n")
    return made


def test_behaves_own_formatters_see_a_usual_run(small: Project) -> None:
    small.feature("b", """
        Feature: Second
          Background:
            Given it works
          Scenario: fails
            Then it fails
            And it works
        """)  # fmt: skip
    small.feature("small", """
        Feature: Small
          Scenario: works
            Given it works
          Scenario: works too
            Given it works
          @not_selected
          Scenario: deselected
            Given it works
        """)  # fmt: skip
    small.write(
        "peeking.py",
        """
        from behave.formatter.base import Formatter
        class Peeking(Formatter):
            # behave keeps a status once it has computed it.
            def feature(self, feature): self.current = feature
            def result(self, step): self.current.status
        """,
    )
    outcome = small.run(
        "-f", "peeking:Peeking", "-o", "peeked.txt",
        "--tags=not @not_selected",
        "-f", "json", "-o", "out.json", "-f", "rerun", "-o", "rerun.txt",
        "-f", "progress3", "-o", "progress.txt", "-f", "pretty", "-o", "pretty.txt",
        "--junit", "--junit-directory", "behave-junit",
    )  # fmt: skip
    assert outcome.code == 1
    features = json.loads((small.root / "out.json").read_text())
    assert [(f["name"], f["status"]) for f in features] == [
        ("Second", "failed"),
        ("Small", "passed"),
    ]
    scenario = features[0]["elements"][-1]
    assert [s.get("result", {}).get("status") for s in scenario["steps"]] == [
        "passed", "failed", None,
    ]  # fmt: skip
    assert "features/b.feature:5" in (small.root / "rerun.txt").read_text()
    assert "one is not two" in (small.root / "progress.txt").read_text()
    assert (small.root / "pretty.txt").read_text().count("Scenario: fails") == 1
    assert list((small.root / "behave-junit").glob("*.xml"))


def test_behaves_own_formatters_see_each_feature_as_a_whole_with_several_workers(
    small: Project,
) -> None:
    for name, other in ("ab", "ba"):
        small.feature(name, f"""
            Feature: {name}
              Scenario: {name}1
                Given it works
              Scenario: {name}2
                Given "{name}" is noted
                When it is held up until "{other}" is noted
              Rule: {name}r
                Scenario: {name}3
                  Given "{name}r" is noted
                  When it is held up until "{other}r" is noted
            """)  # fmt: skip
    small.environment("""
        def after_feature(context, feature):
            if feature.name == "Small": raise RuntimeError("untidy")
        """)
    outcome = small.run("-j", "2", "-f", "json", "-o", "out.json", "-f", "stackproof")
    assert outcome.code == 1, outcome.text
    assert set(outcome.verdicts.values()) == {"passed"}
    features = json.loads((small.root / "out.json").read_text())
    told = [(feature["name"], feature["status"]) for feature in features]
    assert told == [("a", "passed"), ("b", "passed"), ("Small", "hook_error")]
    for feature in features:
        scenarios = [e for e in feature["elements"] if e["type"] == "scenario"]
        assert {e["status"] for e in scenarios} == {"passed"}
        assert len(scenarios) == (1 if feature["name"] == "Small" else 3)
        for step in (step for e in scenarios for step in e["steps"]):
            assert step["result"]["status"] == "passed"


ALLURE_BEHAVE = "allure_behave.formatter:AllureFormatter"
KINDS = """
    Feature: Kinds
      Background:
        Given it works
      Scenario: passes
        Then it works
      Scenario: fails
        When it fails
        Then it works
      @not_selected
      Scenario: deselected
        Given it works
      Scenario Outline: row <n>
        When it raises
        Examples:
          | n |
          | 1 |
          | 2 |
      Rule: r
        Scenario: within a rule
          When it fails
          Then it works
    """


def results_below(place: Path) -> dict[str, dict]:
    found = [json.loads(file.read_text()) for file in place.glob("*-result.json")]
    named = {result["name"]: result for result in found}
    assert len(named) == len(found), "a result twice"
    return named


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_allure_behave_writes_a_result_for_each_scenario_outside_rules(
    small: Project, jobs: str
) -> None:
    small.feature("kinds", KINDS)
    outcome = small.run(
        "-j", jobs, "--tags=not @not_selected", "-f", ALLURE_BEHAVE, "-o", "theirs",
        "-f", "json", "-o", "out.json", "-f", "stackproof",
    )  # fmt: skip
    assert (outcome.code, outcome.results["suite_problems"]) == (1, []), outcome.text
    theirs = results_below(small.root / "theirs")
    assert {name: result["status"] for name, result in theirs.items()} == {
        "passes": "passed", "fails": "failed", "works": "passed",
        "row 1 -- @1.1 ": "broken", "row 2 -- @1.2 ": "broken",
    }  # fmt: skip
    steps = {step["name"]: step["status"] for step in theirs["fails"]["steps"]}
    assert steps == {"Given it works": "passed", "When it fails": "failed",
                     "Then it works": "skipped"}  # fmt: skip
    assert "one is not two" in theirs["fails"]["statusDetails"]["message"]
    assert "ValueError: not a number" in theirs["row 1 -- @1.1 "]["statusDetails"]["message"]
    # Ours has all of them, and nobody else hears anything twice.
    assert len(outcome.allure) == 6
    assert outcome.allure["within a rule"]["status"] == "failed"
    told = [e["name"] for f in json.loads((small.root / "out.json").read_text())
            for e in f["elements"] if e["type"] == "scenario"]  # fmt: skip
    assert sorted(told) == sorted([*theirs, "within a rule"])


def test_allure_behave_named_in_a_settings_file(small: Project) -> None:
    small.write("behave.ini", f"""
        [behave]
        paths = features
        runner = stackproof.session.runner:StackproofRunner
        format = {ALLURE_BEHAVE}
        outfiles = theirs
        """)  # fmt: skip
    (small.root / "pyproject.toml").unlink()
    assert small.run().code == 0
    assert set(results_below(small.root / "theirs")) == {"works"}


def test_a_wrapper_with_a_defect_is_told_and_costs_nothing_else(small: Project) -> None:
    small.feature("kinds", KINDS)
    small.write("wrapping.py", """
        from behave.formatter.base import Formatter
        class Wrapping(Formatter):
            def feature(self, feature):
                for scenario in feature.scenarios:
                    def broken(runner, run=scenario.run):
                        assert runner.config is self.config
                        run(runner)
                        raise ZeroDivisionError("in a wrapper")
                    scenario.run = broken
        """)  # fmt: skip
    outcome = small.run("-f", ALLURE_BEHAVE, "-o", "theirs", "-f", "wrapping:Wrapping")
    assert outcome.code == 1
    (problem,) = outcome.results["suite_problems"]
    assert "in a wrapper" in problem
    assert len(outcome.allure) == 7
    assert len(results_below(small.root / "theirs")) == 6


def test_a_console_that_is_closed_changes_no_verdict(small: Project) -> None:
    small.feature("z", """
        Feature: Last
          Scenario: fails
            Given it is held up until "closed" is noted
            Then it fails
        """)  # fmt: skip
    with subprocess.Popen(
        small.command(), cwd=small.root, env=small.environ(), stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    ) as run:  # fmt: skip
        assert run.stdout is not None
        assert any("works" in line for line in run.stdout)
        run.stdout.close()
        small.write("notes.txt", "closed\n")
        run.wait(60)
    assert run.returncode not in (0, -13), "`behave | head` must not look like success"
    outcome = Outcome(run.returncode, "", "", small.root / "reports")
    assert outcome.verdicts == {"works": "passed", "fails": "failed"}
    assert "ConsoleFormatter failed" in outcome.results["suite_problems"][0]


def test_output_of_steps_reaches_the_report_of_failures_only(small: Project) -> None:
    small.steps(r"""
        import logging

        @step("it prints a lot")
        def prints(context):
            print("printed \u2713 \udcff")
            print("to stderr", file=sys.stderr)
            logging.getLogger("mine").warning("logged")
            os.write(1, b"\xff\xfe\x00 raw bytes")
        """)
    small.feature("noise", """
        Feature: Noise
          Scenario: noisy and fine
            Given it prints a lot
          Scenario: noisy and not fine
            Given it prints a lot
            Then it fails
        """)  # fmt: skip
    outcome = small.run("features/noise.feature")
    assert outcome.verdicts == {"noisy and fine": "passed", "noisy and not fine": "failed"}
    results = outcome.allure

    def captured(name: str) -> str:
        sources = [a["source"] for a in results[name].get("attachments", [])]
        place = outcome.directory / "allure-results"
        return "".join((place / source).read_text(errors="replace") for source in sources)

    assert captured("noisy and fine") == ""
    for said in ("printed", "to stderr", "logged"):
        assert said in captured("noisy and not fine")
    assert b"raw bytes" in (outcome.directory / "logs" / "worker-1.log").read_bytes()


def test_plain_behave_says_what_is_missing(small: Project) -> None:
    outcome = small.run("-r", "behave.runner:Runner", "-f", "plain")
    assert outcome.code == 1
    assert "this runner starts no services" in outcome.text
    assert not small.directories()


def test_dry_run_starts_nothing(small: Project) -> None:
    small.with_services()
    outcome = small.run("--dry-run", "-f", "plain")
    assert outcome.code == 0, outcome.text
    assert "Scenario: works" in outcome.out
    assert not small.runs.exists()
    assert not outcome.directory.exists()
