"""Known issues: they run, are shown, and keep nothing hidden."""

from __future__ import annotations

import datetime as dt
import xml.etree.ElementTree as ET

import pytest

from stackproof.reporting.evidence import KnownIssue
from tests.session.conftest import Outcome, Project

LATER = (dt.date.today() + dt.timedelta(days=30)).isoformat()
EARLIER = (dt.date.today() - dt.timedelta(days=1)).isoformat()
URL = "https://tracker.example/ISSUE-12"
TEXT = """
    Feature: F
      Scenario: good
        Given it works
      Scenario: bad
        Given it fails
      Scenario: worse
        Given it raises
      Scenario Outline: row
        Given <step>
        Examples:
          | step     |
          | it works |
          | it fails |
    """


def entry(scenario: str, more: str = "", *, expires: str = LATER, feature: str = "a") -> str:
    return (
        f'[[quarantine]]\nfeature = "{feature}.feature"\nscenario = "{scenario}"\n'
        f'issue = "{URL}"\nexpires = {expires}\nreason = "being worked on"\n{more}\n'
    )


ALL = entry("bad") + entry("worse", 'fails_with = "not a number"')
ALL += entry("row", 'row = { step = "it fails" }')


@pytest.fixture
def made(project: Project) -> Project:
    project.feature("a", TEXT)
    return project


def run(project: Project, quarantine: str, *arguments: str) -> Outcome:
    project.write("quarantine.toml", quarantine)
    return project.run("run", "--no-report", *arguments, program="stackproof")


def test_what_fails_as_known_fails_no_run_and_passes_nowhere(made: Project) -> None:
    outcome = run(made, ALL)
    assert outcome.code == 0, outcome.text
    assert "5 scenarios in" in outcome.out
    assert "2 passed, 3 quarantined" in outcome.out
    assert f"quarantined, failing as known: {URL} until {LATER}: being worked on" in outcome.out
    assert "everything passed but what is quarantined" in outcome.out
    bad = outcome.scenario("bad")
    assert (bad["verdict"], bad["quarantine"]["state"]) == ("failed", "tolerated")
    assert bad["quarantine"]["issue"] == URL
    result = outcome.allure["bad"]
    assert result["status"] == "failed"
    assert result["statusDetails"]["known"] is True
    assert {"type": "issue", "url": URL, "name": URL} in result["links"]
    labels = {(label["name"], label["value"]) for label in result["labels"]}
    assert {("tag", "quarantined"), ("category", "known issue")} <= labels
    xml = ET.parse(outcome.directory / "junit" / "stackproof.xml").getroot()
    assert (xml.get("failures"), xml.get("errors")) == ("0", "0")
    (case,) = [case for case in xml.iter("testcase") if case.get("name") == "bad"]
    skipped = case.find("skipped")
    assert skipped is not None and URL in skipped.get("message", "")
    assert "one is not two" in (skipped.text or "")


def test_stopping_at_the_first_failure_goes_on_behind_a_known_one(made: Project) -> None:
    assert len(run(made, ALL, "--stop").verdicts) == 5
    assert set(run(made, ALL, "--stop").verdicts.values()) == {"passed", "failed", "broken"}


@pytest.mark.parametrize(
    ("quarantine", "said"),
    [
        (ALL.replace(LATER, EARLIER), f"the quarantine of 'bad' expired on {EARLIER}: {URL}"),
        (ALL + entry("good"), f"it passes, but it is quarantined for {URL}"),
        (ALL + entry("gone"), "there is no such scenario: a.feature: gone"),
        (ALL + entry("x", feature="gone"), "there is no such scenario: gone.feature: x"),
        (ALL.replace("not a number", "lost"), "but it ended in another way"),
        (ALL.replace('fails_with = "not a number"', ""), "but it ended in another way"),
        (ALL.replace('row = { step = "it fails" }', ""), "it passes, but it is quarantined"),
    ],
    ids=["expired", "passes", "no scenario", "no feature", "other text", "breaks", "row passes"],
)
def test_what_fails_the_run(made: Project, quarantine: str, said: str) -> None:
    outcome = run(made, quarantine)
    assert outcome.code == 1, outcome.text
    assert said in outcome.text


def test_a_known_issue_that_passes_is_in_no_report_as_passed(made: Project) -> None:
    outcome = run(made, ALL + entry("good"))
    assert outcome.verdicts["good"] == "failed"
    assert outcome.allure["good"]["status"] == "failed"
    xml = ET.parse(outcome.directory / "junit" / "stackproof.xml").getroot()
    assert xml.get("failures") == "1"


def test_entries_of_features_that_are_not_read_are_left_alone(made: Project) -> None:
    made.feature("b", "Feature: B\n  Scenario: other\n    Given it works\n")
    assert run(made, ALL, "features/b.feature").code == 0


def test_nothing_that_did_not_run_is_tolerated(made: Project) -> None:
    made.environment("def before_all(context): raise OSError('no')\n")
    assert run(made, ALL).code != 0


@pytest.mark.parametrize(
    ("quarantine", "said"),
    [
        ("[[quarantin]]", "did you mean 'quarantine'"),
        ("quarantine = 1", "write [[quarantine]]"),
        ("x", "cannot be read"),
        (entry("bad", "until = 1"), "'until' is no setting"),
        (entry("bad").replace(URL, "ISSUE-12"), "issue must be a link"),
        (entry("bad").replace("reason", "#"), "it lacks reason"),
        (entry("bad", expires=f'"{LATER}"'), "a day without quotes"),
        (entry("bad", expires="2026-12-31T00:00:00"), "a day without quotes"),
        (entry("bad") * 2, "2 entries quarantine the same scenario"),
        (entry("bad", "fails_with = ''"), "fails_with must be a text"),
        (entry("bad", "row = 1"), "row must name cells"),
    ],
)
def test_a_file_that_is_not_understood(made: Project, quarantine: str, said: str) -> None:
    outcome = run(made, quarantine)
    assert (outcome.code, said in outcome.err) == (2, True), outcome.text
    assert "Traceback" not in outcome.text


def test_the_last_day_still_counts() -> None:
    issue = KnownIssue(URL, "2026-12-31", "r")
    assert issue.state("failed", "", dt.date(2026, 12, 31)) == "tolerated"
    assert issue.state("failed", "", dt.date(2027, 1, 1)) == "expired"
    assert issue.state("skipped", "") == "fails otherwise"
