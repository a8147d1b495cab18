"""One real run with a pipeline that is late, stalled, lossy, dead; and premises that fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: In the order of `tests.systems.variants.VARIANTS`.
FEATURE = """
@timeout:150
Feature: Verdicts
  Background:
    Given a Kafka broker
    And the churn pipeline is running

  Scenario: late
    When 500 valid customers are published
    Then every valid customer gets one prediction within 6 seconds

  Scenario: stalled
    When 50 valid customers are published
    Then every valid customer gets one prediction within 6 seconds

  Scenario: lost
    When 100 valid customers are published
    Then every valid customer gets one prediction within 120 seconds

  Scenario: dead
    When 100 valid customers are published
    Then every valid customer gets one prediction within 120 seconds

  Scenario: not in the middle
    When 50 valid customers are published
    And the churn pipeline crashes after 50 predictions
    Then every valid customer gets one prediction within 60 seconds

  Scenario: too few
    When 50 valid customers are published
    And the churn pipeline crashes after 300 predictions
    Then every valid customer gets one prediction within 60 seconds

  Scenario: nobody runs
    When valid customers keep arriving
    And the churn pipeline crashes after 50 predictions
    Then every valid customer gets one prediction within 120 seconds
"""
EXPECTED = {
    "late": ("failed", "late", "late: "),
    "stalled": ("failed", "stalled", "stalled: 40 of 50 predictions after "),
    "lost": ("failed", "product", "2 lost"),
    "dead": ("failed", "product", "ended with exit code 7"),
    "not in the middle": ("broken", "premise", "premise: the instance was not in the middle"),
    "too few": ("broken", "premise", "premise: the instance was not in the middle"),
    "nobody runs": ("broken", "premise", "premise: no instance of the system churn-pipeline runs"),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What became of each scenario, by its name."""
    place = tmp_path_factory.mktemp("verdicts")
    for own in ("steps", "environment.py", "contracts"):
        (place / own).symlink_to(ROOT / own)
    (place / "verdicts.feature").write_text(FEATURE)
    settings = (ROOT / "stackproof.toml").read_text()
    settings = settings.replace(
        '"reference.churn_pipeline",', '"tests.systems.variants", "{scenario}",'
    ).replace('directory = "."', f'directory = "{ROOT.as_posix()}"')
    (place / "stackproof.toml").write_text(settings)
    run = subprocess.run(
        [sys.executable, "-m", "stackproof", "run", str(place / "verdicts.feature"),
         "--no-report", "--stack", "native", "-j", "2", "--reports", str(place / "reports")],
        cwd=place, capture_output=True, text=True, timeout=900, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert run.returncode == 1, run.stdout[-3000:] + run.stderr[-3000:]
    scenarios = json.loads((place / "reports" / "results.json").read_text())["scenarios"]
    return {scenario["name"]: scenario for scenario in scenarios}


@pytest.mark.parametrize("name", EXPECTED)
def test_verdict(name: str, results: dict[str, dict[str, Any]]) -> None:
    verdict, category, said = EXPECTED[name]
    found = results[name]
    assert (found["verdict"], found["category"]) == (verdict, category), found["reason"]
    assert said in found["reason"]


@pytest.mark.parametrize("name", ["late", "stalled"])
def test_what_may_still_come_is_not_called_lost(
    name: str, results: dict[str, dict[str, Any]]
) -> None:
    assert "lost" not in results[name]["reason"].lower()


@pytest.mark.parametrize("name", ["lost", "dead"])
def test_waiting_ends_as_soon_as_it_is_settled(
    name: str, results: dict[str, dict[str, Any]]
) -> None:
    assert results[name]["seconds"] < 100, "its limit is 120 seconds"
