"""Messages that are published, each confirmed, to see which of them are there in the end."""

from __future__ import annotations

import pika
from pika.adapters.blocking_connection import BlockingChannel

from stackproof.services.base import Endpoint
from stackproof.services.rabbitmq.client import channel, close, connect, declare, delete
from stackproof.services.rabbitmq.known import FIRST, PERSISTENT


class MessagesWriter:
    """See `stackproof.services.writer.Writer`; a text is a persistent message of a durable queue.

    In a cluster that is a quorum queue.

    Heartbeats end what is awaited for longer than twice ``timeout``: AMQP itself has no limit.
    """

    through = FIRST

    def __init__(self, endpoint: Endpoint, name: str, *, timeout: float):
        self._endpoint, self._queue, self._timeout = endpoint, name, timeout
        self._channel: BlockingChannel | None = None
        # Not every broker knows that there are kinds.
        quorum = {"queue-type": "quorum"} if len(endpoint.addresses) > 1 else {}
        declare(endpoint, name, arguments=quorum)

    def write(self, text: str) -> None:
        """Publish one message, and wait for its confirm."""
        if self._channel is None:
            beats = max(1, round(self._timeout))
            opened = connect(self._endpoint, timeout=self._timeout, heartbeat=beats).channel()
            opened.confirm_delivery()
            self._channel = opened
        try:
            self._channel.basic_publish(
                "", self._queue, text.encode(),
                pika.BasicProperties(delivery_mode=PERSISTENT), mandatory=True,
            )  # fmt: skip
        except BaseException:
            self._leave()
            raise

    def _leave(self) -> None:
        if self._channel is not None:
            gone, self._channel = self._channel.connection, None
            close(gone)

    def kept(self) -> list[str]:
        """All messages; they stay, for none is acknowledged."""
        found: list[str] = []
        with channel(self._endpoint, timeout=self._timeout) as opened:
            while True:
                told, _, body = opened.basic_get(self._queue)
                if told is None or body is None:
                    return found
                found.append(body.decode(errors="replace"))

    def close(self) -> None:
        """Delete the queue."""
        self._leave()
        delete(self._endpoint, self._queue)
