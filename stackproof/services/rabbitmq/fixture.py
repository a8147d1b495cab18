"""One scenario's work with its RabbitMQ broker: its queues, what it sends and is handed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from stackproof.errors import PremiseNotMet, step_missing
from stackproof.history import Queue
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.fixture import Scenario
from stackproof.services.rabbitmq import client
from stackproof.services.rabbitmq.consuming import Consumer, Delivery
from stackproof.services.rabbitmq.known import BROKEN, WHOLE
from stackproof.services.rabbitmq.publishing import Message, Publisher
from stackproof.services.sending import Sent
from stackproof.texts import counted

_PATIENCE = 15.0
_RECEIVES = 'a consumer of "orders" receives 50 messages and acknowledges 20 of them'


class RabbitMQFixture:
    """Queues of the scenario's own, deleted at its end; publishing to and consuming from them."""

    def __init__(self, scenario: Scenario, endpoint: str = "rabbitmq"):
        self._scenario = scenario
        self.endpoint = scenario.endpoint(endpoint)
        self._patience = scenario.scaled(_PATIENCE)
        self._queues: set[str] = set()
        self._consumers: list[Consumer] = []
        self._sent: Sent | None = None
        self._pending: Sequence[Delivery] | None = None

    # -- queues --------------------------------------------------------------
    def declare(self, queue: str, *, dead_letters: str = "") -> None:
        """Make a queue under the scenario's own name, and one for its dead letters."""
        own = [self._scenario.own(name) for name in (queue, dead_letters) if name]
        self._queues.update(own)
        self._scenario.add_cleanup(lambda: client.delete(self.endpoint, *own))
        client.declare(self.endpoint, *own)

    def own(self, queue: str) -> str:
        """The scenario's own queue for a name in its text; `PremiseNotMet`: none has made it."""
        own = self._scenario.own(queue)
        if own not in self._queues:
            raise step_missing(f'the queue "{queue}"', f'a queue "{queue}"')
        return own

    def names(self) -> list[str]:
        """Queues that steps have declared, in the scenario's words."""
        return [own.removeprefix(self._scenario.own("")) for own in sorted(self._queues)]

    def knows(self, queue: str) -> bool:
        """Whether there is such a queue of the scenario's, made by a step or by somebody else."""
        own = self._scenario.own(queue)
        if own not in self._queues and client.exists(self.endpoint, own):
            self._scenario.add_cleanup(lambda: client.delete(self.endpoint, own))
            self._queues.add(own)
        return own in self._queues

    def waiting(self, queue: str) -> int:
        """How many messages no consumer has been handed."""
        return client.waiting(self.endpoint, self.own(queue))

    def wait_waiting(self, queue: str, count: int) -> None:
        """Wait until so many messages are left that nobody was handed.

        Raises:
            DeadlineExceeded: it is another number.
        """
        poll(
            lambda: self.waiting(queue),
            until=lambda waiting: waiting == count,
            within=self._patience,
            awaiting=f'{counted(count, "message")} to be left in "{queue}"',
            describe=lambda waiting: f"{waiting} are left",
        )

    # -- publishing ----------------------------------------------------------
    @cached_property
    def publisher(self) -> Publisher:
        """The scenario's publisher."""
        publisher = Publisher(
            self.endpoint, self._scenario.history, name="publisher", timeout=self._patience
        )
        self._scenario.add_cleanup(publisher.close)
        return publisher

    def publish(
        self,
        queue: str,
        count: int,
        *,
        broken_every: int = 0,
        expires_after: float | None = None,
        routing_key: str | None = None,
    ) -> None:
        """Publish distinct messages to a queue, each confirmed before the next.

        Args:
            queue: its name in the text.
            count: how many.
            broken_every: so that a consumer has to refuse them, every 3rd, say; 0: none.
            expires_after: seconds after which the broker sets them aside.
            routing_key: to publish by instead of the queue's own name.
        """
        ttl = None if expires_after is None else round(expires_after * 1000)
        messages = []
        for number in range(1, count + 1):
            label = BROKEN if broken_every and number % broken_every == 0 else WHOLE
            body = f"{label} content of message {number:05d}".encode()
            messages.append(Message(f"message-{number:05d}", body, label, ttl))
        key = self._scenario.own(routing_key or queue)
        self._sent = self.publisher.publish(messages, queue=self.own(queue), routing_key=key)

    def publish_messages(self, queue: str, messages: Sequence[Message]) -> Sent:
        """Publish these to a queue, each confirmed before the next."""
        self._sent = self.publisher.publish(messages, queue=self.own(queue))
        return self._sent

    @property
    def sent(self) -> Sent:
        """What became of the messages that were sent last; `PremiseNotMet`: none were."""
        if self._sent is None:
            before = '100 messages are sent to the queue "orders"'
            raise step_missing("messages that were sent", before)
        return self._sent

    # -- consuming -----------------------------------------------------------
    def consume(self, queue: str, *, prefetch: int) -> Consumer:
        """One more consumer of a queue; it acknowledges nothing yet."""
        consumer = Consumer(
            self.endpoint,
            self._scenario.history,
            self.own(queue),
            name=f"consumer {len(self._consumers) + 1}",
            prefetch=prefetch,
            timeout=self._patience,
        )
        self._scenario.add_cleanup(consumer.close)
        self._consumers.append(consumer)
        return consumer

    @property
    def consumer(self) -> Consumer:
        """The one that began last; `PremiseNotMet`: there was none."""
        if not self._consumers:
            raise step_missing("a consumer", _RECEIVES)
        return self._consumers[-1]

    @property
    def pending(self) -> Sequence[Delivery]:
        """What the latest consumer did not acknowledge; `PremiseNotMet`: nothing is left."""
        if self._pending is None:
            raise step_missing("messages that a consumer was handed", _RECEIVES)
        if not self._pending:
            raise PremiseNotMet(
                "the consumer has acknowledged all that it received",
                "so that nothing is to come again",
                f'let it receive more than it acknowledges: "{_RECEIVES}"',
            )
        return self._pending

    def receive(self, queue: str, count: int, *, acknowledged: int) -> None:
        """A new consumer receives so many messages and acknowledges the first ones of them."""
        consumer = self.consume(queue, prefetch=count)
        deliveries = consumer.receive(count, within=self._patience)
        consumer.acknowledge(deliveries[:acknowledged])
        self._pending = deliveries[acknowledged:]

    def acknowledge_next(self, count: int) -> None:
        """The consumer acknowledges the next ones that it is handed."""
        self.consumer.acknowledge(self.consumer.receive(count, within=self._patience))

    def wait_handed(self, count: int) -> None:
        """Wait until the consumer has been handed so many messages in all."""
        self.consumer.wait_for(count, within=self._patience)

    def give_back(self) -> None:
        """The consumer gives what it did not acknowledge back to the queue."""
        self.consumer.give_back(self.pending, requeue=True)

    def lose_connection(self) -> None:
        """Cut the consumer's connection; what it has not acknowledged is to come again."""
        self.consumer.lose_connection()
        self._scenario.history.event("fault", f"the connection of {self.consumer.name} was cut")

    def judge(self, queue: str) -> None:
        """A new consumer receives everything, refuses what is broken, acknowledges the others."""
        consumer = self.consume(queue, prefetch=10)
        for _ in range(self.sent.ok):
            (delivery,) = consumer.receive(1, within=self._patience)
            if delivery.body.startswith(BROKEN.encode()):
                consumer.give_back([delivery], requeue=False)
            else:
                consumer.acknowledge([delivery])

    def _take(self, consumer: Consumer, queue: str, expected: int, *, within: float) -> None:
        """Receive and acknowledge so many, and take whatever else is there.

        Raises:
            DeadlineExceeded: it was handed fewer, or something is left that it was not handed.
        """
        consumer.acknowledge(consumer.receive(expected, within=within))
        self.wait_waiting(queue, 0)
        consumer.take_what_comes()

    # -- expectations --------------------------------------------------------
    def deliver_all(self, queue: str) -> Queue:
        """A new consumer is handed everything and acknowledges it; what is expected of that."""
        expected, count = self._delivery(queue), self.sent.ok
        consumer = self.consume(queue, prefetch=count + 100)
        try:
            self._take(consumer, queue, count, within=self._patience)
        except DeadlineExceeded as late:
            self._explain(late, expected, queue)
        return expected

    def deliver_rest(self, queue: str, *, to_another: bool) -> Queue:
        """Wait until what is pending is delivered again; what is expected of the queue."""
        count = len(self.pending)
        expected = replace(self._delivery(queue), marks=True)
        consumer = self.consume(queue, prefetch=count + 100) if to_another else self.consumer
        try:
            self._take(consumer, queue, count, within=self._patience)
        except DeadlineExceeded as late:
            self._explain(late, expected, queue)
        return expected

    def read_dead_letters(self, queue: str, dead: str, label: str | None, *, within: float) -> None:
        """A new consumer receives all dead letters; they are what was set aside, once each.

        Raises:
            AssertionError: they are not, or did not arrive within so many seconds.
        """
        of = Queue(
            f'dead letters of "{queue}"', self.own(queue), dead_letters=self.own(dead), marks=True
        )
        expected = self.sent.labels[label] if label else self.sent.ok
        consumer = self.consume(dead, prefetch=expected + 100)
        try:
            self._take(consumer, dead, expected, within=self._scenario.scaled(within))
        except DeadlineExceeded as late:
            self._explain(late, of, queue, dead)
        self._scenario.assert_history(of)

    def _delivery(self, queue: str) -> Queue:
        """The expectation that what was published to a queue is delivered from it."""
        return Queue(f'delivery from "{queue}"', self.own(queue), ordered=True)

    def _explain(self, late: DeadlineExceeded, expected: Queue, *queues: str) -> None:
        """Raise what a missed deadline means: lost is what is in none of these queues any more."""
        settled = not any(self.waiting(queue) for queue in queues)
        self._scenario.check_after(late, replace(expected, settled=settled))

    def handed_again(self) -> int:
        """How many deliveries were of a message that somebody had been handed before."""
        idents = [delivery.ident for one in self._consumers for delivery in one.deliveries]
        return len(idents) - len(set(idents))

    def deaths_wrong(self, queue: str, reason: str) -> list[str]:
        """What the latest consumer was handed without the header that tells this death of it."""
        told = []
        for delivery in self.consumer.deliveries:
            deaths = delivery.headers.get("x-death", ())
            found = [(death["reason"], death["queue"], death["count"]) for death in deaths]
            if found != [(reason, self.own(queue), 1)]:
                told.append(f"{delivery.ident}: {found or 'no x-death'}")
        return told
