"""Locks with faults."""

from __future__ import annotations

from reference.coordination import RedisLock


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
