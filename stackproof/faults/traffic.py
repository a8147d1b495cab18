"""A producer that goes on publishing in the background, whatever is broken meanwhile."""

from __future__ import annotations

import itertools

from stackproof.faults.kafka import Kafka
from stackproof.faults.words import PRODUCERS
from stackproof.services.kafka.client import Message
from stackproof.services.sending import Sent
from stackproof.session.scenario import Kept, ScenarioSession
from stackproof.texts import counted
from stackproof.workloads import Task

#: Seconds between messages: enough of them in flight at any moment, and few enough to check.
_PACE = 0.004
#: A client that waits half a minute for each dead connection would make every fault as long.
_PATIENCE = 4.0
#: Seconds for a producer to get through all that it has waiting.
_GETS_THROUGH = 60.0
#: Messages that are to be acknowledged before anything is broken.
_SOME = 100
_SERVED_WITHIN = 60.0


class Traffic:
    """Publishes distinct messages from a thread of its own, until it is told to stop.

    Ended with the scenario at the latest.

    Args:
        session: the scenario.
        kafka: its cluster.
        topic: as the scenario's text calls it.
        producer: one of `PRODUCERS`.
        patience: seconds that it waits for each answer.

    Raises:
        DeadlineExceeded: no message was acknowledged, before anything is broken.
    """

    def __init__(
        self,
        session: ScenarioSession,
        kafka: Kafka,
        topic: str,
        producer: str,
        *,
        patience: float = _PATIENCE,
    ):
        self._session = session
        self._kafka = kafka
        self.topic, self.producer = topic, producer
        self.sent = Sent()
        self._real = kafka.own(topic)
        self._publisher = kafka.new_publisher(
            "producer",
            request_timeout_ms=int(patience * 1000),
            delivery_timeout_ms=int(_GETS_THROUGH * 1000),
            retry_backoff_ms=50,
            **PRODUCERS[producer],
        )
        self._task = Task(self._publish, name=f'publishing to "{topic}"', owner=session)
        self.await_more(_SOME, within=_SERVED_WITHIN, while_="before the fault")

    def _publish(self, task: Task) -> None:
        messages = (
            Message(f"message-{number:06d}".encode(), f"content of {number:06d}".encode())
            for number in itertools.takewhile(lambda _: task.pause(_PACE), itertools.count(1))
        )
        within = self._session.scaled(_GETS_THROUGH)
        self._publisher.publish(self._real, messages, within=within, into=self.sent)

    def await_more(self, count: int, *, within: float, while_: str = "") -> None:
        """Wait until ``count`` more messages are acknowledged.

        Args:
            count: how many.
            within: seconds.
            while_: what is going on, for the error.

        Raises:
            DeadlineExceeded: fewer were.
            BaseException: what has ended the publishing.
        """
        before = self.sent.ok
        self._task.await_(
            lambda: self.sent.ok - before,
            until=lambda more: more >= count,
            within=self._session.scaled(within),
            awaiting=f"{counted(count, 'more message')} to be acknowledged {while_}".rstrip(),
            describe=lambda more: f"{more} of them; in all {self.sent}",
        )

    def finish(self, *, within: float) -> Sent:
        """Publish nothing more, and wait for the outcome of everything.

        Args:
            within: seconds.

        Raises:
            DeadlineExceeded: the producer was not through in time.
            BaseException: what has ended the publishing.
        """
        self._task.end(within=self._session.scaled(within))
        return self.sent


#: Later steps ask what became of it.
TRAFFIC = Kept[Traffic](
    "a producer in the background",
    'an idempotent producer publishes to "orders" in the background',
)
