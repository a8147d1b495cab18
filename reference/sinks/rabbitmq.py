"""A sink that publishes events to an exchange of RabbitMQ."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from reference.sinks.buffer import Item
from reference.sinks.event import Event
from reference.sinks.sink import Sink
from reference.sinks.urls import refuse, split

_EXAMPLE = "amqp://user:password@localhost:5672/virtual-host"
_PORTS = {"amqp": 5672, "amqps": 5671}
_PERSISTENT = 2


class RabbitMQSink(Sink):
    """Each event is a persistent message; it is delivered when the broker has confirmed it.

    One that no queue takes is not delivered: it stays in the buffer. When the confirm of a message
    is missing, it is sent again, and consumers may see it twice: its message ID is the event's.

    Args:
        url: of the broker; ``amqps`` is TLS.
        exchange: made as a durable one, unless it is there.
        routing_key: of all messages.
        exchange_type: "direct", "topic", "fanout" or "headers".
        queue: made as a durable one, and bound by the routing key; "": others do that.
        dead_letter_exchange: where that queue sends what is rejected; "": nowhere.
        ca_file: whom to trust where it is reached by TLS (PEM).
        more: of every `Sink`.

    Raises:
        InvalidURLError: the URL cannot be used.
    """

    def __init__(
        self,
        url: str,
        exchange: str,
        routing_key: str,
        exchange_type: str = "topic",
        queue: str = "",
        dead_letter_exchange: str = "",
        ca_file: str = "",
        **more: Any,
    ):
        super().__init__(**more)
        parts = split(url, tuple(_PORTS), _EXAMPLE)
        if "/" in parts.path[1:]:
            raise refuse("a / within its virtual host is written %2F", _EXAMPLE)
        self._exchange, self._key, self._type = exchange, routing_key, exchange_type
        self._queue, self._dead_letters = queue, dead_letter_exchange
        encrypted = parts.scheme == "amqps"
        tls = ssl.create_default_context(cafile=ca_file or None) if encrypted else None
        self._parameters = pika.ConnectionParameters(
            host=parts.hostname,
            port=parts.port or _PORTS[parts.scheme],
            virtual_host=unquote(parts.path[1:]) or "/",
            credentials=pika.PlainCredentials(
                unquote(parts.username or "guest"), unquote(parts.password or "guest")
            ),
            ssl_options=pika.SSLOptions(tls, parts.hostname) if tls else None,
            heartbeat=max(1, round(self._patience / 2)),  # a broker that is silent for two is gone
            socket_timeout=self._patience,
            stack_timeout=self._patience,
            blocked_connection_timeout=self._patience,
        )
        self._forget()

    def _forget(self) -> None:
        self._connection: pika.BlockingConnection | None = None
        self._channel: BlockingChannel | None = None

    def _item(self, event: Event) -> Item:
        return Item(event.event_id, event.as_json().encode())

    def _connect(self) -> None:
        if self._channel is not None:
            return
        self._connection = pika.BlockingConnection(self._parameters)
        channel = self._connection.channel()
        channel.exchange_declare(self._exchange, self._type, durable=True)
        if self._queue:
            more = {"x-dead-letter-exchange": self._dead_letters} if self._dead_letters else {}
            channel.queue_declare(self._queue, durable=True, arguments=more)
            channel.queue_bind(self._queue, self._exchange, self._key)
        channel.confirm_delivery()
        self._channel = channel

    def _send(self, items: Sequence[Item]) -> Iterator[int]:
        assert self._channel is not None
        for item in items:
            properties = pika.BasicProperties(
                message_id=item.ident,
                content_type="application/json",
                delivery_mode=_PERSISTENT,
            )
            self._channel.basic_publish(
                self._exchange, self._key, item.content, properties, mandatory=True
            )
            yield 1

    def _look(self) -> None:
        if self._connection is not None:
            self._connection.process_data_events(time_limit=0)  # heartbeats

    def _disconnect(self) -> None:
        left, self._connection, self._channel = self._connection, None, None
        if left is not None:
            with suppress(AMQPError, OSError):
                left.close()
