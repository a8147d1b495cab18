"""Cache-aside: what is not in the cache is loaded from its origin and put there.

With leases, after Nishtala et al., "Scaling Memcache at Facebook" (NSDI 2013): of many that
miss the same record one loads it; and an update takes the lease back, so that what was
loaded before it is not stored after it.
"""

from __future__ import annotations

import time
import uuid
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from urllib.parse import quote, urlsplit

from redis import Redis, WatchError

_PAUSE = 0.01


class OriginError(Exception):
    """The origin does not answer, or answers with an error."""


class CacheAside:
    """Reads through a cache in Redis. Safe to use from several threads and processes.

    Args:
        redis_url: where the cache is.
        origin_url: where records come from; one is at ``origin_url/NAME``.
        prefix: of the keys under which records are kept.
        ttl: seconds for which a record stays in the cache.
        lease: seconds for a load; whoever takes longer is taken for dead.
        ca_file: whom to trust where Redis is reached by TLS (PEM).
    """

    def __init__(
        self,
        redis_url: str,
        origin_url: str,
        prefix: str = "",
        ttl: float = 60.0,
        lease: float = 5.0,
        ca_file: str = "",
    ):
        tls = {"ssl_ca_certs": ca_file} if ca_file else {}
        self._redis = Redis.from_url(redis_url, decode_responses=True, socket_timeout=10, **tls)
        self._origin = urlsplit(origin_url)
        self._prefix = prefix
        self._ttl_ms, self._lease_ms = int(ttl * 1000), int(lease * 1000)

    def get(self, name: str) -> str | None:
        """A record, from the cache or else from its origin; None: there is none.

        Raises:
            OriginError: it cannot be loaded.
            TimeoutError: others have been loading it, and nobody has come to an end.
        """
        deadline = time.monotonic() + 2 * self._lease_ms / 1000
        while time.monotonic() < deadline:
            if (cached := self._redis.get(self._key(name))) is not None:
                return str(cached)
            token = uuid.uuid4().hex
            if self._redis.set(self._lease(name), token, nx=True, px=self._lease_ms):
                return self._load(name, token)
            time.sleep(_PAUSE)  # until whoever loads it has come to an end
        raise TimeoutError(f"{name} is being loaded by others")

    def update(self, name: str, value: str) -> None:
        """Change a record at its origin; what is cached of it is dropped.

        Raises:
            OriginError: it cannot be changed.
        """
        self._ask("PUT", name, value)
        self._redis.delete(self._key(name), self._lease(name))

    def _key(self, name: str) -> str:
        """Where a record is cached."""
        return f"{self._prefix}{name}"

    def _lease(self, name: str) -> str:
        """Held by whoever loads the record."""
        return f"{self._prefix}{name}:lease"

    def _load(self, name: str, token: str) -> str | None:
        """Load and store a record; what others have stored since it was missed counts first."""
        value = None
        try:
            if (cached := self._redis.get(self._key(name))) is not None:
                return str(cached)
            value = self._ask("GET", name)
        finally:
            self._give_back(name, token, value)
        return value

    def _give_back(self, name: str, token: str, value: str | None) -> None:
        """Store what was loaded and end the lease, unless it was taken back."""
        with self._redis.pipeline() as pipeline:
            try:
                pipeline.watch(self._lease(name))
                if pipeline.get(self._lease(name)) != token:
                    return
                pipeline.multi()
                if value is not None:
                    pipeline.set(self._key(name), value, px=self._ttl_ms)
                pipeline.delete(self._lease(name))
                pipeline.execute()
            except WatchError:
                return

    def _ask(self, method: str, name: str, value: str | None = None) -> str | None:
        """Ask the origin; None: it has no such record."""
        path = f"{self._origin.path}/{quote(name, safe='')}"
        body = None if value is None else value.encode()
        connection = HTTPConnection(self._origin.netloc, timeout=self._lease_ms / 1000)
        with closing(connection):
            try:
                connection.request(method, path, body)
                answer = connection.getresponse()
                text = answer.read().decode()
            except (OSError, HTTPException) as error:
                raise OriginError(f"the origin does not answer: {error}") from error
        if answer.status == 404:
            return None
        if answer.status >= 300:
            raise OriginError(f"the origin answers {answer.status} {answer.reason}")
        return text
