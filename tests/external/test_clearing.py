"""What a run created on somebody's broker is removed; what it did not create is not touched."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaConsumer

from stackproof.cli import main
from stackproof.errors import Trouble
from stackproof.polling import poll
from stackproof.processes.run import Run
from stackproof.services import service
from stackproof.services.base import Leftover
from stackproof.services.kafka import Kafka
from stackproof.settings import load
from stackproof.stack.external import ExternalCluster
from tests.external.broker import SecuredBroker
from tests.external.conftest import access_by, endpoint_at
from tests.external.running import ROOT, watched_run

pytestmark = pytest.mark.kafka

Topics = Callable[..., None]
DEAD = "r00000009"
FOREIGN = ("orders", "stackproof-orders", "stackproof-r1-s001-a", f"stackproofs-{DEAD}-s001-a")


@pytest.fixture
def topics(broker: SecuredBroker) -> Iterator[Topics]:
    """Creates topics as the broker's owner; all are gone with the test."""
    with broker.owner() as admin:
        made: list[str] = []

        def create(*names: str) -> None:
            made.extend(names)
            admin.create_topics({n: {"num_partitions": 1, "replication_factor": 1} for n in names})
            broker.content()  # until they show

        yield create
        admin.delete_topics([n for n in made if n in admin.list_topics()])


def member_of(broker: SecuredBroker, group: str, topic: str) -> KafkaConsumer:
    """A living member of a group, with a commit."""
    consumer = KafkaConsumer(
        topic, bootstrap_servers=broker.addresses["PLAINTEXT"], group_id=group,
        session_timeout_ms=45000,
    )  # fmt: skip
    try:
        # One that joins without knowing its topic's partitions is assigned nothing, for good.
        poll(lambda: consumer.partitions_for_topic(topic), within=60, awaiting="the partitions")
        poll(
            lambda: (consumer.poll(timeout_ms=100), consumer.assignment())[1],
            within=60,
            awaiting="an assignment",
        )
        consumer.commit()
    except BaseException:
        consumer.close(autocommit=False)
        raise
    return consumer


def test_leftovers_by_prefix(broker: SecuredBroker, topics: Topics) -> None:
    mine = f"stackproof-{DEAD}-s001-a"
    topics(mine, *FOREIGN)
    endpoint = endpoint_at(broker, "PLAINTEXT", access_by(broker, "", tls=False))
    consumer = member_of(broker, f"stackproof-{DEAD}-s001-g", mine)
    try:
        found = service("kafka").leftovers(endpoint, f"stackproof-{DEAD}-")
        assert [(x.kind, x.name, x.in_use) for x in found] == [
            ("group", f"stackproof-{DEAD}-s001-g", True),
            ("topic", mine, False),
        ]
        # A member that was killed is still one for 45 s: it is made to leave.
        service("kafka").remove(endpoint, found)
    finally:
        consumer.close(autocommit=False)
    assert broker.content() == sorted(FOREIGN)
    service("kafka").remove(endpoint, found)  # gone: as good as removed


def test_a_run_removes_its_own_and_nothing_else(broker: SecuredBroker, topics: Topics) -> None:
    other = "stackproof-r00000008-s001-a"
    topics(f"stackproof-{DEAD}-s001-a", f"stackproof-{DEAD}-s002-b", other, *FOREIGN)
    endpoint = endpoint_at(broker, "SECURED", access_by(broker, "SCRAM-SHA-512"))
    ExternalCluster(Kafka(), endpoint, f"stackproof-{DEAD}-").stop()
    assert broker.content() == sorted([other, *FOREIGN])


def test_what_may_not_be_removed_is_told(broker: SecuredBroker, topics: Topics) -> None:
    """The suite's user has rights on its prefix alone."""
    topics("stackproof-a", "somebodys")
    endpoint = endpoint_at(broker, "SECURED", access_by(broker, "PLAIN"))
    items = [Leftover("topic", "somebodys"), Leftover("topic", "stackproof-a")]
    with pytest.raises(Trouble, match=r"1 of 2 .* could not be removed") as caught:
        Kafka().remove(endpoint, items)
    assert re.search(r"somebodys: .*TopicAuthorizationFailedError", str(caught.value))
    assert broker.content() == ["somebodys"]


# -- stackproof clean --------------------------------------------------------
@pytest.fixture
def pointed(broker: SecuredBroker, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment points at somebody's broker."""
    monkeypatch.setenv("STACK", "external")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker.addresses["PLAINTEXT"])


def test_clean_removes_what_dead_runs_left(
    broker: SecuredBroker, topics: Topics, pointed: None, capsys: pytest.CaptureFixture
) -> None:
    topics(f"stackproof-{DEAD}-s001-a", *FOREIGN)
    assert main(["clean", "--yes"]) == 0
    printed = capsys.readouterr().out
    assert f"1 topic of {DEAD}" in printed and "kafka: 1 removed" in printed
    assert broker.content() == sorted(FOREIGN)
    assert main(["clean", "kafka", "--yes"]) == 0
    assert "nothing is left of interrupted runs" in capsys.readouterr().out


def test_clean_spares_living_runs(
    broker: SecuredBroker, topics: Topics, pointed: None, capsys: pytest.CaptureFixture
) -> None:
    run = Run.begin()
    kept = Run.begin()
    kept.write_state(kept=True, owner=2**30)
    kept.end()  # its owner is gone
    busy = "r00000007"
    spared = [f"stackproof-{id_}-s001-a" for id_ in (run.id, kept.id, busy)]
    topics(f"stackproof-{DEAD}-s001-a", *spared)
    consumer = member_of(broker, f"stackproof-{busy}-s001-g", spared[2])
    try:
        assert main(["clean", "--yes"]) == 0
        assert broker.content() == sorted([*spared, f"stackproof-{busy}-s001-g"])
        printed = capsys.readouterr().out
        assert f"run {run.id} is at work: spared" in printed
        assert f"run {kept.id} was left up" in printed
        assert f"run {busy} is in use: spared" in printed
    finally:
        consumer.close(autocommit=False)
        run.end()
        with broker.owner() as admin:
            admin.delete_groups([f"stackproof-{busy}-s001-g"])


def test_clean_asks(
    broker: SecuredBroker, topics: Topics, pointed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = f"stackproof-{DEAD}-s001-a"
    topics(left)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "")
    assert main(["clean"]) == 0
    assert broker.content() == [left]
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    assert main(["clean"]) == 0
    assert broker.content() == []


def test_clean_knows_other_prefixes(
    broker: SecuredBroker, topics: Topics, pointed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics(f"ci-7-{DEAD}-s001-a", f"stackproof-{DEAD}-s001-a")
    monkeypatch.setenv("STACKPROOF_PREFIX", "ci-7")
    assert main(["clean", "--yes"]) == 0
    assert broker.content() == [f"stackproof-{DEAD}-s001-a"]


@pytest.mark.parametrize(
    ("arguments", "stack", "told"),
    [
        (["clean", "kafka"], "native", "kafka is not provided as an external endpoint"),
        (["clean", "--yes"], "native", "no external endpoint"),
        (["clean", "kafak"], "external", "no service is called 'kafak'"),
    ],
)
def test_clean_keeps_away_from_what_is_not_external(
    pointed: None, arguments: list[str], stack: str, told: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setenv("STACK", stack)
    assert main(arguments) == 2
    assert told in capsys.readouterr().err


# -- whole runs --------------------------------------------------------------
FEATURE = ("features/messaging/consumer_groups.feature", "--no-report", "--stack", "external")


def interrupt(broker: SecuredBroker, directory: Path, how: signal.Signals) -> dict[str, str]:
    """End a run in the middle of its work; its environment."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("STACK", "KAFKA_"))}
    env = {**own, "STACKPROOF_RUNS": str(directory), "STACK": "external",
           "KAFKA_BOOTSTRAP_SERVERS": broker.addresses["PLAINTEXT"]}  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "stackproof", "run", *FEATURE[:2], "--reports", str(directory)],
        cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        poll(broker.content, within=60, awaiting="the run's first topic")
        process.send_signal(how)
        code = process.wait(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert code == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[how]
    return env


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_removes_its_own(
    broker: SecuredBroker, tmp_path: Path, how: signal.Signals
) -> None:
    interrupt(broker, tmp_path, how)
    assert broker.content() == []


def test_a_killed_run_leaves_what_clean_finds(broker: SecuredBroker, tmp_path: Path) -> None:
    env = interrupt(broker, tmp_path, signal.SIGKILL)
    left = broker.content()
    assert left and all(name.startswith("stackproof-r") for name in left)
    # Its workers end, and its members leave or time out.
    poll(
        lambda: subprocess.run(
            [sys.executable, "-m", "stackproof", "clean", "--yes"],
            cwd=ROOT, env=env, capture_output=True, text=True, timeout=120,
        ),
        until=lambda done: done.returncode == 0 and "removed" in done.stdout,
        within=90,
        awaiting="clean to find nobody at work",
        describe=lambda done: done.stdout + done.stderr,
        longest_pause=2.0,
        first_pause=1.0,
    )  # fmt: skip
    assert broker.content() == []


def test_cleanup_no_leaves_everything(broker: SecuredBroker, tmp_path: Path) -> None:
    run = watched_run(
        tmp_path, {"KAFKA_BOOTSTRAP_SERVERS": broker.addresses["PLAINTEXT"],
                   "INTEGRATION_TEST_CLEANUP": "no"}, *FEATURE,
    )  # fmt: skip
    assert run.code == 0, run.output
    left = broker.content()
    with broker.owner() as admin:
        admin.delete_groups([n for n in left if n not in admin.list_topics()])
        admin.delete_topics([n for n in left if n in admin.list_topics()])
    assert any("orders" in name or "s001" in name for name in left), left
    assert "is left up" in run.output


def test_the_default_prefix_is_what_rights_are_granted_on(tmp_path: Path) -> None:
    assert load(tmp_path, environment={})["run.prefix"] == "stackproof"
