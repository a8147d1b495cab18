"""Locks with faults."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from contextlib import suppress
from secrets import token_hex
from typing import Any

from kazoo.recipe.lock import Lock

from reference.coordination import (
    EtcdElection,
    EtcdLock,
    RedisLock,
    StaleTokenError,
    ZooKeeperElection,
    ZooKeeperLock,
)


class ChecksThenTakes(RedisLock):
    """It looks whether the lock is free, and takes it afterwards."""

    def _try(self, name: str) -> int | None:
        if self._redis.exists(self._key(name)):
            return None
        token = int(self._redis.incr(f"{self._key(name)}:tokens"))
        self._redis.set(self._key(name), token, px=self._ttl_ms)
        return token


class BelievesItsHolder(RedisLock):
    """Whoever once held the lock may write what it protects."""

    def write(self, name: str, value: str, token: int) -> None:
        self._redis.set(f"{self._key(name)}:value", value)


class NeverExpires(RedisLock):
    """The lock of a holder that is paused or killed is held for ever."""

    def _try(self, name: str) -> int | None:
        token = super()._try(name)
        if token is not None:
            self._redis.persist(self._key(name))
        return token


class StartsAnew(RedisLock):
    """Fencing tokens begin at 1 again when a lock has been given back."""

    def release(self, name: str) -> None:
        super().release(name)
        self._redis.delete(f"{self._key(name)}:tokens")


class EtcdGrantsAlways(EtcdLock):
    """Whoever asks for the lock has it: two leaders."""

    def _waiting(self, name: str) -> Iterator[dict[str, Any]]:
        own = self._held[name][1]
        yield from (one for one in super()._waiting(name) if _text(one["key"]) == own)


class EtcdLeaseForEver(EtcdLock):
    """The lease of a holder that is gone never ends."""

    def __init__(self, endpoints: str, prefix: str, ttl: int = 5):
        super().__init__(endpoints, prefix, 3600)
        self._alive_every = ttl


class EtcdFencesNothing(EtcdLock):
    """A write is taken from whoever sends it."""

    def _fence(self, compared: dict[str, Any]) -> list[dict[str, Any]]:
        return []


class EtcdTokensFall(EtcdLock):
    """Tokens are no greater than those of before."""

    _numbers = itertools.count(1)

    def _granted(self, first: dict[str, Any]) -> int:
        self._token = super()._granted(first)
        return 1_000_000_000 - self._token

    def write(self, name: str, value: str, token: int) -> None:
        super().write(name, value, 1_000_000_000 - token)


class EtcdElectsEverybody(EtcdElection):
    """Every candidate has an election of its own."""

    def __init__(self, endpoints: str, prefix: str, ttl: int = 5):
        super().__init__(endpoints, f"{prefix}{token_hex(4)}-", ttl)


class EtcdProclaimsAlways(EtcdElection):
    """A former leader is not told that it is none any more."""

    def write(self, name: str, value: str, token: int) -> None:
        with suppress(StaleTokenError):
            super().write(name, value, token)


class ZooKeeperElectsEverybody(ZooKeeperElection):
    """Every candidate has an election of its own."""

    def _lock(self, path: str) -> Lock:
        return super()._lock(f"{path}-{self._client.client_id[0]}")


class ZooKeeperGrantsAlways(ZooKeeperLock):
    """Everybody has a lock of their own."""

    def _lock(self, path: str) -> Lock:
        return super()._lock(f"{path}-{self._client.client_id[0]}")


class ZooKeeperFencesNothing(ZooKeeperLock):
    """A write is taken from whoever sends it."""

    def _fence(self, transaction: object, node: str) -> None:
        pass


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()
