"""Where acknowledged messages may be lost: they are lost for certain, and the loss is counted.

A scenario that merely may lose something proves nothing by losing nothing. There the copies that a
message had when it was acknowledged are taken away, all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackproof.errors import PremiseNotMet, step_missing
from stackproof.faults.promises.finding import show_found
from stackproof.polling import poll
from stackproof.services.kafka.client import Message
from stackproof.texts import counted

if TYPE_CHECKING:
    from stackproof.faults.kafka import Kafka
    from stackproof.history import FlowVerdict
    from stackproof.services.kafka.client import Publisher
    from stackproof.session.scenario import ScenarioSession

_WITHIN = 30.0


class Losing:
    """A producer that sends each message once, and what became of the last that it has sent.

    Args:
        session: the scenario.
        kafka: its cluster.
        topic: as the scenario's text calls it.
        acks: "0", "1" or "all".
    """

    def __init__(self, session: ScenarioSession, kafka: Kafka, topic: str, acks: str):
        self._session = session
        self._kafka = kafka
        self.topic, self.acks = topic, acks
        self._real = kafka.own(topic)
        self._producer: Publisher = kafka.new_publisher(
            f"producer with acks={acks}", enable_idempotence=False, retries=0,
            acks=acks if acks == "all" else int(acks),
        )  # fmt: skip
        self._published = 0
        #: The last messages that were published.
        self.last: list[Message] = []

    def publish(self, count: int) -> None:
        """Publish messages with keys of their own; they are the last ones until the next.

        Raises:
            PremiseNotMet: not all were acknowledged, or sent where nobody acknowledges.
        """
        first = self._published + 1
        self._published += count
        self.last = [
            Message(f"acks={self.acks} {n:05d}".encode(), f"content of {n:05d}".encode())
            for n in range(first, self._published + 1)
        ]
        sent = self._producer.publish(self._real, self.last, within=self._session.scaled(_WITHIN))
        if sent.ok != count:
            raise PremiseNotMet(f"of {counted(count, 'message')} that must be acknowledged: {sent}")

    def await_replicated(self) -> None:
        """Wait until all replicas in sync have what was published.

        Only what they have counts into the end that clients are told.

        Raises:
            DeadlineExceeded: they do not.
        """
        poll(
            lambda: sum(self._kafka.admin.end_offsets(self._real).values()),
            until=lambda end: end >= self._published,
            within=self._session.scaled(_WITHIN),
            awaiting=f"all replicas to have {counted(self._published, 'message')}",
        )

    def check(self, count: int) -> FlowVerdict:
        """Check that so many messages of the topic are found lost, under the right names.

        Raises:
            PremiseNotMet: fewer were, or they were not found ("inconclusive").
            AssertionError: more were lost, or something else is wrong.
        """
        if self.acks != "0":
            self._session.leaves_traces("kafka", "it has lost what it had acknowledged")
        self._kafka.final_drain(self._real)
        # Where nobody is told offsets, it is all that can be known that they are missing. Otherwise
        # others have them now: positions that were told twice.
        verdict = self._session.assert_flow(
            self._kafka.delivery(
                self.topic, guarantee="at-most-once", drained=True,
                expected=("lost", "unseen" if self.acks == "0" else "lost-write"),
                allowed=("inconsistent-offsets",),
            )
        )  # fmt: skip
        lost = verdict.figures.lost
        if lost < count:
            raise PremiseNotMet(f"of {count} messages that are bound to be lost, {lost} were")
        show_found(self._session, verdict)
        return verdict


class Producers:
    """The scenario's producers that send each message once, by topic and acks.

    Args:
        session: the scenario.
        kafka: its cluster.
    """

    def __init__(self, session: ScenarioSession, kafka: Kafka):
        self._session, self._kafka = session, kafka
        self._made: dict[tuple[str, str], Losing] = {}
        self._last: Losing | None = None

    def publish(self, topic: str, count: int, acks: str) -> Losing:
        """Publish by the producer with these acks, made at the first call; it is the last one."""
        if (topic, acks) not in self._made:
            self._made[topic, acks] = Losing(self._session, self._kafka, topic, acks)
        self._last = self._made[topic, acks]
        self._last.publish(count)
        return self._last

    @property
    def last(self) -> Losing:
        """The producer that has published last; `PremiseNotMet`: none has."""
        if self._last is None:
            before = '100 messages are published to "orders" with acks=0'
            raise step_missing("messages that may be lost", before)
        return self._last
