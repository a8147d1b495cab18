"""What Kafka's probe finds out, on three real brokers of which one is broken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stackproof.actions import Crash, CutPeers, JoinPeers, Start
from stackproof.errors import Trouble
from stackproof.polling import poll
from stackproof.services.base import Requirement
from stackproof.services.kafka import Kafka
from stackproof.services.kafka.probe import KafkaProbe
from stackproof.services.probe import AcceptsWrites, Carries, Probe, SeesPeers
from stackproof.stack.harm import packets
from stackproof.stack.native import NativeCluster
from tests.native import native

pytestmark = pytest.mark.kafka
KAFKA = Kafka()
NODES = ("broker-1", "broker-2", "broker-3")
WITHIN = 60.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeCluster]:
    place = tmp_path_factory.mktemp("probed")
    with native(place, time_factor=3) as provider:
        provider.obtain(KAFKA, lambda _: None)
        three = Requirement("kafka", (("brokers", 3),), dedicated=True)
        yield provider.start(KAFKA, three, "kafka-1")


@pytest.fixture
def probe(cluster: NativeCluster) -> KafkaProbe:
    return KafkaProbe(cluster.endpoint, timeout=10)


def test_it_offers_what_faults_prove_themselves_by(probe: KafkaProbe) -> None:
    assert isinstance(probe, SeesPeers) and isinstance(probe, AcceptsWrites)
    assert isinstance(probe, Carries)
    offered: Probe = probe
    offered.healthy()
    for node in NODES:
        probe.answers(node)
        probe.seen_by_peers(node)
        probe.carries(node, 10_000)


def test_what_it_writes_does_not_stay(probe: KafkaProbe, cluster: NativeCluster) -> None:
    for node in NODES:
        probe.accepts_writes(node)
    poll(
        lambda: KAFKA.unlike_new(cluster.endpoint, timeout=10),
        until=lambda found: found is None, within=WITHIN, awaiting="it to be as good as new",
    )  # fmt: skip


def test_roles_are_held_by_whom_all_agree_on(probe: KafkaProbe, cluster: NativeCluster) -> None:
    from confluent_kafka.admin import NewTopic

    from stackproof.services.kafka.client.librdkafka import admin_client

    admin = admin_client(cluster.endpoint.addresses, timeout=20)
    admin.create_topics([NewTopic("held", 1, replica_assignment=[[3, 2, 1]])])["held"].result()

    def held(role: str) -> str | None:
        return poll(lambda: probe.holder(role), within=WITHIN, awaiting=role)

    assert held("controller") in NODES
    assert held("leader of held/0") == "broker-3"
    assert held("coordinator of readers") in NODES
    assert probe.holder("leader of nothing/0") is None
    with pytest.raises(ValueError, match="holds 'king'"):
        probe.holder("king")
    poll(lambda: KAFKA.clear(cluster.endpoint), until=lambda _: True, within=WITHIN,
         awaiting="what was made to be removed", retry_on=(Trouble,))  # fmt: skip


def test_one_that_has_crashed_is_missed_and_another_takes_over(
    probe: KafkaProbe, cluster: NativeCluster
) -> None:
    holder = poll(lambda: probe.holder("controller"), within=WITHIN, awaiting="a controller")
    assert holder is not None
    instance = f"kafka-1-{holder}"
    cluster.act(instance, Crash())
    with pytest.raises(OSError, match="refused"):
        probe.answers(holder)
    with pytest.raises(OSError, match="refused"):
        probe.accepts_writes(holder)

    def missed() -> str:
        try:
            probe.seen_by_peers(holder)
        except KAFKA.unready as error:
            return str(error)
        return ""

    assert "the others see it" in poll(missed, within=WITHIN, awaiting="it to be missed")
    successor = poll(
        lambda: probe.holder("controller"), until=lambda now: now not in (None, holder),
        within=WITHIN, awaiting="a successor",
    )  # fmt: skip
    assert successor in NODES
    cluster.act(instance, Start())
    poll(missed, until=lambda told: not told, within=WITHIN, awaiting="it to be back")


@pytest.mark.skipif(packets.unusable() is not None, reason=packets.unusable() or "")
def test_one_that_is_cut_off_answers_and_is_missed(
    probe: KafkaProbe, cluster: NativeCluster
) -> None:
    cluster.act("kafka-1-broker-2", CutPeers())
    try:
        with pytest.raises(KAFKA.unready, match="the others see it"):
            poll(lambda: probe.seen_by_peers("broker-2"), until=lambda _: False, within=WITHIN,
                 awaiting="it to be missed")  # fmt: skip
        probe.answers("broker-2")
    finally:
        cluster.act("kafka-1-broker-2", JoinPeers())
