"""Messages that keep arriving while something is broken."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from stackproof.faults.fault import Fault
from stackproof.faults.kafka import Kafka
from stackproof.services.kafka.client import Message
from stackproof.services.sending import Sent
from stackproof.session.scenario import Kept, ScenarioSession
from stackproof.texts import counted
from stackproof.workloads import Task

#: Seconds between messages: enough of them in flight at any moment, and few enough to check.
_PACE = 0.004
#: A client that waits half a minute for each dead connection would make every fault as long.
_REQUEST_MS = 4000
#: Seconds for a producer to get through all that it has waiting.
_GETS_THROUGH = 60.0


class Traffic:
    """Publishes distinct messages from a thread of its own, until it is told to stop.

    Ended with the scenario at the latest.

    Args:
        session: the scenario.
        kafka: its cluster.
        topic: as the scenario's text calls it.
        options: further settings of kafka-python's producer.
    """

    def __init__(self, session: ScenarioSession, kafka: Kafka, topic: str, **options: Any):
        self._session = session
        self._kafka = kafka
        self.topic = topic
        self.sent = Sent()
        self._real = kafka.own(topic)
        self._publisher = kafka.new_publisher(
            "producer",
            **{
                "request_timeout_ms": _REQUEST_MS,
                "delivery_timeout_ms": int(_GETS_THROUGH * 1000),
                "retry_backoff_ms": 50,
                **options,
            },
        )
        self._task = Task(self._publish, name=f'publishing to "{topic}"', owner=session)

    def _publish(self, task: Task) -> None:
        messages = (
            Message(f"message-{number:06d}".encode(), f"content of {number:06d}".encode())
            for number in itertools.takewhile(lambda _: task.pause(_PACE), itertools.count(1))
        )
        within = self._session.scaled(_GETS_THROUGH)
        self._publisher.publish(self._real, messages, within=within, into=self.sent)

    def await_more(self, count: int, *, within: float, while_: str) -> None:
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
            awaiting=f"{counted(count, 'more message')} to be acknowledged {while_}",
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


#: Messages that must get through while something is broken, and after it has healed.
_MEANWHILE, _AFTERWARDS = 200, 100
_SERVED_WITHIN = 30.0


def publish_while(
    session: ScenarioSession, kafka: Kafka, topic: str, breaking: Callable[[Traffic], object]
) -> None:
    """Publish before, while and after something is broken; `Traffic.finish` tells the outcome.

    Args:
        session: the scenario.
        kafka: its cluster.
        topic: as the scenario's text calls it.
        breaking: breaks and heals.

    Raises:
        DeadlineExceeded: nothing was acknowledged before it was broken, or afterwards.
    """
    traffic = session.keep(TRAFFIC, Traffic(session, kafka, topic))
    traffic.await_more(_AFTERWARDS, within=_SERVED_WITHIN, while_="before the fault")
    breaking(traffic)
    traffic.await_more(_AFTERWARDS, within=_SERVED_WITHIN, while_="after the healing")


def serves_during(fault: Fault) -> Callable[[Traffic], object]:
    """A fault during which messages must get through, for `publish_while`."""

    def breaking(traffic: Traffic) -> None:
        with fault:
            traffic.await_more(_MEANWHILE, within=_SERVED_WITHIN, while_=f"during the {fault.kind}")

    return breaking


#: Later steps ask what became of it.
TRAFFIC = Kept[Traffic](
    "messages that keep arriving",
    'messages keep arriving in "orders" while broker 1 has crashed',
)
