"""The guard before servers that the suite did not start; and that a broken guard is noticed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stackproof import guard
from stackproof.errors import NotSupported, Refused
from stackproof.processes.run import Run
from stackproof.services import service
from stackproof.services.base import Endpoint, Requirement
from stackproof.session.needs import needs, needs_of
from stackproof.session.plan import ScenarioPlan
from stackproof.session.running.clusters import Clusters
from stackproof.settings import load
from stackproof.stack.external import ExternalCluster, ExternalProvider, external_endpoint
from tests.external.broker import SecuredBroker
from tests.external.running import ROOT, watched_run

ADDRESS = "127.0.0.1:9092"
TOML = f'[services.kafka]\nprovider = "external"\nbootstrap_servers = "{ADDRESS}"\n'
FLOODS = "floods the broker with 100,000 messages"


def endpoint_by(directory: Path, toml: str, **environment: str) -> Endpoint:
    (directory / "stackproof.toml").write_text(toml)
    settings = load(directory, environment=environment)
    return external_endpoint(settings, service("kafka"), "kafka-1", {})


class OneEndpoint:
    """A stack of one endpoint; what is dedicated is refused as the external provider does."""

    def __init__(self, endpoint: Endpoint, run: Run, directory: Path):
        self._endpoint = endpoint
        self._provider = ExternalProvider(run, load(directory, environment={}))

    def memory_mb(self, requirement: Requirement) -> int:
        return 0

    def shared(self, requirement: Requirement) -> Endpoint:
        return self._endpoint

    def start(self, requirement: Requirement) -> Endpoint:
        return self._provider.start(service("kafka"), requirement, "kafka-2").endpoint


def provided(
    directory: Path, toml: str, *, destructive: str = "", dedicated: bool = False
) -> dict[str, Endpoint]:
    """What a scenario gets."""
    endpoint = endpoint_by(directory, toml)
    requirement = Requirement("kafka", dedicated=dedicated)
    planned = ScenarioPlan(
        id="s001", feature_index=0, index=0, scenario=None, steps=[],
        requirements={"kafka": requirement}, deadline=60, alone=False,
        destructive={"kafka": destructive} if destructive else {},
    )  # fmt: skip
    stack: Any = OneEndpoint(endpoint, Run("r00000001", directory), directory)
    clusters = Clusters(stack, memory_mb=0, shared=[], freed=lambda: None)
    assert clusters.admit(planned)
    return clusters.provide(planned)


# -- who is allowed ----------------------------------------------------------
@pytest.mark.parametrize(
    ("addresses", "named", "expected"),
    [
        (["a:1"], [], False),
        (["a:1"], ["a:1"], True),
        (["a:1,b:2"], ["a:1"], False),
        (["a:1,b:2"], ["b:2", "a:1"], True),
        (["a:1, b:2"], ["b:2", "a:1", "c:3"], True),
        (["a:1", "b:2"], ["a:1"], False),
        (["a:1"], ["a:2"], False),
        (["a:1"], ["a"], False),
        (["a:1"], ["*"], False),
        (["a:1"], ["aa:1"], False),
        ([], [], False),
        ([], ["a:1"], False),
    ],
)
def test_every_address_must_be_named(
    addresses: list[str], named: list[str], expected: bool
) -> None:
    assert guard.allowed(addresses, named) is expected


def test_the_file_alone_allows(tmp_path: Path) -> None:
    allowing = f'{TOML}allow_destructive = ["{ADDRESS}"]\n'
    assert endpoint_by(tmp_path, allowing).destructive
    assert not endpoint_by(tmp_path, TOML).destructive
    # The file allows an endpoint; a variable that leads elsewhere leads to one not allowed.
    elsewhere = endpoint_by(tmp_path, allowing, KAFKA_BOOTSTRAP_SERVERS="production:9092")
    assert not elsewhere.destructive


def test_the_suites_own_servers_may_suffer_anything() -> None:
    guard.demand(Endpoint("kafka", "kafka-1", "native", {"bootstrap": ADDRESS}), FLOODS)


# -- scenarios ---------------------------------------------------------------
def check_destructive_is_refused(directory: Path) -> None:
    with pytest.raises(Refused) as caught:
        provided(directory, TOML, destructive=FLOODS)
    told = str(caught.value)
    assert ADDRESS in told and FLOODS in told
    assert f'allow_destructive = ["{ADDRESS}"]' in told and "[services.kafka]" in told


def check_breaking_is_refused(directory: Path) -> None:
    for toml in (TOML, f'{TOML}allow_destructive = ["{ADDRESS}"]\n'):
        with pytest.raises(NotSupported, match="no hold on it"):
            provided(directory, toml, dedicated=True)


def check_acting_is_refused(directory: Path) -> None:
    endpoint = endpoint_by(directory, TOML)
    for action in ("crash", "stop", "pause"):
        with pytest.raises(NotSupported, match=action):
            ExternalCluster(service("kafka"), endpoint, "stackproof-").act("kafka-1", action)


CHECKS = (check_destructive_is_refused, check_breaking_is_refused, check_acting_is_refused)


@pytest.mark.parametrize("check", CHECKS)
def test_somebodys_endpoint_is_left_in_peace(check: Callable[[Path], None], tmp_path: Path) -> None:
    check(tmp_path)


def test_what_does_no_harm_runs(tmp_path: Path) -> None:
    assert not provided(tmp_path, TOML)["kafka"].destructive


def test_what_is_allowed_by_name_runs(tmp_path: Path) -> None:
    toml = f'{TOML}allow_destructive = ["{ADDRESS}"]\n'
    assert provided(tmp_path, toml, destructive=FLOODS)["kafka"].destructive


def test_a_step_declares_what_it_does() -> None:
    @needs("kafka", destructive=FLOODS)
    @needs("kafka")
    def step(context: Any) -> None: ...

    assert {need.destructive for need in needs_of(step)} == {"", FLOODS}


# -- a broken guard ----------------------------------------------------------
def _nothing(*_: Any, **__: Any) -> Any:
    return None


def _harmless(*_: Any, **__: Any) -> Exception:
    return RuntimeError("the guard would have let it through")


BROKEN = {
    "nothing is refused": (check_destructive_is_refused, "stackproof.guard.demand", _nothing),
    "everything is allowed": (
        check_destructive_is_refused, "stackproof.guard.allowed", lambda *_: True,
    ),
    "breaking is not refused": (check_breaking_is_refused, "stackproof.guard.no_hold", _harmless),
    "acting is not refused": (
        check_acting_is_refused, "stackproof.stack.external.ExternalCluster.act", _nothing,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_guard_is_noticed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, place, instead = BROKEN[name]
    monkeypatch.setattr(place, instead)
    with pytest.raises((AssertionError, pytest.fail.Exception, RuntimeError)):
        check(tmp_path)


# -- whole runs --------------------------------------------------------------
STEPS = """
from behave import given, then
from stackproof.session.needs import needs
from stackproof.services.kafka import KafkaFixture

@given("a flood")
@needs("kafka", destructive="floods the broker")
def flood(context):
    context.session.use(KafkaFixture).publish
    open("flooded.txt", "w").close()

@given("a drop")
@needs("kafka")
def drop(context):
    assert context.session.use(KafkaFixture).admin.list_topics() is not None

@given("a late flood")
@needs("kafka")
def late(context):
    context.session.demand("kafka", "floods the broker late")
    open("flooded.txt", "w").close()
"""
FEATURE = """
Feature: Floods
  Scenario: Flooding
    Given a flood
  Scenario: Dropping
    Given a drop
  Scenario: Flooding late
    Given a late flood
"""


@pytest.mark.kafka
@pytest.mark.parametrize("allowed", [False, True])
def test_a_flood_in_a_run(broker: SecuredBroker, tmp_path: Path, allowed: bool) -> None:
    project = tmp_path / "project"
    (project / "steps").mkdir(parents=True)
    (project / "features").mkdir()
    (project / "steps" / "floods.py").write_text(STEPS)
    (project / "features" / "floods.feature").write_text(FEATURE)
    for name in ("environment.py", "pyproject.toml"):
        (project / name).write_text((ROOT / name).read_text())
    address = broker.addresses["PLAINTEXT"]
    toml = f'[services.kafka]\nprovider = "external"\nbootstrap_servers = "{address}"\n'
    toml += f'allow_destructive = ["{address}"]\n' if allowed else ""
    (project / "stackproof.toml").write_text(toml)
    run = watched_run(tmp_path, {}, "--no-report", cwd=project)
    verdict = "passed" if allowed else "refused"
    assert run.verdicts == {"Flooding": verdict, "Dropping": "passed", "Flooding late": verdict}
    assert run.code == (0 if allowed else 1), run.output
    assert (project / "flooded.txt").exists() is allowed
    if not allowed:
        assert "this scenario floods the broker\n" in run.output
        assert "this scenario floods the broker late\n" in run.output
        assert f'allow_destructive = ["{address}"]' in run.output
    assert run.left == [] and broker.content() == []
