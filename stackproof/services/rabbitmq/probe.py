"""What a RabbitMQ node says of itself, asked by a connection of its own."""

from __future__ import annotations

import uuid

from pika.exceptions import AMQPConnectionError

from stackproof.services.base import Endpoint
from stackproof.services.rabbitmq.client import channel, manage
from stackproof.services.rabbitmq.known import FIRST


class RabbitMQProbe:
    """See `stackproof.services.probe.Probe`."""

    def __init__(self, endpoint: Endpoint, *, timeout: float):
        self._endpoint = endpoint
        self._timeout = timeout

    def answers(self, node: str = FIRST) -> None:
        """It lets a client in and opens a channel."""
        with channel(self._endpoint, node, timeout=self._timeout):
            pass

    def accepts_writes(self, node: str = FIRST) -> None:
        """A message to a queue that nobody else sees is confirmed, and got from there again."""
        self._through(node, uuid.uuid4().bytes)

    def carries(self, node: str, size: int) -> None:
        """The same with a message of that size."""
        self._through(node, b"x" * size)

    def _through(self, node: str, body: bytes) -> None:
        queue = self._endpoint.check_name()
        with channel(self._endpoint, node, timeout=self._timeout) as opened:
            opened.confirm_delivery()
            opened.queue_declare(queue, exclusive=True, auto_delete=True)
            opened.basic_publish("", queue, body, mandatory=True)
            _, _, got = opened.basic_get(queue, auto_ack=True)
        if got != body:
            told = got and got[:20]
            raise AMQPConnectionError(f"{told!r} was got where {body[:20]!r} was published")

    def seen_by_peers(self, node: str) -> None:
        """Another node has it among those that run; of the only one there is nobody to ask."""
        problem: Exception | None = None
        for other in (name for name in self._endpoint.addresses if name != node):
            try:
                seen = manage(self._endpoint, "nodes", other, timeout=self._timeout)
            except OSError as error:
                problem = error
                continue
            running = [one["name"] for one in seen if one["running"]]
            if any(name.startswith(f"{node}@") for name in running):
                return
            problem = AMQPConnectionError(f"{other} sees {', '.join(running)} running")
        if problem is not None:
            raise problem

    def healthy(self) -> None:
        """Every node accepts writes, and is seen to run by another one."""
        for node in self._endpoint.addresses:
            self.accepts_writes(node)
            self.seen_by_peers(node)

    def close(self) -> None:
        """Each question has a connection of its own."""
