"""Two systems in one scenario: each step is about the right one, and neither counts the other's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FEATURE = """
@timeout:120
Feature: Two systems

  Scenario: both do their work
    Given the churn pipeline is running
    And the vector stream is running
    When 20 valid vectors are published
    And a message "that is not JSON" is published among 30 valid customers
    And a message "that is truncated" is published among 10 valid vectors
    Then exactly that message is dead-lettered, unchanged, within 30 seconds
    And every valid vector gets one output within 30 seconds
    And every valid customer gets one prediction within 30 seconds
    And exactly that message is dead-lettered, unchanged, within 30 seconds
    And each prediction is keyed like its customer
    And the churn pipeline's lag is zero within 10 seconds
    And the churn pipeline's counters agree within 5 seconds

  Scenario: one is dead
    Given the churn pipeline is running
    And the vector stream is running
    When the vector stream crashes
    And 20 valid vectors are published
    And 10 valid customers are published
    Then every valid customer gets one prediction within 30 seconds
    And every valid vector gets one output within 2 seconds

  Scenario: none was named
    Given a Kafka broker
    When 20 valid vectors are published
    Then every valid vector gets one output within 2 seconds
"""


def test_two_systems_in_one_scenario(tmp_path: Path) -> None:
    for own in ("steps", "environment.py", "contracts", "stackproof.toml", "reference"):
        (tmp_path / own).symlink_to(ROOT / own)
    (tmp_path / "two.feature").write_text(FEATURE)
    run = subprocess.run(
        [sys.executable, "-m", "stackproof", "run", "two.feature", "--no-report",
         "--stack", "native", "--reports", str(tmp_path / "reports")],
        cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "STACKPROOF_CONFIG": ""},
    )  # fmt: skip
    assert run.returncode == 1, run.stdout[-3000:] + run.stderr[-3000:]
    scenarios = json.loads((tmp_path / "reports" / "results.json").read_text())["scenarios"]
    found = {one["name"]: (one["verdict"], one["reason"]) for one in scenarios}
    assert found["both do their work"] == ("passed", "")
    verdict, reason = found["one is dead"]
    assert verdict == "broken"
    assert "no instance of the system vector-stream runs" in reason
    verdict, reason = found["none was named"]
    assert verdict == "broken"
    assert "a system with vectors" in reason
