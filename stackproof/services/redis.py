"""Redis: one server, in memory only."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlsplit

from stackproof.access import Access
from stackproof.errors import NotSupported, Trouble
from stackproof.masking import register_secret
from stackproof.obtain import Artifact, DebianArtifact
from stackproof.obtain.debian import library_path
from stackproof.ports import LOOPBACK
from stackproof.services.base import (
    Composition,
    ConnectionSetting,
    Endpoint,
    ProcessSpec,
    Site,
)
from stackproof.services.external import required

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
        """One process, one configuration file."""
        root = site.cache.path(self._server)
        place = site.directory / site.cluster
        place.mkdir(parents=True)
        settings = {
            "bind": LOOPBACK,
            "port": site.port("client"),
            "dir": place,
            "daemonize": "no",
            "save": '""',
            "appendonly": "no",
            "maxmemory": f"{site.options['max_memory_mb']}mb",
            "maxmemory-policy": "noeviction",
            **dict(site.options["config"]),
        }
        file = place / "redis.conf"
        file.write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
        return [
            ProcessSpec(site.cluster, [str(root / _PROGRAM), str(file)], place, library_path(root))
        ]

    def compose(self, site: Site) -> Composition:
        """Not there yet."""
        raise NotSupported("Redis does not run in containers yet")

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
            ConnectionSetting("host", ("REDIS_HOST",), "where the server is, without a URL"),
            ConnectionSetting("port", ("REDIS_PORT",), f"its port; default: {_PORT}"),
            ConnectionSetting("database", ("REDIS_DB",), "number of the database; default: 0"),
        )  # fmt: skip

    def connect(self, texts: Mapping[str, str], access: Access) -> tuple[dict[str, str], Access]:
        """``server``: as the native provider's."""
        if texts.get("url"):
            return self._from_url(texts["url"], texts, access)
        host = required(self, texts, "host")
        return {"server": self._address(host, texts.get("port"), texts.get("database"))}, access

    def _from_url(
        self, url: str, texts: Mapping[str, str], access: Access
    ) -> tuple[dict[str, str], Access]:
        parts = urlsplit(url)
        if parts.scheme not in ("redis", "rediss") or not parts.hostname:
            raise self._wrong(
                "url", "it is no URL that begins with redis:// or rediss:// and a host"
            )
        if parts.query or parts.fragment:
            raise self._wrong("url", "what follows ? or # in it is not understood")
        try:
            port = parts.port
        except ValueError as error:
            raise self._wrong("url", str(error)) from None
        if unquote(parts.password or ""):
            register_secret(unquote(parts.password or ""))
        address = self._address(
            parts.hostname, str(port or ""), parts.path.strip("/") or texts.get("database")
        )
        if texts.get("host") and not address.startswith(
            self._address(texts["host"], texts.get("port"), "")
        ):
            raise self._wrong("host", f"the URL names another server: {address}")
        return {"server": address}, replace(
            access,
            tls=access.tls or parts.scheme == "rediss",
            username=unquote(parts.username or "") or access.username,
            password=unquote(parts.password or "") or access.password,
        )

    def _address(self, host: str, port: str | None, database: str | None) -> str:
        for key, text, default in (("port", port, _PORT), ("database", database, 0)):
            if text and not text.isdecimal():
                raise self._wrong(key, f"{text!r} is no number (default: {default})")
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        number = int(database or 0)
        return f"{host}:{int(port or _PORT)}" + (f"/{number}" if number else "")

    def _wrong(self, key: str, why: str) -> Trouble:
        variables = next(s.variables for s in self.connection_settings() if s.key == key)
        return Trouble(
            f"services.redis.{key} cannot be used", why,
            f"correct it, e.g. redis://127.0.0.1:6379/0 (environment: {', '.join(variables)})",
        )  # fmt: skip

    def check(self, endpoint: Endpoint, *, timeout: float) -> None:
        """Set a key of its own and get it again; it does not outlive ten seconds."""
        from stackproof.clients.redis.connection import connect

        key, value = f"stackproof-check-{uuid.uuid4().hex}", uuid.uuid4().bytes
        with connect(endpoint.addresses, endpoint.access, timeout=timeout) as client:
            client.set(key, value, px=10_000)
            got = client.getdel(key)
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

    def ready_line(self, endpoint: Endpoint) -> str:
        """Its URL, without credentials."""
        scheme = "rediss" if endpoint.access.tls else "redis"
        return f"{scheme}://{endpoint.addresses['server']}"


class _NotReadyError(Exception):
    """It answers, but not with what it was given."""


SERVICE = Redis
