"""Each outcome that features assert, asserted before anything was done: told so, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from behave.parser import parse_feature

ROOT = Path(__file__).resolve().parents[2]
BACKGROUNDS = {
    "cache": "Given a Redis server",
    "queues": "Given a RabbitMQ broker",
    "messaging": "Given a Kafka broker",
    "faults": "Given a Kafka broker",
    "streams": "Given a Kafka broker",
}
#: Outcomes that hold, or are refused by a server, without anything before them.
NEEDS_NOTHING = (
    "the broker accepts connections", "the admin API lists", "the cluster metadata names",
    "the key ", "for 1 second the key ",
)  # fmt: skip


def outcomes(area: str) -> dict[str, str]:
    """The steps that come after Then in the features of an area, once each, with their tables."""
    found: dict[str, str] = {}
    for file in sorted((ROOT / "features" / area).glob("*.feature")):
        feature = parse_feature(file.read_text(), filename=str(file))
        for scenario in feature.walk_scenarios():
            for step in scenario.all_steps:
                if step.step_type == "then" and step.name not in found:
                    rows = [step.table.headings, *step.table] if step.table else []
                    table = "\n".join(f"      | {' | '.join(row)} |" for row in rows)
                    text = [f"      {line}" for line in (step.text or "").splitlines()]
                    doc = "\n".join(['      """', *text, '      """', ""]) if step.text else ""
                    found[step.name] = f"    Then {step.name}\n{doc}{table}".rstrip()
    return found


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What became of each outcome that stands alone, by its text."""
    place = tmp_path_factory.mktemp("early")
    for own in ("steps", "environment.py"):
        (place / own).symlink_to(ROOT / own)
    files = []
    for area, given in BACKGROUNDS.items():
        lines = [f"@timeout:60\nFeature: {area}, too early"]
        for number, (name, step) in enumerate(outcomes(area).items(), 1):
            lines.append(f"  Scenario: {area} {number} {name}\n    {given}\n{step}")
        files.append(place / f"{area}.feature")
        files[-1].write_text("\n".join(lines) + "\n")
    run = subprocess.run(
        [sys.executable, "-m", "stackproof", "run", *map(str, files), "--no-report",
         "--stack", "native", "--reports", str(place / "reports")],
        cwd=ROOT, capture_output=True, text=True, timeout=900, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert run.returncode == 1, run.stdout[-3000:] + run.stderr[-3000:]
    scenarios = json.loads((place / "reports" / "results.json").read_text())["scenarios"]
    return {scenario["name"]: scenario for scenario in scenarios}


def test_each_outcome_that_comes_too_early_says_so(results: dict[str, dict[str, Any]]) -> None:
    assert len(results) > 60
    wrong = {
        name: f"{found['verdict']} {found['category']}: {found['reason']}"
        for name, found in results.items()
        if found["category"] not in ("premise", "not supported")
        and not name.split(" ", 2)[2].startswith(NEEDS_NOTHING)
    }
    assert not wrong, "\n\n".join(f"{name}\n{told}" for name, told in wrong.items())


def test_none_of_them_ends_with_a_traceback(results: dict[str, dict[str, Any]]) -> None:
    assert [n for n, found in results.items() if found["category"] == "suite"] == []
