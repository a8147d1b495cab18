"""Somebody's server broken by its owner's commands, in whole runs: proved, healed, or told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackproof.polling import poll
from stackproof.processes.run import RUN_VARIABLE
from tests.external.owned import OwnedServer, owned
from tests.external.running import ROOT, Watched, watched_run

STEPS = """
from behave import given, then, when
from stackproof import services
from stackproof.faults import Faults
from stackproof.polling import pause
from stackproof.session.needs import needs
from stackproof.services.redis import RedisFixture

def faults(context):
    return context.session.use(Faults, "redis")

@given("a key")
@needs("redis")
def a_key(context):
    context.session.use(RedisFixture).set("key", "value")

@when("the server {fault}")
@needs("redis", dedicated=True)
def broken(context, fault):
    faults(context).begin(fault, "server")

@when("it crashes for good")
@needs("redis", dedicated=True)
def broken_for_good(context):
    faults(context).begin("has crashed", "server", for_good=True)

@then("nothing happens for a while")
def nothing(context):
    open("waiting.txt", "w").close()
    pause(600)

@then("it recovers")
@needs("redis", dedicated=True)
def recovers(context):
    faults(context).heal("server")

@then("keys are kept")
@needs("redis")
def kept(context):
    redis = context.session.use(RedisFixture)
    redis.set("key", "value")
    assert redis.get("key") == "value"
"""
RECOVERS = """
  Scenario: {0}
    Given a key
    When the server {0}
    Then it recovers
    And keys are kept
"""
USES = """
  Scenario: using it
    Given a key
    Then keys are kept
"""
FOR_GOOD = """
  Scenario: for good
    When it crashes for good
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OwnedServer]:
    with owned(tmp_path, "redis", ["server"]) as (server,):
        yield server


class Project:
    """A directory with features of somebody's own, and a server that may be broken."""

    def __init__(self, directory: Path, server: OwnedServer):
        self.place = directory / "project"
        self.directory = directory
        (self.place / "steps").mkdir(parents=True)
        (self.place / "features").mkdir()
        (self.place / "steps" / "breaking.py").write_text(STEPS)
        for name in ("environment.py", "pyproject.toml"):
            (self.place / name).write_text((ROOT / name).read_text())
        self._server = server

    def write(self, scenarios: str, commands: str, *, allowed: bool = True) -> None:
        (self.place / "features" / "breaking.feature").write_text(f"Feature: F\n{scenarios}")
        host, _, port = self._server.address.partition(":")
        may = f'allow_destructive = ["{self._server.address}"]\n' if allowed else ""
        section = f"[services.redis.nodes.server]\n{commands}" if commands else ""
        (self.place / "stackproof.toml").write_text(
            f'[services.redis]\nprovider = "external"\nhost = "{host}"\nport = {port}\n'
            f"{may}{section}"
        )

    def run(self, scenarios: str, commands: str, *, allowed: bool = True, jobs: int = 1) -> Watched:
        self.write(scenarios, commands, allowed=allowed)
        return watched_run(self.directory, {}, "--no-report", "-j", str(jobs), cwd=self.place)


@pytest.fixture
def project(tmp_path: Path, server: OwnedServer) -> Project:
    return Project(tmp_path, server)


def test_each_fault_is_proved_and_healed(project: Project, server: OwnedServer) -> None:
    words = ("has crashed", "is stopped", "is paused")
    scenarios = "".join([*(RECOVERS.format(w) for w in words), USES])
    before = server.pid
    run = project.run(scenarios, server.commands(), jobs=2)
    assert run.verdicts == dict.fromkeys([*words, "using it"], "passed"), run.output
    assert run.code == 0 and run.left == []
    assert server.alive() and server.pid != before


def test_a_kill_that_does_nothing_is_noticed(project: Project, server: OwnedServer) -> None:
    run = project.run(RECOVERS.format("has crashed"), server.commands(kill=["true"]))
    assert run.verdicts == {"has crashed": "broken"}
    assert "the fault had no effect" in run.reasons["has crashed"]
    assert server.alive()


def test_a_start_that_does_nothing_is_noticed(project: Project, server: OwnedServer) -> None:
    run = project.run(RECOVERS.format("has crashed"), server.commands(start=["true"]))
    assert run.verdicts == {"has crashed": "failed"}
    assert "never came" in run.reasons["has crashed"]
    assert "is left broken" in run.output and run.code != 0


def test_a_command_that_fails_is_told(project: Project, server: OwnedServer) -> None:
    fails = ["sh", "-c", "echo no route to host; exit 255"]
    run = project.run(RECOVERS.format("has crashed"), server.commands(kill=fails))
    reason = run.reasons["has crashed"]
    assert "the kill of server of Redis failed" in reason
    assert "exit code 255" in reason and "no route to host" in reason
    assert run.code != 0 and server.alive()


def test_what_a_scenario_leaves_broken_is_healed(project: Project, server: OwnedServer) -> None:
    run = project.run(FOR_GOOD + USES, server.commands(), jobs=2)
    assert run.verdicts == {"for good": "passed", "using it": "passed"}, run.output
    assert run.code == 0 and server.alive()


@pytest.mark.parametrize(
    ("but", "told"),
    [
        (("kill",), "[services.redis.nodes.server] has no kill"),
        (("start",), "[services.redis.nodes.server] has no start"),
    ],
)
def test_what_is_missing_is_named(
    project: Project, server: OwnedServer, but: tuple[str, ...], told: str
) -> None:
    run = project.run(RECOVERS.format("has crashed"), server.commands(*but))
    assert run.verdicts == {"has crashed": "not supported"}, run.output
    assert told in run.reasons["has crashed"] and server.alive()


def test_without_commands_it_is_not_supported(project: Project, server: OwnedServer) -> None:
    run = project.run(RECOVERS.format("has crashed"), "")
    assert run.verdicts == {"has crashed": "not supported"}
    assert "no [services.redis.nodes.NAME]" in run.reasons["has crashed"] and server.alive()


def test_it_must_be_allowed_by_name(project: Project, server: OwnedServer) -> None:
    run = project.run(RECOVERS.format("has crashed"), server.commands(), allowed=False)
    assert run.verdicts == {"has crashed": "refused"}
    assert f'allow_destructive = ["{server.address}"]' in run.reasons["has crashed"]
    assert server.alive()


def test_a_run_that_is_killed_leaves_nothing_broken(
    project: Project, server: OwnedServer, tmp_path: Path
) -> None:
    project.write(f"{FOR_GOOD}    Then nothing happens for a while\n", server.commands())
    environment = {k: v for k, v in os.environ.items() if k != RUN_VARIABLE}
    environment["STACKPROOF_RUNS"] = str(tmp_path / "runs")
    (tmp_path / "runs").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "stackproof", "run", "--reports", str(tmp_path / "reports")],
        cwd=project.place, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        waiting = project.place / "waiting.txt"
        poll(waiting.exists, within=120, awaiting="the server to be broken")
        assert not server.alive()
        (journal,) = (tmp_path / "runs").glob("*/*/broken-nodes.json")
        assert len(json.loads(journal.read_text())) == 1
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    poll(server.alive, within=60, awaiting="the watcher to have it started again")
    poll(lambda: not journal.exists(), within=60, awaiting="the run to be cleared away")
