"""Queues and exchanges: declared, asked, deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pika

from stackproof.clients.rabbitmq.connection import connect

_REMOVED_AFTER_MS = 3_600_000


@dataclass(frozen=True)
class QueueSpec:
    """A durable queue asked for.

    AMQP cannot list queues, so that nobody could find what a run left behind when it crashed:
    the broker itself removes a queue that nobody has used for an hour.

    Attributes:
        name: its real name.
        dead_letter_queue: where a dead-letter exchange brings what is rejected or expires.
    """

    name: str
    dead_letter_queue: str = ""

    @property
    def dead_letter_exchange(self) -> str:
        """Name of the exchange in between."""
        return f"{self.name}.dlx" if self.dead_letter_queue else ""


class RabbitAdmin:
    """A connection for what is not publishing or consuming."""

    def __init__(self, parameters: pika.ConnectionParameters):
        self._connection = connect(parameters)
        self._channel = self._connection.channel()

    def declare(self, spec: QueueSpec) -> None:
        """Make a queue, and what it needs to set messages aside."""
        arguments: dict[str, Any] = {"x-expires": _REMOVED_AFTER_MS}
        if spec.dead_letter_queue:
            exchange = spec.dead_letter_exchange
            # It goes with its only binding.
            self._channel.exchange_declare(exchange, "fanout", durable=True, auto_delete=True)
            self._channel.queue_declare(
                spec.dead_letter_queue, durable=True, arguments=dict(arguments)
            )
            self._channel.queue_bind(spec.dead_letter_queue, exchange)
            arguments["x-dead-letter-exchange"] = exchange
        self._channel.queue_declare(spec.name, durable=True, arguments=arguments)

    def waiting(self, queue: str) -> int:
        """How many messages of a queue no consumer has been handed."""
        return self._channel.queue_declare(queue, passive=True).method.message_count

    def delete(self, spec: QueueSpec) -> None:
        """Delete a queue with what was made for it; no error if it is gone."""
        self._channel.queue_delete(spec.name)
        if spec.dead_letter_queue:
            self._channel.queue_delete(spec.dead_letter_queue)
            self._channel.exchange_delete(spec.dead_letter_exchange)

    def close(self) -> None:
        """Close the connection."""
        if self._connection.is_open:
            self._connection.close()
