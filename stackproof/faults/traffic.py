"""Messages that keep arriving while something is broken."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

from stackproof.clients.kafka import Message
from stackproof.clients.sending import Sent
from stackproof.faults.kafka import Kafka
from stackproof.polling import poll
from stackproof.session.scenario import Kept, ScenarioSession
from stackproof.texts import counted

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
        self._stop = threading.Event()
        self._error: BaseException | None = None
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
        session.add_cleanup(self._stop.set)
        # A daemon: a worker that ends must not wait for it.
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
        self._thread.start()

    def _messages(self) -> Iterator[Message]:
        for number in itertools.count(1):
            if self._stop.wait(_PACE):
                return
            yield Message(f"message-{number:06d}".encode(), f"content of {number:06d}".encode())

    def _run(self) -> None:
        try:
            self._publisher.publish(
                self._real,
                self._messages(),
                within=self._session.scaled(_GETS_THROUGH),
                into=self.sent,
            )
        except BaseException as error:  # told by `finish`
            self._error = error

    def await_more(self, count: int, *, within: float, while_: str) -> None:
        """Wait until ``count`` more messages are acknowledged.

        Args:
            count: how many.
            within: seconds.
            while_: what is going on, for the error.

        Raises:
            DeadlineExceeded: fewer were.
        """
        before = self.sent.ok
        poll(
            lambda: self.sent.ok - before,
            until=lambda more: more >= count,
            within=self._session.scaled(within),
            awaiting=f"{counted(count, 'more message')} to be acknowledged {while_}",
            describe=lambda more: f"{more} of them; in all {self.sent}",
            alive=lambda: None if self._thread.is_alive() else f"publishing ended: {self._error}",
        )

    def finish(self, *, within: float) -> Sent:
        """Publish nothing more, and wait for the outcome of everything.

        Args:
            within: seconds.

        Raises:
            DeadlineExceeded: the producer was not through in time.
        """
        self._stop.set()
        poll(
            lambda: self._thread.is_alive(),
            until=lambda alive: not alive,
            within=self._session.scaled(within),
            awaiting="the outcome of every message",
            describe=lambda _: str(self.sent),
        )
        if self._error is not None:
            raise self._error
        return self.sent


#: Later steps ask what became of it.
TRAFFIC = Kept[Traffic](
    "messages that keep arriving",
    'messages keep arriving in "orders" while broker 1 has crashed',
)
