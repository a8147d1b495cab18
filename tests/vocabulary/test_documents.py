"""What docs/vocabulary.md shows works as it stands, and so does the example written with it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest

ROOT = Path(__file__).parents[2]
ORDERS = ROOT / "examples" / "orders"


def run(place: Path, *arguments: str, config: Path | None = None) -> dict[str, tuple[str, str]]:
    """Run features on real servers; verdict and reason of each scenario."""
    environment = {**os.environ, "STACKPROOF_RUNS": str(place)}
    if config:
        environment["STACKPROOF_CONFIG"] = str(config)
    done = subprocess.run(
        [sys.executable, "-m", "stackproof", "run", *arguments, "--stack", "native", "--no-report",
         "--reports", str(place / "reports")],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    try:
        found = json.loads((place / "reports" / "results.json").read_text())["scenarios"]
    except FileNotFoundError:
        pytest.fail(done.stdout + done.stderr)
    return {one["name"]: (one["verdict"], one["reason"] + one["trace"]) for one in found}


def test_every_example_of_the_document_passes(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "vocabulary.md").read_text()
    scenarios = re.findall(r"```gherkin\n(.*?)```", text, re.DOTALL)
    for name in ("steps", "environment.py"):
        (tmp_path / name).symlink_to(ROOT / name)
    feature = tmp_path / "document.feature"
    feature.write_text("Feature: docs/vocabulary.md\n\n" + "\n".join(scenarios))
    found = run(tmp_path, str(feature))
    assert found == dict.fromkeys(found, ("passed", ""))
    assert len(found) == len(scenarios) >= 4


def test_the_order_pipeline_passes(tmp_path: Path) -> None:
    found = run(tmp_path, str(ORDERS / "features"), config=ORDERS / "stackproof.toml")
    assert found == dict.fromkeys(found, ("passed", ""))
    assert len(found) == 5


@pytest.mark.parametrize(
    ("right", "wrong", "scenario", "told"),
    [
        ("ON CONFLICT DO NOTHING", "ON CONFLICT (\"order\") DO UPDATE SET total = 0",
         "An order that comes twice gets one invoice", "2 such messages"),
        ('item["count"] * Decimal(item["price"])', 'Decimal(item["count"] * float(item["price"]))',
         "An order gets its invoice", "$.total: expected 20.20, found 20."),
        ('"original": original,', '"original": (original or "").strip(),',
         "An order whose count is wrong is rejected as it came", "$.original: expected"),
    ],
    ids=["invoices twice", "rounds", "strips"],
)  # fmt: skip
def test_a_broken_order_pipeline_fails(
    tmp_path: Path, right: str, wrong: str, scenario: str, told: str
) -> None:
    """A copy of the pipeline with one thing wrong; its feature tells what."""
    copytree(ORDERS, tmp_path / "orders")
    program = tmp_path / "orders" / "order_pipeline.py"
    assert right in program.read_text()
    program.write_text(program.read_text().replace(right, wrong))
    found = run(
        tmp_path, str(ORDERS / "features"), "--name", f"^{scenario}$",
        config=tmp_path / "orders" / "stackproof.toml",
    )  # fmt: skip
    verdict, reason = found[scenario]
    assert verdict == "failed"
    assert told in reason


def test_every_step_of_the_table_is_defined(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "vocabulary.md").read_text()
    listed = re.findall(r"^\| `((?:Given|When|Then) .*?)`", text, re.MULTILINE)
    for name in ("steps", "environment.py"):
        (tmp_path / name).symlink_to(ROOT / name)
    steps = "\n    ".join(listed)
    (tmp_path / "table.feature").write_text(f"Feature: table\n\n  Scenario: all\n    {steps}\n")
    done = subprocess.run(
        [sys.executable, "-m", "stackproof", "run", "--plan", str(tmp_path / "table.feature")],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(listed) == 17
