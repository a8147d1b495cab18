"""Consuming, with each delivery recorded."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from pika.exceptions import AMQPConnectionError

from stackproof.history import Answer, History, digest_of
from stackproof.polling import poll
from stackproof.services.base import Endpoint
from stackproof.services.rabbitmq.client import close, connect
from stackproof.services.rabbitmq.known import FIRST
from stackproof.texts import counted

_NO_PAUSE = 0.0  # the connection waits itself
_WAIT = 0.05


@dataclass(frozen=True)
class Delivery:
    """A message as a consumer was handed it.

    Attributes:
        tag: what it is acknowledged by, on the channel that it came on.
        redelivered: the broker says that it has been delivered before.
        headers: as the broker sent them.
    """

    ident: str
    body: bytes
    tag: int
    redelivered: bool
    headers: Mapping[str, Any] = field(default_factory=dict)


class Consumer:
    """One consumer of a queue, on a connection of its own; acknowledges by hand.

    Args:
        endpoint: where the broker is.
        history: receives every delivery, and what becomes of it.
        queue: what to consume.
        name: the consumer's name in the history.
        prefetch: how many unacknowledged messages it wants at most.
        node: which server it is connected to.
        exclusive: whether it declares the queue, for its own connection alone.
        timeout: seconds for its connection.

    Attributes:
        deliveries: all that it has received.
        settled: how many of them `receive` has returned.
        done: the messages that it has acknowledged or rejected.
        ended: None while it is one; else why it is none any more.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        history: History,
        queue: str,
        *,
        name: str,
        prefetch: int,
        node: str = FIRST,
        exclusive: bool = False,
        timeout: float = 10.0,
    ):
        self.name = name
        self.queue = queue
        self.deliveries: list[Delivery] = []
        self.settled = 0
        self.done: set[str] = set()
        self.ended: str | None = None
        self._history = history
        self._connection = connect(endpoint, node, timeout=timeout)
        self._channel = self._connection.channel()
        self._channel.basic_qos(prefetch_count=prefetch)
        self._channel.add_on_cancel_callback(self._cancelled)
        if exclusive:
            self._channel.queue_declare(queue, exclusive=True)
        with self._doing("open", name):
            self._channel.basic_consume(queue, self._take)

    def _take(self, _: Any, method: Any, properties: Any, body: bytes) -> None:
        ident = properties.message_id or f"no ID, content {digest_of(body):016x}"
        delivery = Delivery(
            ident, body, method.delivery_tag, method.redelivered, dict(properties.headers or {})
        )
        with self._doing("take", ident, value=body, number=int(method.redelivered)):
            self.deliveries.append(delivery)

    def _cancelled(self, _: Any) -> None:
        with self._doing("close", self.name):
            self.ended = f"the broker has cancelled {self.name}: its queue is gone, or out of reach"

    def _doing(self, action: str, key: str, **more: Any) -> AbstractContextManager[Answer]:
        return self._history.doing(action, client=self.name, space=self.queue, key=key, **more)

    def receive(self, count: int, *, within: float) -> Sequence[Delivery]:
        """Wait for the ``count`` deliveries that follow those received before; returns these.

        Raises:
            Died: the broker has cancelled the consumer.
            DeadlineExceeded: fewer were delivered in time.
        """
        wanted = self.settled + count
        self.wait_for(wanted, within=within)
        self.settled = wanted
        return self.deliveries[wanted - count : wanted]

    def wait_for(self, wanted: int, *, within: float) -> None:
        """Wait until there have been so many deliveries since the consumer began.

        Raises:
            Died: the broker has cancelled the consumer.
            DeadlineExceeded: there were fewer in time.
        """
        self._wait(lambda: len(self.deliveries) >= wanted, wanted, within)

    def wait_for_all(self, idents: Collection[str], *, within: float) -> None:
        """Wait until each of these messages has been delivered; errors as of `wait_for`."""
        left = set(idents)

        def all_there() -> bool:
            left.difference_update(one.ident for one in self.deliveries)
            return not left

        self._wait(all_there, len(left), within)

    def _wait(self, until: Callable[[], bool], wanted: int, within: float) -> None:
        def so_far() -> bool:
            return until() or (self.take_what_comes(_WAIT), until())[1]

        poll(so_far, within=within, awaiting=f"{counted(wanted, 'message')} for {self.name}",
             describe=lambda _: counted(len(self.deliveries), "message"),
             alive=lambda: self.ended,
             first_pause=_NO_PAUSE, longest_pause=_NO_PAUSE)  # fmt: skip

    def take_what_comes(self, within: float = 0) -> int:
        """Take what has arrived until now, or comes within so many seconds; how many in all."""
        self._connection.process_data_events(time_limit=within)
        return len(self.deliveries)

    def work_off(self) -> None:
        """Take what comes for a moment, and acknowledge it."""
        if more := self.take_what_comes(_WAIT) - self.settled:
            self.acknowledge(self.receive(more, within=0))

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker that these are done; returns when it knows."""
        with ExitStack() as recording:
            for delivery in deliveries:
                recording.enter_context(self._doing("acknowledge", delivery.ident))
                self._channel.basic_ack(delivery.tag)
            self._settle()
        self.done.update(one.ident for one in deliveries)

    def give_back(self, deliveries: Sequence[Delivery], *, requeue: bool) -> None:
        """Refuse these: back to the queue, or to where the queue sends what is refused."""
        with ExitStack() as recording:
            for delivery in deliveries:
                action = "give back" if requeue else "reject"
                recording.enter_context(self._doing(action, delivery.ident))
                self._channel.basic_nack(delivery.tag, requeue=requeue)
            self._settle()
        if not requeue:
            self.done.update(one.ident for one in deliveries)

    def _settle(self) -> None:
        """An acknowledgement has no answer; a question to the queue that follows it has one."""
        self._channel.queue_declare(self.queue, passive=True)

    def lose_connection(self) -> None:
        """Cut the connection without a word of farewell, as a crash would."""
        # pika has no public way to its socket.
        with self._doing("close", self.name):
            self._connection._impl._transport._sock.shutdown(socket.SHUT_RDWR)
            with suppress(AMQPConnectionError):
                self._connection.process_data_events(time_limit=1)

    def close(self) -> None:
        """Close the connection; what was not acknowledged goes back to the queue."""
        with self._doing("close", self.name):
            close(self._connection)
