"""Redis: one server, in memory only."""

from __future__ import annotations

import re
import shlex
import uuid
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from stackproof.access import Access
from stackproof.errors import Trouble
from stackproof.obtain import Artifact, DebianArtifact
from stackproof.obtain.debian import library_path
from stackproof.paths import demand_plain
from stackproof.ports import LOOPBACK
from stackproof.services.base import (
    Composition,
    ConnectionSetting,
    Endpoint,
    Image,
    Leftover,
    ProcessSpec,
    Site,
)
from stackproof.services.external import logged_in, number, read_url, required, url_text
from stackproof.urls import ServiceUrl, host_and_port

_ANSWERS_WITHIN = 5.0
_PORT = 6379
_PROGRAM = "usr/bin/redis-server"
#: What an idle server takes besides its data, measured: 10 MiB; doubled for its buffers.
_BESIDES_MB = 20


class Redis:
    """The service ``redis``; options: ``max_memory_mb`` of data, ``config`` (pairs)."""

    name = "redis"
    title = "Redis"
    start_within = 30.0

    def __init__(self) -> None:
        self._server = DebianArtifact("redis-server", "Redis", (_PROGRAM, "--version"))

    def default_options(self) -> dict[str, Any]:
        """Room for 64 MiB of data; above that, writes are refused."""
        return {"max_memory_mb": 64, "config": ()}

    def memory_mb(self, options: Mapping[str, Any]) -> int:
        """The data's limit and what the server needs besides."""
        return options["max_memory_mb"] + _BESIDES_MB

    def artifacts(self) -> Sequence[Artifact]:
        """The server's package with its libraries."""
        return (self._server,)

    def lay_out(self, site: Site) -> list[ProcessSpec]:
        """One process, one configuration file; paths are relative, so that it may lie anywhere."""
        root = site.cache.path(self._server)
        place = site.directory / site.cluster
        demand_plain(place, "Redis", "*?[")  # it takes its file's path for a pattern
        place.mkdir(parents=True)
        settings = {
            "bind": LOOPBACK,
            "port": site.port("client"),
            "dir": ".",
            "daemonize": "no",
            "save": '""',
            "appendonly": "no",
            "maxmemory": f"{site.options['max_memory_mb']}mb",
            "maxmemory-policy": "noeviction",
            **dict(site.options["config"]),
        }
        file = place / "redis.conf"
        file.write_text(
            "".join(f"{key} {value}\n" for key, value in settings.items()), encoding="utf-8"
        )
        return [
            ProcessSpec(site.cluster, [str(root / _PROGRAM), file.name], place, library_path(root))
        ]

    def images(self) -> Sequence[Image]:
        """The official one in the version that Debian's package has."""
        return (Image("REDIS_IMAGE", "redis:7.0.15", "stackproof/redis:7.0.15"),)

    def compose(self, site: Site) -> Composition:
        """One container; further settings become arguments of the server."""
        limit = site.options["max_memory_mb"]
        extra = [
            f"--{key} {shlex.quote(str(v))}" for key, v in dict(site.options["config"]).items()
        ]
        return Composition(
            instances={site.cluster: "redis"},
            environment={
                "REDIS_PUBLISHED": str(site.port("client")),
                "REDIS_MAX_MEMORY": f"{limit}mb",
                "REDIS_MEMORY": f"{limit + _BESIDES_MB}m",
                "REDIS_ARGUMENTS": " ".join(extra),
            },
        )

    def addresses(self, site: Site) -> dict[str, str]:
        """``server``: ``host:port``, followed by ``/number`` for a database other than 0."""
        return {"server": f"{LOOPBACK}:{site.port('client')}"}

    def connection_settings(self) -> Sequence[ConnectionSetting]:
        """A URL, or host, port and database."""
        return (
            ConnectionSetting(
                "url", ("REDIS_URL",), "redis://user:password@host:port/database, or rediss://",
                secret=True,
            ),
            ConnectionSetting("url_file", ("REDIS_URL_FILE",), "file that holds it", is_file=True),
            ConnectionSetting("host", ("REDIS_HOST",), "where the server is, if no URL says it"),
            ConnectionSetting("port", ("REDIS_PORT",), f"its port; default: {_PORT}"),
            ConnectionSetting("database", ("REDIS_DB",), "number of the database; default: 0"),
        )  # fmt: skip

    def connect(self, texts: Mapping[str, str], access: Access) -> tuple[dict[str, str], Access]:
        """``server``: as the native provider's."""
        text = url_text(self, texts)
        url = read_url(self, text, ("redis", "rediss")) if text else ServiceUrl("", "")
        host = url.host or required(self, texts, "host")
        port = number(self, "port", url.port or texts.get("port") or _PORT)
        database = number(self, "database", url.path or texts.get("database") or 0)
        address = host_and_port(host, port) + (f"/{database}" if database else "")
        return {"server": address}, logged_in(access, url, tls=url.scheme == "rediss")

    def check(self, endpoint: Endpoint, *, timeout: float) -> None:
        """Set a key of its own and get it again; it does not outlive ten seconds.

        Raises:
            NotSupported: it is part of a Redis Cluster, or a Sentinel.
        """
        from stackproof.services.redis.client import connect
        from stackproof.services.redis.refusals import refuse_other_modes

        key, value = endpoint.check_name(), uuid.uuid4().bytes
        with connect(endpoint.addresses, endpoint.access, timeout=timeout) as client:
            refuse_other_modes(client, endpoint.addresses["server"])
            client.set(key, value, px=10_000)
            got = client.get(key)
            client.delete(key)
        if got != value:
            raise _NotReadyError(f"{got!r} was got where {value!r} was set")

    @cached_property
    def unready(self) -> tuple[type[BaseException], ...]:
        """Refused connections, time-outs, and a server that still loads its data."""
        from redis import exceptions

        return (
            _NotReadyError, exceptions.ConnectionError, exceptions.TimeoutError,
            exceptions.BusyLoadingError, OSError,
        )  # fmt: skip

    def leftovers(self, endpoint: Endpoint, prefix: str) -> list[Leftover]:
        """Keys, found without holding up the server."""
        from stackproof.services.redis.client import connect

        pattern = re.sub(r"([*?\[\]\\])", r"\\\1", prefix) + "*"
        with connect(endpoint.addresses, endpoint.access) as client:
            names = {name.decode("utf-8", "backslashreplace") for name in
                     client.scan_iter(match=pattern, count=1000)}  # fmt: skip
        return [Leftover("key", name) for name in sorted(names)]

    def remove(self, endpoint: Endpoint, leftovers: Sequence[Leftover]) -> None:
        """A thousand keys at a time."""
        from stackproof.services.redis.client import connect

        names = [item.name for item in leftovers]
        with connect(endpoint.addresses, endpoint.access) as client:
            for first in range(0, len(names), 1000):
                client.delete(*names[first : first + 1000])

    def why_unreachable(self, endpoint: Endpoint, *, timeout: float) -> Trouble | None:
        """Network, TLS, log-in, in this order."""
        from stackproof.services.redis.diagnosis import diagnose

        return diagnose(endpoint.addresses, endpoint.access, timeout=timeout)

    def version(self, endpoint: Endpoint) -> str:
        """Valkey says a version of Redis that it is compatible with, and its own besides."""
        from stackproof.services.redis.client import connect

        with connect(endpoint.addresses, endpoint.access, timeout=_ANSWERS_WITHIN) as client:
            told = client.info("server")
        name = str(told.get("server_name", "redis"))
        return f"{name.capitalize()} {told.get(f'{name}_version', told.get('redis_version'))}"

    def ready_line(self, endpoint: Endpoint) -> str:
        """Its URL, without credentials."""
        scheme = "rediss" if endpoint.access.tls else "redis"
        return f"{scheme}://{endpoint.addresses['server']}"


class _NotReadyError(Exception):
    """It answers, but not with what it was given."""


SERVICE = Redis
