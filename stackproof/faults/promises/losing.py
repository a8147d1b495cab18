"""Where acknowledged messages may be lost: they are lost for certain, and the loss is counted.

A scenario that merely may lose something proves nothing by losing nothing. Here the copies
that a message had when it was acknowledged are taken away, all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from stackproof.actions import JoinPeers
from stackproof.errors import PremiseNotMet
from stackproof.faults.brokers import Brokers
from stackproof.faults.peers import PeerCut
from stackproof.faults.processes import Crash, NodeFault, Pause
from stackproof.faults.promises.finding import show_found
from stackproof.faults.roles import LEADER, Roles
from stackproof.faults.storage import PowerLoss
from stackproof.polling import poll
from stackproof.services.kafka.client import Message, TopicSpec
from stackproof.services.kafka.known import node_of
from stackproof.texts import counted

if TYPE_CHECKING:
    from stackproof.faults.kafka import Kafka
    from stackproof.history import FlowVerdict
    from stackproof.services.kafka.client import Publisher
    from stackproof.session.scenario import ScenarioSession

#: Messages published before the fault, in the time when they are bound to be lost, and after
#: it: more, so that they take the offsets of all that was lost.
BEFORE, DOOMED, AFTER = 50, 100, 400
_PUBLISHED_WITHIN = 30.0
_LEADER_WITHIN = 30.0


class CrashInIsolation(Crash):
    """A crash of a broker that is cut off; it is started when it can reach its peers again."""

    kind = "crash in isolation"

    def _mend(self) -> None:
        self._act(JoinPeers())
        super()._mend()


class Losing:
    """Publishes to a topic, and has the cluster lose what it has acknowledged meanwhile.

    Args:
        session: the scenario.
        kafka: its cluster; it must be dedicated.
        topic: as the scenario's text calls it; made here, with one partition.
    """

    def __init__(self, session: ScenarioSession, kafka: Kafka, topic: str):
        self._session = session
        self._kafka = kafka
        self.topic = topic
        self._real = kafka.own(topic)
        self._published = 0
        self._expected: tuple[str, ...] = ()
        self._at_most = DOOMED

    def run(self, words: str) -> None:
        """Lose messages in one of the ways of `WAYS` and `POWER_WAYS`.

        Raises:
            NoEffect, NotHealed: see `Fault`.
            PremiseNotMet: what had to be acknowledged was not.
        """
        {**WAYS, **POWER_WAYS}[words](self)

    # -- the ways ------------------------------------------------------------
    def hanging(self) -> None:
        """acks=0: what a hanging broker's connection has taken dies with the broker."""
        leader, producer = self._begin(acks=0)
        pause = Pause(self._session, "kafka", node_of(leader)).begin()
        self._doom(producer)
        self._pass_through(Crash(self._session, "kafka", node_of(leader)), pause)
        # Nobody told their offsets: that they are missing is all that can be known.
        self._end("lost", "unseen")

    def isolated(self) -> None:
        """acks=1: a leader that is cut off is replaced, and then crashes with its records."""
        self._session.leaves_traces("kafka", "a deposed leader has lost its writes")
        leader, producer = self._begin(acks=1)
        cut = PeerCut(self._session, "kafka", node_of(leader)).begin()
        self._await_leader(lambda now: now not in (leader, -1), leader, "to be another broker")
        self._doom(producer)
        self._pass_through(CrashInIsolation(self._session, "kafka", node_of(leader)), cut)
        self._end("lost", "lost-write")

    def unclean(self) -> None:
        """acks=all of one: the only copy's broker crashes, and one without it may lead."""
        self._session.leaves_traces("kafka", "an unclean leader was elected")
        leader, producer = self._begin(
            replicas=2,
            config={"unclean.leader.election.enable": "true", "min.insync.replicas": "1"},
            acks="all",
        )
        witness = Brokers(self._session)
        partition = witness.seen_by(leader).partitions[self._real, 0]
        (follower,) = (n for n in partition.replicas if n != leader)
        absent = Crash(self._session, "kafka", node_of(follower)).begin()
        poll(
            lambda: witness.seen_by(leader).partitions[self._real, 0].in_sync,
            until=lambda in_sync: in_sync == (leader,),
            within=self._session.scaled(_LEADER_WITHIN),
            awaiting=f"broker {leader} to be the only one in sync",
            retry_on=(OSError,),
        )
        self._doom(producer)
        crash = Crash(self._session, "kafka", node_of(leader)).begin()
        absent.heal()
        self._await_leader(lambda now: now == follower, leader, f"to be broker {follower}")
        crash.heal()
        self._end("lost", "lost-write")

    def powerless(self) -> None:
        """acks=all of one, which has not synced: its power goes."""
        leader, producer = self._begin(acks="all")
        self._at_most += BEFORE
        self._doom(producer)
        with PowerLoss(self._session, "kafka", node_of(leader)):
            pass
        self._end("lost", "lost-write")

    # -- what they have in common --------------------------------------------
    def _begin(
        self, replicas: int = -1, config: Mapping[str, str] | None = None, **options: Any
    ) -> tuple[int, Publisher]:
        """Make the topic and publish to it: its leader, and a producer that knows it."""
        kafka = self._kafka
        kafka.create_topics([TopicSpec(self.topic, 1, config or {}, replicas)])
        producer = kafka.new_publisher("producer", enable_idempotence=False, retries=0, **options)
        self._publish(producer, BEFORE)
        # Only what all replicas in sync have counts into the end that clients are told.
        poll(
            lambda: sum(kafka.admin.end_offsets(self._real).values()),
            until=lambda end: end == BEFORE,
            within=self._session.scaled(_PUBLISHED_WITHIN),
            awaiting=f"all replicas to have the first {BEFORE} messages",
        )
        return Roles(self._session, self._real).holder(LEADER), producer

    def _publish(self, producer: Publisher, count: int) -> None:
        first = self._published + 1
        self._published += count
        messages = [
            Message(f"message-{n:05d}".encode(), f"content of {n:05d}".encode())
            for n in range(first, self._published + 1)
        ]
        within = self._session.scaled(_PUBLISHED_WITHIN)
        sent = producer.publish(self._real, messages, within=within)
        if sent.ok != count:
            raise PremiseNotMet(f"of {counted(count, 'message')} that must be acknowledged: {sent}")

    def _doom(self, producer: Publisher) -> None:
        """Publish what is bound to be lost; it must be acknowledged, or nothing is proved."""
        self._session.history.event("note", f"{DOOMED} messages that are bound to be lost")
        self._publish(producer, DOOMED)

    def _pass_through(self, crash: NodeFault, ailment: NodeFault) -> None:
        """Crash a broker that ails, and start it again without its ailment."""
        crash.begin()
        crash.heal()
        ailment.heal()

    def _await_leader(self, right: Callable[[int], bool], not_asked: int, become: str) -> None:
        witness = Brokers(self._session)
        poll(
            lambda: witness.seen_by_others(not_asked).partitions[self._real, 0].leader,
            until=right,
            within=self._session.scaled(_LEADER_WITHIN),
            awaiting=f"the leader {become}",
            retry_on=(OSError,),
        )

    def _end(self, *expected: str) -> None:
        """Publish safely what comes after it."""
        self._expected = expected
        self._publish(self._kafka.new_publisher("afterwards"), AFTER)

    def check(self) -> FlowVerdict:
        """Check that the loss is found, under its names, and is as large as it must be.

        Raises:
            PremiseNotMet: it was not found ("inconclusive").
            AssertionError: something else was.
        """
        kafka = self._kafka
        kafka.final_drain(self._real)
        # Others have the offsets of what was lost: positions that were told twice.
        verdict = self._session.assert_flow(
            kafka.delivery(
                self.topic, guarantee="at-most-once", drained=True,
                expected=self._expected, allowed=("inconsistent-offsets",),
            )
        )  # fmt: skip
        lost = verdict.figures.lost
        if lost < DOOMED:
            raise PremiseNotMet(f"of {DOOMED} messages that are bound to be lost, {lost} were")
        assert lost <= self._at_most, f"{lost} lost; at most {self._at_most} may be"
        show_found(self._session, verdict)
        return verdict


WAYS: dict[str, Callable[[Losing], None]] = {
    "acks=0 by a leader that hangs and then crashes": Losing.hanging,
    "acks=1 by a leader that is cut off and then crashes": Losing.isolated,
    "acks=all by the only replica in sync before an unclean election": Losing.unclean,
}
POWER_WAYS: dict[str, Callable[[Losing], None]] = {
    "acks=all by an unreplicated broker that then loses power": Losing.powerless,
}
