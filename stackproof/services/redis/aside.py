"""Cache-aside: what is not in the cache is loaded from its origin and put there.

With leases, after Nishtala et al., "Scaling Memcache at Facebook" (NSDI 2013): of many that
miss the same record one loads it; and an update takes the lease back, so that what was
loaded before it is not stored after it.
"""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import EllipsisType
from typing import TYPE_CHECKING

from redis import Redis, WatchError

from stackproof.history import Registers
from stackproof.polling import poll
from stackproof.services.redis.origin import Origin

if TYPE_CHECKING:
    from stackproof.history import Answer, History

_SPACE = "customers"


class CacheAside:
    """Reads through a cache. Safe to use from several threads.

    Args:
        client: the cache.
        origin: where records come from.
        key_of: key of what it keeps under a name.
        ttl: seconds for which a record stays in the cache.
        lease: seconds after which whoever loads is taken for dead.
    """

    def __init__(
        self,
        client: Redis,
        origin: Origin,
        key_of: Callable[[str], str],
        *,
        ttl: float,
        lease: float = 5,
    ):
        self._client = client
        self._origin = origin
        self._key_of = key_of
        self._ttl_ms, self._lease_ms = int(ttl * 1000), int(lease * 1000)
        #: Names that were asked for and were not in the cache, once for each reading.
        self.missed: list[str] = []

    def _key(self, name: str) -> str:
        """Where a record is cached."""
        return self._key_of(f"aside:{name}")

    def _lease(self, name: str) -> str:
        """Held by whoever loads the record."""
        return self._key_of(f"aside:{name}:lease")

    def get(self, name: str, *, within: float) -> bytes:
        """A record, from the cache or else from its origin.

        Raises:
            DeadlineExceeded: somebody else has been loading it all the time.
        """
        missed = False

        def attempt() -> bytes | None:
            nonlocal missed
            if (cached := self._client.get(self._key(name))) is not None:
                return cached
            if not missed:
                missed = True
                self.missed.append(name)
            return self._load(name)

        value = poll(
            attempt,
            until=lambda value: value is not None,
            within=within,
            awaiting=f"{name}, which another reader loads",
            longest_pause=0.02,
        )
        assert value is not None
        return value

    def _load(self, name: str) -> bytes | None:
        """Load and store it; None while another one holds the lease."""
        token = uuid.uuid4().bytes
        if not self._client.set(self._lease(name), token, nx=True, px=self._lease_ms):
            return None
        # Stored and given back between the miss and the lease?
        if (cached := self._client.get(self._key(name))) is not None:
            self._give_back(name, token, None)
            return cached
        value = self._origin.load(name)
        self._give_back(name, token, value)
        return value

    def _give_back(self, name: str, token: bytes, value: bytes | None) -> None:
        """Store what was loaded and end the lease, unless it was taken back."""
        with self._client.pipeline() as pipeline:
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

    def update(self, name: str, value: bytes) -> None:
        """Change a record at its origin; what is cached of it is dropped."""
        self._origin.update(name, value)
        with self._client.pipeline() as pipeline:
            pipeline.delete(self._key(name))
            pipeline.delete(self._lease(name))
            pipeline.execute()


class Observed:
    """Updates and readings of many threads, recorded as operations on registers.

    Args:
        cache: what is read through.
        history: what is done is recorded there; each thread is a client.
    """

    def __init__(self, cache: CacheAside, history: History):
        self._cache = cache
        self._history = history
        self._numbers = itertools.count(1)
        self._own = threading.local()
        #: What was told of readings that nobody served.
        self.unserved: list[str] = []

    def update(self, name: str, content: bytes) -> None:
        """Update a record."""
        with self._doing("write", name, content):
            self._cache.update(name, content)

    def read(self, name: str, *, within: float) -> None:
        """Read a record through the cache."""
        with self._doing("read", name) as answer:
            answer.value = self._cache.get(name, within=within)

    def _doing(
        self, action: str, name: str, value: bytes | EllipsisType = ...
    ) -> AbstractContextManager[Answer]:
        if not hasattr(self._own, "client"):
            self._own.client = f"client {next(self._numbers)}"
        return self._history.doing(
            action, client=self._own.client, space=_SPACE, key=name, value=value
        )

    def expected(self) -> Registers:
        """Every reading told what was written, and nothing that had been replaced before it."""
        return Registers("customers behind the cache", _SPACE, consistency="regular")
