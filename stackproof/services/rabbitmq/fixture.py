"""One scenario's work with its RabbitMQ broker: its queues, what it publishes and consumes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from stackproof.errors import PremiseNotMet, step_missing
from stackproof.history import Queue
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.fixture import Scenario
from stackproof.services.rabbitmq import client
from stackproof.services.rabbitmq.consuming import Consumer, Delivery
from stackproof.services.rabbitmq.known import DEATH, FIRST
from stackproof.services.rabbitmq.passing import Passing
from stackproof.services.rabbitmq.publishing import Message, Publisher
from stackproof.services.sending import Sent
from stackproof.texts import counted

_PATIENCE = 15.0
#: More than any scenario publishes, and still a bound.
_PREFETCH = 10_000
#: Seconds of being blocked until a publisher says so, and in which what is there is handed out.
_BLOCKED_FOR, _LOOK = 2.0, 0.3
_BLOCKED = "ConnectionBlockedTimeout"
_NO_ARGUMENTS: Mapping[str, int | str] = {}


class RabbitMQFixture:
    """Queues of the scenario's own, deleted at its end; publishing to and consuming from them."""

    def __init__(self, scenario: Scenario, endpoint: str = "rabbitmq"):
        self._scenario = scenario
        self.endpoint = scenario.endpoint(endpoint)
        self._patience = scenario.scaled(_PATIENCE)
        #: By real name: what is expected of its messages, and for how long it keeps them.
        self._queues: dict[str, Queue] = {}
        self._lives: dict[str, int] = {}
        self._consumers: dict[str, Consumer] = {}
        self._readers: list[Consumer] = []
        self._publishers: list[Publisher] = []
        self._numbers = itertools.count(1)
        self._dead: dict[str, Sequence[Delivery]] = {}
        self._sent: Sent | None = None
        self._expired_at = 0.0

    # -- queues --------------------------------------------------------------
    def declare(
        self,
        queue: str,
        *,
        dead_letters: str = "",
        arguments: Mapping[str, int | str] = _NO_ARGUMENTS,
        auto_delete: bool = False,
    ) -> None:
        """Make a queue under the scenario's own name, and one for its dead letters.

        Exchanges and queues that the arguments name are the scenario's own, too.
        """
        own = [self._scenario.own(name) for name in (queue, dead_letters) if name]
        given = dict(arguments)
        exchange, key = "dead-letter-exchange", "dead-letter-routing-key"
        if key in given and not given.get(exchange):
            given[key] = self._scenario.own(str(given[key]))
        if given.get(exchange):
            given[exchange] = self._scenario.own(str(given[exchange]))
        self._knows(*own)
        self._queues[own[0]] = replace(
            self._queues[own[0]],
            max_length=int(given.get("max-length", 0)),
            delivery_limit=int(given["delivery-limit"]) if "delivery-limit" in given else None,
            priorities=tuple(str(one) for one in range(1, int(given.get("max-priority", 0)) + 1)),
        )
        self._lives[own[0]] = int(given.get("message-ttl", 0))
        self._scenario.add_cleanup(lambda: client.delete(self.endpoint, *own))
        client.declare(self.endpoint, *own, arguments=given, auto_delete=auto_delete)

    def _knows(self, *queues: str) -> None:
        """Remember queues, by their real names; what was published is delivered from them."""
        for own in queues:
            name = own.removeprefix(self._scenario.own(""))
            self._queues[own] = Queue(f'delivery from "{name}"', own, ordered=True)

    def declare_exchange(self, exchange: str, kind: str, alternate: str = "") -> None:
        """Make an exchange of the scenario's own; what it cannot route goes to the alternate."""
        own = self._scenario.own(exchange)
        self._scenario.add_cleanup(lambda: client.delete(self.endpoint, exchange=own))
        client.declare_exchange(
            self.endpoint, own, kind, alternate and self._scenario.own(alternate)
        )

    def bind(self, exchange: str, queue: str, routing_key: str = "") -> None:
        """Have an exchange of the scenario's own bring messages to a queue."""
        client.bind(self.endpoint, self.own(queue), self._scenario.own(exchange), routing_key)

    def delete(self, queue: str) -> None:
        """Delete a queue, whoever uses it."""
        client.delete(self.endpoint, self.own(queue))
        self._scenario.history.event("fault", f'the queue "{queue}" was deleted')

    def leader(self, queue: str) -> str:
        """The node that leads a queue."""
        return client.leader(self.endpoint, self.own(queue))

    def refused(self, queue: str) -> str:
        """Why another client may not consume a queue; empty: it may."""
        return client.refused(self.endpoint, self.own(queue))

    def wait_gone(self, queue: str, within: float) -> None:
        """Wait until a queue does not exist any more.

        Raises:
            DeadlineExceeded: it does.
        """
        poll(lambda: not client.exists(self.endpoint, self.own(queue)), within=within,
             awaiting=f'the queue "{queue}" to be gone', describe=lambda _: "it is")  # fmt: skip

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
            self._knows(own)
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
        return self.new_publisher(timeout=self._patience)

    def new_publisher(self, *, node: str = FIRST, timeout: float) -> Publisher:
        """One more publisher, which gives up after ``timeout`` seconds of being blocked."""
        number = len(self._publishers) + 1
        publisher = Publisher(
            self.endpoint, self._scenario.history, node=node, timeout=timeout,
            name=f"publisher {number}" if number > 1 else "publisher",
        )  # fmt: skip
        self._publishers.append(publisher)
        self._scenario.add_cleanup(publisher.close)
        return publisher

    def publish(
        self, queue: str, count: int, *, ttl: float | None = None, priority: int | None = None
    ) -> None:
        """Publish distinct messages to a queue, each confirmed before the next.

        Args:
            queue: its name in the text.
            count: how many.
            ttl: seconds for which they live; None: for ever.
            priority: how urgent they are.
        """
        self.publish_messages(queue, self.distinct(count, ttl=ttl, priority=priority))
        self._expired_at = (
            time.monotonic() + (ttl or 0) + self._queues[self.own(queue)].late_ms / 1000
        )

    def outlive(self) -> None:
        """Wait until nobody may be handed the messages any more that were published last."""
        left = self._expired_at - time.monotonic()
        poll(lambda: time.monotonic() > self._expired_at, within=max(0, left) + self._patience,
             awaiting="messages to expire")  # fmt: skip

    def publish_by_key(self, key: str, count: int) -> None:
        """Publish distinct messages to the default exchange by another key than a queue's name."""
        own = self._scenario.own(key)
        self._sent = self.publisher.publish(self.distinct(count), queue=own)

    def publish_through(self, exchange: str, routing_key: str, queue: str, count: int) -> None:
        """Publish distinct messages to an exchange, which is to bring them to a queue."""
        self._sent = self.publisher.publish(
            self.distinct(count), queue=self.own(queue), exchange=self._scenario.own(exchange),
            routing_key=routing_key, lives=self._lives.get(self.own(queue), 0),
        )  # fmt: skip

    def publish_until_blocked(self, queue: str, kilobytes: int) -> None:
        """Publish messages of that size, each confirmed before the next, until the broker blocks.

        Raises:
            DeadlineExceeded: it takes all of them.
        """
        publisher, self._sent = self.new_publisher(timeout=_BLOCKED_FOR), Sent()
        own, padding = self.own(queue), b"x" * 1000 * kilobytes

        def publish_one() -> str:
            (message,) = self.distinct(1)
            sent = publisher.publish([replace(message, body=message.body + padding)], queue=own)
            self.sent.ok += sent.ok
            return str(sent)

        poll(publish_one, until=lambda told: _BLOCKED in told, describe=str, first_pause=0.0,
             longest_pause=0.0, within=2 * self._patience,
             awaiting="the broker to block whoever publishes")  # fmt: skip
        self._scenario.history.event(
            "note", f"publishers are blocked after {self.sent.ok} messages"
        )

    def distinct(
        self, count: int, *, ttl: float | None = None, priority: int | None = None
    ) -> list[Message]:
        """So many messages that the scenario has not had, which live for ``ttl`` seconds."""
        milliseconds = None if ttl is None else round(ttl * 1000)
        return [
            Message(f"message-{n:05d}", f"content of message {n:05d}".encode(), ttl=milliseconds,
                    priority=priority)
            for n in itertools.islice(self._numbers, count)
        ]  # fmt: skip

    def publish_messages(self, queue: str, messages: Sequence[Message]) -> Sent:
        """Publish these to a queue, each confirmed before the next."""
        own = self.own(queue)
        self._sent = self.publisher.publish(messages, queue=own, lives=self._lives.get(own, 0))
        return self._sent

    @property
    def sent(self) -> Sent:
        """What became of what was published last; `PremiseNotMet`: nothing was."""
        if self._sent is None:
            before = '100 messages are published to the queue "orders"'
            raise step_missing("messages that were published", before)
        return self._sent

    # -- consuming -----------------------------------------------------------
    def join(self, name: str, queue: str, **how: Any) -> Consumer:
        """One more consumer of a queue; it acknowledges nothing yet.

        Args:
            name: what steps call it.
            queue: what it consumes.
            how: as of `Consumer`.

        Raises:
            PremiseNotMet: there is one of this name already.
        """
        if name in self._consumers:
            raise PremiseNotMet(f'there is a consumer "{name}" already', "", "name it otherwise")
        consumer = self.consume(queue, name=f'consumer "{name}"', **how)
        self._consumers[name] = consumer
        return consumer

    def join_alone(self, name: str, queue: str) -> None:
        """A consumer declares a queue for its connection alone, and consumes it."""
        self._knows(self._scenario.own(queue))
        self.join(name, queue, exclusive=True)

    def consume(
        self, queue: str, *, prefetch: int = _PREFETCH, name: str = "", **how: Any
    ) -> Consumer:
        """A consumer of a queue that no step speaks of."""
        consumer = Consumer(
            self.endpoint,
            self._scenario.history,
            self.own(queue),
            name=name or f"reader {len(self._readers) + 1}",
            prefetch=prefetch,
            timeout=self._patience,
            **how,
        )
        self._readers.append(consumer)
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

    def leave(self, name: str) -> None:
        """A consumer closes its connection."""
        self._consumer(name).close()

    def wait_cancelled(self, name: str, within: float) -> None:
        """Wait until a consumer is told by the broker that it is none any more.

        Raises:
            DeadlineExceeded: it is not told.
        """
        consumer = self._consumer(name)
        poll(lambda: (consumer.take_what_comes(), consumer.ended)[1], within=within,
             awaiting=f'consumer "{name}" to be told that it is cancelled',
             describe=lambda _: "it has been told nothing")  # fmt: skip

    def passing(self, queue: str, *, without: str) -> Passing:
        """Messages that go on being published to a queue and consumed, at all nodes but one."""
        nodes = [node for node in self.endpoint.addresses if node != without]
        return Passing(
            self._scenario, self.own(queue), nodes,
            publisher=lambda node: self.new_publisher(node=node, timeout=self._patience),
            consumer=lambda node: self.consume(queue, node=node),
            messages=lambda: self.distinct(1),
        )  # fmt: skip

    def _take(self, consumer: Consumer, expected: int, *, within: float) -> None:
        """Receive and acknowledge so many, and take whatever else is there.

        Raises:
            DeadlineExceeded: it received fewer.
        """
        consumer.acknowledge(consumer.receive(expected, within=within))
        consumer.take_what_comes()

    # -- expectations --------------------------------------------------------
    def deliver_all(self, queue: str) -> Queue:
        """A new consumer receives all that is left and acknowledges it; what is expected of that.

        Left is what was confirmed, and neither acknowledged, rejected nor read as a dead letter.
        """
        own = self.own(queue)
        confirmed = set().union(*(one.confirmed[own] for one in self._publishers))
        done = [one.done for one in self._readers if one.queue == own]
        dead = {one.ident for one in self._dead.get(queue, ())}
        expected, consumer = self._queues[own], self.consume(queue)
        try:
            consumer.wait_for_all(confirmed.difference(dead, *done), within=self._patience)
            self._take(consumer, len(consumer.deliveries), within=self._patience)
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
        expected = replace(self._queues[consumer.queue], marks=True)
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
        read = replace(self._queues[self.own(queue)], dead_letters=self.own(dead))
        self._queues[read.space] = read
        expected = replace(read, name=f'dead letters of "{queue}"', marks=True)
        consumer = self.consume(dead)
        try:
            self._take(consumer, count, within=within)
            self.wait_ready(dead, 0)
            consumer.take_what_comes()
        except DeadlineExceeded as late:
            self._explain(late, expected, queue, dead)
        self._dead[queue] = consumer.deliveries
        return replace(expected, settled=not self.ready(queue))

    def dropped(self, queue: str) -> Queue:
        """Wait until a queue is empty; expected is that what expired there is nowhere any more.

        Raises:
            DeadlineExceeded: it is not.
        """
        own = self.own(queue)
        self.wait_ready(queue, 0)
        self.consume(queue).take_what_comes(_LOOK)
        return replace(self._queues[own], dead_letters=own, expected=("not-dead-lettered",))

    def _explain(self, late: DeadlineExceeded, expected: Queue, *queues: str) -> None:
        """Raise what a missed deadline means: lost is what is in none of these queues any more."""
        settled = not any(self.ready(queue) for queue in queues)
        self._scenario.check_after(late, replace(expected, settled=settled))

    def deaths_wrong(self, queue: str, trail: Sequence[Mapping[str, str]]) -> list[str]:
        """Dead letters of a queue that do not tell exactly these deaths, the last one first.

        Args:
            queue: its name in the text.
            trail: what each death tells, by the words of `DEATH`; what is not asked for counts not.
        """
        if queue not in self._dead:
            before = f'the queue "{queue}.dead" receives the 10 dead letters of the queue "{queue}"'
            raise step_missing("dead letters", f"within 5 seconds {before}")
        return self._untold(self._dead[queue], trail)

    def last_deaths_wrong(
        self, name: str, count: int, trail: Sequence[Mapping[str, str]]
    ) -> list[str]:
        """The same of the last messages that a consumer has received."""
        return self._untold(self._consumer(name).deliveries[-count:], trail)

    def _untold(
        self, deliveries: Iterable[Delivery], trail: Sequence[Mapping[str, str]]
    ) -> list[str]:
        own, told = self._scenario.own(""), []
        for delivery in deliveries:
            found = [
                {word: _in_words(death[DEATH[word]], own) for word in trail[0]}
                for death in delivery.headers.get("x-death", ())
            ]
            if found != list(trail):
                told.append(f"{delivery.ident}: {found or 'no x-death'}")
            # What is kept besides of the first death.
            first = {
                word: _in_words(delivery.headers[name], own)
                for word in ("queue", "reason", "exchange")
                if (name := f"x-first-death-{word}") in delivery.headers
            }
            if any(value != trail[-1].get(word, value) for word, value in first.items()):
                told.append(f"{delivery.ident}: first {first}")
        return told


def _in_words(told: Any, own: str) -> str:
    """What a death tells, with names as they stand in the text."""
    texts = told if isinstance(told, list) else [told]
    return ", ".join(str(text).removeprefix(own) for text in texts)
