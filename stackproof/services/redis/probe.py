"""What a Redis server says of itself, asked by a connection of its own."""

from __future__ import annotations

import uuid

from redis import Redis, exceptions

from stackproof.errors import ELSEWHERE, NotSupported
from stackproof.services.base import Endpoint
from stackproof.services.redis.client import connect
from stackproof.services.redis.known import SERVER
from stackproof.services.redis.refusals import IN_CLUSTER


class RedisProbe:
    """See `stackproof.services.probe.Probe`."""

    def __init__(self, endpoint: Endpoint, *, timeout: float):
        self._endpoint = endpoint
        self._timeout = timeout

    def _client(self, node: str) -> Redis:
        return connect(self._endpoint, node, timeout=self._timeout)

    def answers(self, node: str = SERVER) -> None:
        """It lets a client in and answers."""
        with self._client(node) as client:
            client.ping()

    def accepts_writes(self, node: str = SERVER) -> None:
        """A key of its own is set and got again; it does not outlive ten seconds."""
        key, value = self._endpoint.check_name(), uuid.uuid4().bytes
        with self._client(node) as client:
            client.set(key, value, px=10_000)
            got = client.get(key)
            client.delete(key)
        if got != value:
            raise exceptions.ConnectionError(f"{got!r} was got where {value!r} was set")

    def carries(self, node: str, size: int) -> None:
        """It echoes a word of that size."""
        with self._client(node) as client:
            if len(client.echo(b"x" * size)) != size:
                raise exceptions.ConnectionError("the echo is not what was sent")

    def healthy(self) -> None:
        """It accepts writes, and stands on its own.

        Raises:
            NotSupported: it is part of a Redis Cluster, or a Sentinel.
        """
        with self._client(SERVER) as client:
            _refuse_other_modes(client, self._endpoint.addresses[SERVER])
        self.accepts_writes()

    def close(self) -> None:
        """Each question has a connection of its own."""


def _refuse_other_modes(client: Redis, place: str) -> None:
    """Nothing but a server on its own will do; one that keeps its mode to itself may be one."""
    try:
        # Nearly every user may say HELLO, before Redis 6 nobody; INFO is often kept back.
        answer = client.execute_command("HELLO")
        mode = dict(zip(answer[::2], answer[1::2], strict=True)).get(b"mode", b"").decode()
    except exceptions.ResponseError:
        try:
            mode = client.info("server").get("redis_mode", "")
        except exceptions.ResponseError:
            return
    said = f"it says: its mode is {mode}"
    if mode == "cluster":
        raise NotSupported(f"{place} {IN_CLUSTER}", said, ELSEWHERE)
    if mode == "sentinel":
        raise NotSupported(f"{place} is a Redis Sentinel, which holds no keys", said,
                           "name the server that it watches")  # fmt: skip
