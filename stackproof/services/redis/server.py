"""Redis: one server, in memory only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from stackproof.obtain import DebianArtifact
from stackproof.services.base import Endpoint, Image, Leftover
from stackproof.services.location import Location
from stackproof.services.nodes import Service
from stackproof.services.probe import Probe
from stackproof.services.redis.known import SERVER
from stackproof.services.where import Node, Where
from stackproof.services.writer import Writer

#: What an idle server takes besides its data, measured: 10 MiB; doubled for its buffers.
_BESIDES_MB = 20
_DATA = "/data"
#: A key is set and got.
_HEALTH = """\
redis-cli set stackproof-check $$ ex 60 > /dev/null \
&& test "$(redis-cli get stackproof-check)" = $$"""


class Redis(Service):
    """The service ``redis``.

    Options: ``max_memory_mb`` (of data; above that, writes are refused), ``config`` (pairs).
    """

    name = "redis"
    title = "Redis"
    server = DebianArtifact("redis-server", "Redis", ("usr/bin/redis-server", "--version"))
    files_suffice = True
    unfit = "*?["  # it takes its file's path for a pattern
    image = Image("REDIS_IMAGE", "redis:7.0.15", "stackproof/redis:7.0.15")
    hello = b"PING\r\n"
    ports: Mapping[str, int] = {"client": 6379}
    options: Mapping[str, Any] = {"max_memory_mb": 64, "config": ()}
    location = Location(
        plain=("redis",),
        encrypted=("rediss",),
        path="database",
        default_path="0",
        default_is_implied=True,
        path_is_number=True,
        variables={
            "url": ("REDIS_URL",),
            "host": ("REDIS_HOST",),
            "port": ("REDIS_PORT",),
            "database": ("REDIS_DB",),
        },
    )

    def nodes(self, where: Where) -> list[Node]:
        """One server with one configuration file; it writes nothing else."""
        address, port = where.listen(SERVER)
        settings = {
            "bind": address,
            "port": port,
            "dir": _quoted(where.data(SERVER, _DATA)),
            "protected-mode": "no",  # reached from this machine or its own network alone
            "save": '""',
            "appendonly": "no",
            "maxmemory": f"{where.options['max_memory_mb']}mb",
            "maxmemory-policy": "noeviction",
            **dict(where.options["config"]),
        }
        text = "".join(f"{key} {value}\n" for key, value in settings.items())
        return [
            Node(
                SERVER,
                [where.program("redis-server"), where.file(SERVER, "redis.conf")],
                files={"redis.conf": text},
                data=where.data(SERVER, _DATA),
                user="redis",
                memory_mb=where.options["max_memory_mb"] + _BESIDES_MB,
                health=("sh", "-c", _HEALTH),
            )
        ]

    def probe(self, endpoint: Endpoint, *, timeout: float) -> Probe:
        """See `stackproof.services.redis.probe`."""
        from stackproof.services.redis.probe import RedisProbe

        return RedisProbe(endpoint, timeout=timeout)

    def writer(self, endpoint: Endpoint, name: str, *, timeout: float) -> Writer:
        """See `stackproof.services.redis.writer`."""
        from stackproof.services.redis.writer import KeysWriter

        return KeysWriter(endpoint, name, timeout=timeout)

    @cached_property
    def unready(self) -> tuple[type[BaseException], ...]:
        """Refused connections, time-outs, and a server that still loads its data."""
        from redis import exceptions

        return (
            exceptions.ConnectionError, exceptions.TimeoutError, exceptions.BusyLoadingError,
            OSError,
        )  # fmt: skip

    def version(self, endpoint: Endpoint) -> str:
        """Valkey says a version of Redis that it is compatible with, and its own besides."""
        from stackproof.services.redis.client import connect

        with connect(endpoint, timeout=5.0) as client:
            told = client.info("server")
        name = str(told.get("server_name", "redis"))
        return f"{name.capitalize()} {told.get(f'{name}_version', told.get('redis_version'))}"

    def leftovers(self, endpoint: Endpoint, prefix: str) -> list[Leftover]:
        """Keys, found without holding up the server."""
        from stackproof.services.redis.client import connect

        pattern = re.sub(r"([*?\[\]\\])", r"\\\1", prefix) + "*"
        with connect(endpoint) as client:
            found = set(client.scan_iter(match=pattern, count=1000))
        return [Leftover("key", key.decode("utf-8", "backslashreplace")) for key in sorted(found)]

    def remove(self, endpoint: Endpoint, leftovers: Sequence[Leftover]) -> None:
        """A thousand keys at a time."""
        from stackproof.services.redis.client import connect

        names = [item.name for item in leftovers]
        with connect(endpoint) as client:
            for first in range(0, len(names), 1000):
                client.delete(*names[first : first + 1000])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


SERVICE = Redis
