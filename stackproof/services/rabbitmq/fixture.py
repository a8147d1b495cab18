"""One scenario's work with its RabbitMQ broker: its queues, what it publishes and consumes."""

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
from stackproof.services.rabbitmq.publishing import Message, Publisher
from stackproof.services.sending import Sent
from stackproof.texts import counted

_PATIENCE = 15.0
#: More than any scenario publishes, and still a bound.
_PREFETCH = 10_000


class RabbitMQFixture:
    """Queues of the scenario's own, deleted at its end; publishing to and consuming from them."""

    def __init__(self, scenario: Scenario, endpoint: str = "rabbitmq"):
        self._scenario = scenario
        self.endpoint = scenario.endpoint(endpoint)
        self._patience = scenario.scaled(_PATIENCE)
        self._queues: set[str] = set()
        self._consumers: dict[str, Consumer] = {}
        self._nameless = 0
        self._dead: dict[str, Sequence[Delivery]] = {}
        self._sent: Sent | None = None

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

    def ready(self, queue: str) -> int:
        """How many messages no consumer has been delivered."""
        return client.ready(self.endpoint, self.own(queue))

    def wait_ready(self, queue: str, count: int) -> None:
        """Wait until a queue has so many ready messages.

        Raises:
            DeadlineExceeded: it has another number of them.
        """
        poll(
            lambda: self.ready(queue),
            until=lambda ready: ready == count,
            within=self._patience,
            awaiting=f'the queue "{queue}" to have {counted(count, "ready message")}',
            describe=lambda ready: f"it has {ready}",
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

    def publish(self, queue: str, count: int, *, ttl: float | None = None) -> None:
        """Publish distinct messages to a queue, each confirmed before the next.

        Args:
            queue: its name in the text.
            count: how many.
            ttl: seconds for which they live; None: for ever.
        """
        self.publish_messages(queue, _distinct(count, ttl))

    def publish_by_key(self, key: str, count: int) -> None:
        """Publish distinct messages to the default exchange by another key than a queue's name."""
        own = self._scenario.own(key)
        self._sent = self.publisher.publish(_distinct(count), queue=own)

    def publish_messages(self, queue: str, messages: Sequence[Message]) -> Sent:
        """Publish these to a queue, each confirmed before the next."""
        self._sent = self.publisher.publish(messages, queue=self.own(queue))
        return self._sent

    @property
    def sent(self) -> Sent:
        """What became of what was published last; `PremiseNotMet`: nothing was."""
        if self._sent is None:
            before = '100 messages are published to the queue "orders"'
            raise step_missing("messages that were published", before)
        return self._sent

    # -- consuming -----------------------------------------------------------
    def join(self, name: str, queue: str, *, prefetch: int = _PREFETCH) -> Consumer:
        """One more consumer of a queue; it acknowledges nothing yet.

        Raises:
            PremiseNotMet: there is one of this name already.
        """
        if name in self._consumers:
            raise PremiseNotMet(f'there is a consumer "{name}" already', "", "name it otherwise")
        consumer = self.consume(queue, prefetch=prefetch, name=f'consumer "{name}"')
        self._consumers[name] = consumer
        return consumer

    def consume(self, queue: str, *, prefetch: int = _PREFETCH, name: str = "") -> Consumer:
        """A consumer of a queue that no step speaks of."""
        self._nameless += not name
        consumer = Consumer(
            self.endpoint,
            self._scenario.history,
            self.own(queue),
            name=name or f"reader {self._nameless}",
            prefetch=prefetch,
            timeout=self._patience,
        )
        self._scenario.add_cleanup(consumer.close)
        return consumer

    def _consumer(self, name: str) -> Consumer:
        if name not in self._consumers:
            before = f'consumer "{name}" consumes the queue "orders"'
            raise step_missing(f'the consumer "{name}"', before)
        return self._consumers[name]

    def receive(self, name: str, count: int) -> None:
        """Wait until a consumer has so many messages to acknowledge."""
        consumer = self._consumer(name)
        consumer.wait_for(consumer.settled + count, within=self._patience)

    def received(self, name: str, count: int) -> int:
        """How many messages a consumer has received in all, which is awaited to be so many."""
        self._consumer(name).wait_for(count, within=self._patience)
        return self._consumer(name).take_what_comes()

    def acknowledge(self, name: str, count: int) -> None:
        """A consumer acknowledges the next messages that it receives."""
        consumer = self._consumer(name)
        consumer.acknowledge(consumer.receive(count, within=self._patience))

    def refuse(self, name: str, count: int, *, requeue: bool) -> None:
        """A consumer refuses the next messages that it receives: back to the queue, or away."""
        consumer = self._consumer(name)
        consumer.give_back(consumer.receive(count, within=self._patience), requeue=requeue)

    def lose_connection(self, name: str) -> None:
        """Cut a consumer's connection; what it has not acknowledged is to be redelivered."""
        self._consumer(name).lose_connection()
        self._scenario.history.event("fault", f'the connection of consumer "{name}" was cut')

    def _take(self, consumer: Consumer, expected: int, *, within: float) -> None:
        """Receive and acknowledge so many, and take whatever else is there.

        Raises:
            DeadlineExceeded: it received fewer.
        """
        consumer.acknowledge(consumer.receive(expected, within=within))
        consumer.take_what_comes()

    # -- expectations --------------------------------------------------------
    def deliver_all(self, queue: str) -> Queue:
        """A new consumer receives everything and acknowledges it; what is expected of that."""
        expected, consumer = self._delivery(queue), self.consume(queue)
        try:
            self._take(consumer, self.sent.ok, within=self._patience)
            self.wait_ready(queue, 0)
            consumer.take_what_comes()
        except DeadlineExceeded as late:
            self._explain(late, expected, queue)
        return expected

    def redeliver(self, name: str, count: int) -> Queue:
        """Wait until a consumer receives so many messages; what is expected of their queue.

        Raises:
            AssertionError: it does not.
        """
        consumer = self._consumer(name)
        queue = consumer.queue.removeprefix(self._scenario.own(""))
        expected = replace(self._delivery(queue), marks=True)
        try:
            self._take(consumer, count, within=self._patience)
        except DeadlineExceeded as late:
            self._explain(late, expected, queue)
        return expected

    def redelivered(self) -> int:
        """How many deliveries were of a message that some consumer had received before."""
        idents = [one.ident for each in self._consumers.values() for one in each.deliveries]
        return len(idents) - len(set(idents))

    def read_dead_letters(self, queue: str, dead: str, count: int, within: float) -> Queue:
        """A new consumer receives so many dead letters; what is expected of them.

        Raises:
            AssertionError: there are fewer after so many seconds.
        """
        expected = Queue(
            f'dead letters of "{queue}"', self.own(queue), dead_letters=self.own(dead), marks=True
        )
        consumer = self.consume(dead)
        try:
            self._take(consumer, count, within=within)
            self.wait_ready(dead, 0)
            consumer.take_what_comes()
        except DeadlineExceeded as late:
            self._explain(late, expected, queue, dead)
        self._dead[queue] = consumer.deliveries
        return expected

    def _delivery(self, queue: str) -> Queue:
        """The expectation that what was published to a queue is delivered from it."""
        return Queue(f'delivery from "{queue}"', self.own(queue), ordered=True)

    def _explain(self, late: DeadlineExceeded, expected: Queue, *queues: str) -> None:
        """Raise what a missed deadline means: lost is what is in none of these queues any more."""
        settled = not any(self.ready(queue) for queue in queues)
        self._scenario.check_after(late, replace(expected, settled=settled))

    def deaths_wrong(self, queue: str, reason: str) -> list[str]:
        """Dead letters of a queue without the header that tells this death of them there."""
        if queue not in self._dead:
            before = f'the queue "{queue}.dead" receives the 10 dead letters of the queue "{queue}"'
            raise step_missing("dead letters", f"within 5 seconds {before}")
        told = []
        for delivery in self._dead[queue]:
            deaths = delivery.headers.get("x-death", ())
            found = [(death["reason"], death["queue"], death["count"]) for death in deaths]
            if found != [(reason, self.own(queue), 1)]:
                told.append(f"{delivery.ident}: {found or 'no x-death'}")
        return told


def _distinct(count: int, ttl: float | None = None) -> list[Message]:
    """So many messages, which live for ``ttl`` seconds."""
    milliseconds = None if ttl is None else round(ttl * 1000)
    return [
        Message(f"message-{n:05d}", f"content of message {n:05d}".encode(), ttl=milliseconds)
        for n in range(1, count + 1)
    ]
