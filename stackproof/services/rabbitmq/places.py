"""Queues of a scenario: what its steps publish to them, and take from them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import ClassVar

from pika.exceptions import AMQPError

from stackproof.history import Queue
from stackproof.polling import poll
from stackproof.services.fixture import Scenario
from stackproof.services.places import Letter
from stackproof.services.rabbitmq.consuming import Consumer, Delivery
from stackproof.services.rabbitmq.fixture import RabbitMQFixture
from stackproof.services.rabbitmq.publishing import Message
from stackproof.services.rabbitmq.server import RabbitMQ

#: As many messages as a scenario looks at, and more.
_PREFETCH = 10_000


class Queues:
    """See `stackproof.services.places.Places`."""

    noun: ClassVar[str] = "queue"

    def __init__(self, scenario: Scenario):
        self.scenario = scenario
        self.fixture = scenario.use(RabbitMQFixture)

    def names(self) -> Sequence[str]:
        """Those that steps have declared; AMQP has no question for the others."""
        return self.fixture.names()

    def fields(self) -> Mapping[str, str]:
        """A URL of the broker."""
        return {"rabbitmq_url": RabbitMQ().url(self.fixture.endpoint)}

    def find(self, name: str) -> MessageQueue | None:
        """The queue; made by a step or by a system under test."""
        return MessageQueue(self, name) if self.fixture.knows(name) else None


class MessageQueue:
    """See `stackproof.services.places.Channel`. Looking takes the messages, for good."""

    def __init__(self, queues: Queues, name: str):
        self._queues, self._name = queues, name
        self._sent: list[tuple[str, bytes]] = []
        self._taken: list[Delivery] = []
        self._consumer: Consumer | None = None

    def publish(self, letter: Letter) -> None:
        """Persistent, and confirmed; the key is the message ID."""
        ident = str(uuid.uuid4()) if letter.key is None else letter.key.decode()
        message = Message(ident, letter.body or b"", headers=letter.headers)
        self._sent.append((ident, message.body))
        sent = self._queues.fixture.publish_messages(self._name, [message])
        if not sent.ok:
            raise AssertionError(f'the queue "{self._name}" does not confirm the message: {sent}')

    def look(self) -> Sequence[Letter]:
        """What the consumer has been handed; it acknowledges each."""
        if self._consumer is None:
            self._consumer = self._queues.fixture.consume(self._name, prefetch=_PREFETCH)
        try:
            handed = len(self._consumer.deliveries)
            if handed < self._consumer.take_what_comes():
                new = self._consumer.deliveries[handed:]
                self._taken += new
                self._consumer.acknowledge(new)
        except (AMQPError, OSError):
            self._consumer = None  # the next look begins with another one
            raise
        return [
            Letter(
                one.body, one.ident.encode(), {n: str(value) for n, value in one.headers.items()},
                f"message {number}",
            )
            for number, one in enumerate(self._taken, start=1)
        ]  # fmt: skip

    def look_whole(self, within: float) -> Sequence[Letter]:
        """Until the broker says that nothing is left."""
        ready = self._queues.fixture.ready
        poll(
            lambda: (ready(self._name), self.look())[0], until=lambda left: left == 0,
            within=within, awaiting=f'nothing to be left in "{self._name}"',
        )  # fmt: skip
        return self.look()

    def expected(self) -> Queue | None:
        """What was published comes once, unchanged and in order; None: others publish, too."""
        idents = {ident for ident, _ in self._sent}
        foreign = {(one.ident, one.body) for one in self._taken} - set(self._sent)
        if not idents or foreign or len(idents) < len(self._sent):
            return None  # nor can messages of one ID be told apart
        own = self._queues.fixture.own(self._name)
        return Queue(f'the queue "{self._name}"', own, ordered=True, settled=False)


PLACES = Queues
