"""Answers that come too late: the producer repeats what the broker has stored already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackproof.faults.clients import Slow
from stackproof.faults.roles import LEADER, Roles
from stackproof.faults.traffic import TRAFFIC, Traffic
from stackproof.faults.words import PRODUCERS
from stackproof.services.kafka.known import node_of

if TYPE_CHECKING:
    from stackproof.faults.kafka import Kafka
    from stackproof.session.scenario import ScenarioSession

#: Later than the producer waits; in time for the witness, which needs an answer to measure.
_LATE_MS, _PATIENCE_MS = 1400, 700
_SOME = 100
_SERVED_WITHIN = 60.0


def publish_through_late_answers(
    session: ScenarioSession, kafka: Kafka, topic: str, producer: str
) -> None:
    """Publish while the leader's answers come later than the producer waits for them.

    What is in flight when they begin to is stored, and repeated for want of an answer.

    Args:
        session: the scenario.
        kafka: its cluster; it must be dedicated and proxied.
        topic: as the scenario's text calls it; of one partition.
        producer: one of `PRODUCERS`.
    """
    traffic = session.keep(
        TRAFFIC,
        Traffic(session, kafka, topic, request_timeout_ms=_PATIENCE_MS, **PRODUCERS[producer]),
    )
    traffic.await_more(_SOME, within=_SERVED_WITHIN, while_="before the fault")
    leader = Roles(session, kafka.own(topic)).holder(LEADER)
    with Slow(session, "kafka", node_of(leader), latency_ms=_LATE_MS, jitter_ms=0):
        pass  # the proof of its effect takes longer than the producer's patience
    traffic.await_more(_SOME, within=_SERVED_WITHIN, while_="after the healing")
