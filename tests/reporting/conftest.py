"""Runs behave on small projects and reads what the formatters wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from behave.configuration import Configuration
from behave.formatter.base import StreamOpener
from behave.model_type import Status
from behave.parser import parse_feature

from stackproof.reporting.allure import AllureFormatter
from stackproof.reporting.evidence import ScenarioProof

ROOT = Path(__file__).resolve().parents[2]
STEPS = """
import time
from behave import given, when, then, step, use_step_matcher
from hamcrest import assert_that, equal_to
from stackproof.errors import NotSupported, Refused, Trouble

@step("it works")
def works(context): pass

@step("it takes {milliseconds:d} ms")
def takes(context, milliseconds): time.sleep(milliseconds / 1000)

@step("the count is {actual:d} of {wanted:d}")
def count(context, actual, wanted): assert_that(actual, equal_to(wanted), "predictions")

@step("the kind is {value}")
def it_is(context, value): pass

@step("it raises")
def raises(context): raise ValueError("not a number")

@step("the connection is refused")
def refuses(context): raise ConnectionRefusedError("nobody listens")

@step("it is not possible here")
def impossible(context): raise NotSupported("no partitions", "native has one host", "use docker")

@step("it must not be done")
def must_not(context): raise Refused("would stop a shared broker")

@step("the service is down")
def down(context): raise Trouble("kafka did not start", "port taken", "free it")

@step("the scenario is skipped because {reason}")
def skips(context, reason): context.scenario.skip(reason)

@step("the scenario is skipped")
def skips_silently(context): context.scenario.skip()

@step("a cleanup fails")
def cleanup(context):
    def remove_topic(): raise RuntimeError("topic is stuck")
    context.add_cleanup(remove_topic)

@step("a secret is printed")
def leak(context):
    print("connecting to amqp://app:hunter22@localhost/")
    raise ValueError("login failed: password=hunter22")
"""


@dataclass
class Run:
    """One finished behave process and the results it left."""

    returncode: int
    output: str
    folder: Path
    results: dict[str, dict[str, Any]] = field(default_factory=dict)

    def attachment(self, source: str) -> str:
        return (self.folder / source).read_text(encoding="utf-8")


def run_behave(
    folder: Path,
    features: dict[str, str],
    *arguments: str,
    environment: str = "",
    formatter: str = "stackproof.reporting.allure:AllureFormatter",
    output: str = "results",
    env: dict[str, str] | None = None,
) -> Run:
    """Runs plain behave in ``folder`` on the given feature files, in a process of its own."""
    (folder / "steps").mkdir(parents=True, exist_ok=True)
    (folder / "steps" / "all.py").write_text(STEPS)
    (folder / "environment.py").write_text(textwrap.dedent(environment))
    (folder / "behave.ini").write_text("[behave]\n")  # none of the machine's own configuration
    for name, text in features.items():
        path = folder / "features" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    command = [sys.executable, "-m", "behave", "-f", formatter, "-o", output]
    if not any(not argument.startswith("-") for argument in arguments):
        command.append("features")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("STACKPROOF", "BEHAVE"))}
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env={**clean, "PYTHONPATH": str(ROOT), **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    run = Run(done.returncode, done.stdout + done.stderr, folder / output)
    assert "Exception " not in run.output, run.output
    if run.folder.is_dir():
        run.results = read_results(run.folder)
    return run


def read_results(folder: Path) -> dict[str, dict[str, Any]]:
    """All Allure results of a directory by name; a name must not occur twice."""
    results: dict[str, dict[str, Any]] = {}
    for path in folder.glob("*-result.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        assert result["name"] not in results, f"two results for {result['name']}"
        results[result["name"]] = result
    return results


def labels(result: dict[str, Any], name: str) -> list[str]:
    return [label["value"] for label in result["labels"] if label["name"] == name]


def message(result: dict[str, Any]) -> str:
    return result.get("statusDetails", {}).get("message", "")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for a behave project, shared by a module's tests."""
    return tmp_path_factory.mktemp("project")


def make_config(*arguments: str, base_dir: str = ".") -> Configuration:
    """behave's configuration without any file or terminal of this machine."""
    config = Configuration([*arguments, "--no-color"], load_config=False)
    config.base_dir = base_dir
    return config


def parse(text: str, path: str = "features/messaging/demo.feature") -> Any:
    """A feature of behave's model, not yet run."""
    return parse_feature(textwrap.dedent(text), filename=path)


def end_scenario(scenario: Any, failing: int | None = None, error: str = "") -> None:
    """Sets the statuses that a run would have left; steps after ``failing`` are skipped."""
    for index, step in enumerate(scenario.all_steps):
        step.duration = 0.25
        step.set_status(Status.passed)
        if failing is not None and index >= failing:
            step.set_status(Status.failed if index == failing else Status.skipped)
            step.duration = 0.25 if index == failing else 0.0
            step.error_message = f"ASSERT FAILED: {error}" if index == failing else None
    scenario.clear_status()


def replay(formatter: Any, scenario: Any) -> None:
    """Tells a formatter of a scenario as Stackproof's runner does."""
    formatter.feature(scenario.feature)
    formatter.scenario(scenario)
    for step in scenario.all_steps:
        formatter.step(step)
    for step in scenario.all_steps:
        if not step.status.is_untested():
            formatter.result(step)
    formatter.scenario_finished(scenario)


class Allure:
    """A formatter under test and the directory it writes to."""

    def __init__(self, folder: Path, *arguments: str, base_dir: str = "."):
        self.folder = folder / "results"
        self.config = make_config(*arguments, base_dir=base_dir)
        self.formatter = AllureFormatter(StreamOpener(str(self.folder)), self.config)

    def results(self) -> dict[str, dict[str, Any]]:
        return read_results(self.folder)


@pytest.fixture
def allure(tmp_path: Path) -> Allure:
    return Allure(tmp_path)


FAILING = """
    Feature: F
      Background:
        Given a broker
      Scenario: Complete
        When 100 messages are sent
        Then 100 predictions are received
        And the group is empty
"""


def failing(**proof: Any) -> Any:
    scenario = parse(FAILING).scenarios[0]
    end_scenario(scenario, failing=2, error="7 lost")
    scenario.proof = ScenarioProof(100.0, 103.5, verdict="failed", **proof)
    return scenario
