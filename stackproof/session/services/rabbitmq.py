"""One scenario's work with its RabbitMQ broker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from stackproof.clients.rabbitmq.admin import QueueSpec, RabbitAdmin
from stackproof.clients.rabbitmq.connection import parameters
from stackproof.clients.rabbitmq.consuming import Consumer, Positions
from stackproof.clients.rabbitmq.messages import Delivery, Message
from stackproof.clients.rabbitmq.publishing import Publisher
from stackproof.clients.sending import Sent
from stackproof.errors import PremiseNotMet, step_missing
from stackproof.history import Flow
from stackproof.polling import DeadlineExceeded, poll
from stackproof.session.scenario import Kept, ScenarioSession
from stackproof.session.words_of_stores import BROKEN, THE_SAME, WHOLE
from stackproof.texts import counted

if TYPE_CHECKING:
    import pika

_PATIENCE = 15.0
_RECEIVES = 'a consumer of "orders" receives 50 messages and acknowledges 20 of them'
_SENT = Kept[Sent]("messages that were sent", '100 messages are sent to the queue "orders"')
_PENDING = Kept[Sequence[Delivery]]("messages that a consumer was handed", _RECEIVES)


class RabbitSession:
    """Queues, publishing and consuming of one scenario."""

    def __init__(self, session: ScenarioSession):
        self._session = session
        self._positions = Positions()
        self.queues: dict[str, QueueSpec] = {}
        self.consumers: list[Consumer] = []

    @property
    def parameters(self) -> pika.ConnectionParameters:
        """What every client needs to connect."""
        endpoint = self._session.endpoint("rabbitmq")
        return parameters(
            endpoint.addresses, endpoint.access, timeout=self._session.scaled(_PATIENCE)
        )

    @contextmanager
    def admin(self) -> Iterator[RabbitAdmin]:
        """Declares and deletes; a connection for each use, so that a restart does not matter."""
        admin = RabbitAdmin(self.parameters)
        try:
            yield admin
        finally:
            admin.close()

    @cached_property
    def publisher(self) -> Publisher:
        """The scenario's publisher."""
        publisher = Publisher(self.parameters, self._session.history, name="publisher")
        self._session.add_cleanup(publisher.close)
        return publisher

    def own(self, queue: str) -> str:
        """The scenario's own queue for a name in its text."""
        return self._session.own(queue)

    def declare(self, queue: str, *, dead_letters: str = "") -> None:
        """Make a queue under the scenario's own name."""
        spec = QueueSpec(self.own(queue), self.own(dead_letters) if dead_letters else "")
        self.queues[queue] = spec
        self._session.add_cleanup(lambda: self._delete(spec))
        with self.admin() as admin:
            admin.declare(spec)

    def _delete(self, spec: QueueSpec) -> None:
        with self.admin() as admin:
            admin.delete(spec)

    def _declared(self, queue: str) -> str:
        """The scenario's own queue; `PremiseNotMet`: no step has made it."""
        own = self.own(queue)
        if not any(own in (spec.name, spec.dead_letter_queue) for spec in self.queues.values()):
            raise step_missing(f'the queue "{queue}"', f'a queue "{queue}"')
        return own

    def waiting(self, queue: str) -> int:
        """How many messages no consumer has been handed."""
        with self.admin() as admin:
            return admin.waiting(self._declared(queue))

    # -- publishing ----------------------------------------------------------
    def publish(
        self,
        queue: str,
        count: int,
        *,
        broken_every: int = 0,
        expires_after: float | None = None,
        routing_key: str | None = None,
    ) -> Sent:
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
        sent = self.publisher.publish(
            messages,
            queue=self.own(queue),
            routing_key=None if routing_key is None else self.own(routing_key),
        )
        return self._session.keep(_SENT, sent)

    @property
    def sent(self) -> Sent:
        """What became of the messages that were sent last; `PremiseNotMet`: none were."""
        return self._session.kept(_SENT)

    # -- consuming -----------------------------------------------------------
    def consume(self, queue: str, *, prefetch: int) -> Consumer:
        """One more consumer of a queue."""
        consumer = Consumer(
            self.parameters,
            self._session.history,
            self._declared(queue),
            positions=self._positions,
            name=f"consumer {len(self.consumers) + 1}",
            prefetch=prefetch,
        )
        self._session.add_cleanup(consumer.close)
        self.consumers.append(consumer)
        return consumer

    @property
    def consumer(self) -> Consumer:
        """The one that began last; `PremiseNotMet`: there was none."""
        if not self.consumers:
            raise step_missing("a consumer", _RECEIVES)
        return self.consumers[-1]

    @property
    def pending(self) -> Sequence[Delivery]:
        """What the latest consumer did not acknowledge; `PremiseNotMet`: nothing is left."""
        pending = self._session.kept(_PENDING)
        if not pending:
            raise PremiseNotMet(
                "the consumer has acknowledged all that it received",
                "so that nothing is to come again",
                f'let it receive more than it acknowledges: "{_RECEIVES}"',
            )
        return pending

    def receive(self, queue: str, count: int, *, acknowledged: int) -> None:
        """A new consumer receives so many messages and acknowledges the first ones of them."""
        consumer = self.consume(queue, prefetch=count)
        deliveries = consumer.receive(count, within=self._session.scaled(_PATIENCE))
        consumer.acknowledge(deliveries[:acknowledged])
        self._session.keep(_PENDING, deliveries[acknowledged:])

    def give_back(self) -> None:
        """The consumer gives what it did not acknowledge back to the queue."""
        self.consumer.give_back(self.pending, requeue=True)

    def judge(self, queue: str) -> None:
        """A new consumer receives everything, refuses what is broken, acknowledges the others."""
        count = self.sent.ok
        consumer = self.consume(queue, prefetch=10)
        for _ in range(count):
            (delivery,) = consumer.receive(1, within=self._session.scaled(_PATIENCE))
            if delivery.body.startswith(BROKEN.encode()):
                consumer.give_back([delivery], requeue=False)
            else:
                consumer.acknowledge([delivery])

    def lose_connection(self) -> None:
        """Cut the consumer's connection; what it has not acknowledged is to come again."""
        self.consumer.lose_connection()
        self._session.history.event("fault", f"the connection of {self.consumer.name} was cut")

    def deliver_rest(self, who: str, queue: str) -> Flow:
        """Wait until what is pending is delivered again; what is expected of the queue."""
        wanted = len(self.pending)
        flow = self.delivery(queue, max_duplicates=wanted)
        same = who == THE_SAME
        consumer = self.consumer if same else self.consume(queue, prefetch=wanted + 100)
        try:
            again = consumer.receive(wanted, within=self._session.scaled(_PATIENCE))
        except DeadlineExceeded as late:
            self._explain(late, flow, queue)
            raise
        consumer.acknowledge(again)
        self.wait_waiting(queue, 0)
        consumer.take_what_comes()
        return flow

    def begin(self, queue: str, *, prefetch: int) -> None:
        """A new consumer that acknowledges nothing yet."""
        self.consume(queue, prefetch=prefetch)

    def acknowledge_next(self, count: int) -> None:
        """The consumer acknowledges the next ones that it is handed."""
        within = self._session.scaled(_PATIENCE)
        self.consumer.acknowledge(self.consumer.receive(count, within=within))

    def wait_handed(self, count: int) -> None:
        """Wait until the consumer has been handed so many messages in all."""
        self.consumer.wait_for(count, within=self._session.scaled(_PATIENCE))

    def deliver_all(self, queue: str) -> Flow:
        """A new consumer is handed everything and acknowledges it; what is expected of that."""
        flow = self.delivery(queue)
        try:
            self.read_to_end(queue, self.sent.ok)
        except DeadlineExceeded as late:
            self._explain(late, flow, queue)
            raise
        return flow

    def read_dead_letters(self, queue: str, dead: str, label: str | None, *, within: float) -> None:
        """A new consumer receives all dead letters; they are what was set aside, once each.

        Raises:
            AssertionError: they are not, or did not arrive within so many seconds.
        """
        flow = self.dead_letters(queue, dead, label)
        expected = self.sent.labels[label] if label else self.sent.ok
        try:
            self.read_to_end(dead, expected, within=within)
        except DeadlineExceeded as late:
            self._explain(late, flow, queue, dead)
        self._session.assert_flow(flow)

    def _explain(self, late: DeadlineExceeded, flow: Flow, *queues: str) -> None:
        """Raise what a missed deadline means: lost is what is in none of these queues any more."""
        settled = not any(self.waiting(queue) for queue in queues)
        self._session.check_after(late, replace(flow, settled=settled))

    def unmarked(self) -> list[str]:
        """Deliveries of the same message again that are not marked as such.

        The other way round it is no fault: after its crash a broker does not know what it
        had delivered, and marks everything.
        """
        seen: set[str] = set()
        told = []
        for consumer in self.consumers:
            for delivery in consumer.deliveries:
                if delivery.ident in seen and not delivery.redelivered:
                    told.append(f"{delivery.ident} came again without its mark")
                seen.add(delivery.ident)
        return told

    def read_to_end(self, queue: str, expected: int, *, within: float = _PATIENCE) -> None:
        """A new consumer receives and acknowledges so many, and whatever else is there.

        Raises:
            DeadlineExceeded: it was handed fewer, or something is left that it was not handed.
        """
        consumer = self.consume(queue, prefetch=expected + 100)
        consumer.acknowledge(consumer.receive(expected, within=self._session.scaled(within)))
        self.wait_waiting(queue, 0)
        consumer.take_what_comes()

    def deaths_wrong(self, queue: str, reason: str) -> list[str]:
        """What the latest consumer was handed without the header that tells this death of it."""
        told = []
        for delivery in self.consumer.deliveries:
            found = [(death.reason, death.queue, death.count) for death in delivery.deaths]
            if found != [(reason, self.own(queue), 1)]:
                told.append(f"{delivery.ident}: {found or 'no x-death'}")
        return told

    def wait_waiting(self, queue: str, count: int) -> None:
        """Wait until so many messages are left that nobody was handed.

        Raises:
            DeadlineExceeded: it is another number.
        """
        poll(
            lambda: self.waiting(queue),
            until=lambda waiting: waiting == count,
            within=self._session.scaled(_PATIENCE),
            awaiting=f'{counted(count, "message")} to be left in "{queue}"',
            describe=lambda waiting: f"{waiting} are left",
        )

    # -- expectations --------------------------------------------------------
    def delivery(self, queue: str, **rules: Any) -> Flow:
        """The expectation that what was published to a queue is delivered from it."""
        real = self.own(queue)
        rules = {"content": "bytes", "order": "sequence", **rules}
        return Flow(f'delivery from "{queue}"', real, real, **rules)

    def dead_letters(self, queue: str, dead: str, label: str | None) -> Flow:
        """The expectation that one class of messages, or all, ends among the dead letters."""
        return Flow(
            f'dead letters of "{queue}"', self.own(queue), self.own(dead), sent_label=label,
            content="bytes", order="sequence", sets_aside=True,
        )  # fmt: skip
