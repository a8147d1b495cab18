"""Locks with faults."""

from __future__ import annotations

from reference.caching import Lock


class ChecksThenAcquires(Lock):
    """It looks whether the lock is free, and acquires it afterwards."""

    def acquire(self, name: str) -> int | None:
        lock, tokens = f"{self._prefix}{name}", f"{self._prefix}{name}:tokens"
        if self._redis.exists(lock):
            return None
        token = int(self._redis.incr(tokens))
        self._redis.set(lock, token, px=self._lease_ms)
        return token


class ReleasesAnybodys(Lock):
    """Whoever releases a lock releases it, whoever holds it."""

    def release(self, name: str, token: int) -> bool:
        return bool(self._redis.delete(f"{self._prefix}{name}"))


class NeverExpires(Lock):
    """The lock of a holder that has crashed is held for ever."""

    def acquire(self, name: str) -> int | None:
        token = super().acquire(name)
        if token is not None:
            self._redis.persist(f"{self._prefix}{name}")
        return token


class StartsAnew(Lock):
    """Fencing tokens begin at 1 again when a lock has been released."""

    def release(self, name: str, token: int) -> bool:
        released = super().release(name, token)
        if released:
            self._redis.delete(f"{self._prefix}{name}:tokens")
        return released
