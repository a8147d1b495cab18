"""A lock by Redis: whoever has set its key holds it, for as long as the key lives."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from redis import Redis, RedisError, WatchError

from reference.coordination.errors import NotAcquiredError, StaleTokenError

_PAUSE = 0.02


class RedisLock:
    """One client of locks.

    Args:
        redis_url: the server.
        prefix: of all keys.
        ttl: seconds after which a holder that is silent has lost its lock.
        ca_file: whom to trust where Redis is reached by TLS (PEM).
    """

    def __init__(self, redis_url: str, prefix: str, ttl: float = 5, ca_file: str = ""):
        tls = {"ssl_ca_certs": ca_file} if ca_file else {}
        self._redis = Redis.from_url(redis_url, socket_timeout=ttl, **tls)
        self._prefix, self._ttl_ms = prefix, int(ttl * 1000)
        self._held: dict[str, tuple[int, threading.Event]] = {}

    def acquire(self, name: str, wait: float) -> int:
        """Wait for the lock; its fencing token.

        Raises:
            NotAcquiredError: it was not free within ``wait`` seconds.
        """
        until, ended = time.monotonic() + wait, threading.Event()
        while (token := self._try(name)) is None:
            if time.monotonic() > until:
                raise NotAcquiredError(f"{name} was not free within {wait:g} s")
            ended.wait(_PAUSE)
        self._held[name] = token, ended
        threading.Thread(target=self._keep_alive, args=(name, token, ended), daemon=True).start()
        return token

    def release(self, name: str) -> None:
        """Give the lock back; one that is held by another client by now stays as it is."""
        token, ended = self._held.pop(name)
        ended.set()
        with suppress(StaleTokenError):
            self._while_held(name, token, "delete", self._key(name))

    def write(self, name: str, value: str, token: int) -> None:
        """Write what the lock protects.

        Raises:
            StaleTokenError: the lock with this token is not held any more.
        """
        self._while_held(name, token, "set", f"{self._key(name)}:value", value)

    def _key(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def _try(self, name: str) -> int | None:
        """Take the lock, with a token that is greater than all before; None: it is taken."""
        lock, tokens = self._key(name), f"{self._key(name)}:tokens"
        with self._redis.pipeline() as pipeline:
            try:
                pipeline.watch(lock, tokens)
                if pipeline.exists(lock):
                    return None
                token = int(pipeline.get(tokens) or 0) + 1
                pipeline.multi()
                pipeline.set(lock, token, px=self._ttl_ms)
                pipeline.set(tokens, token)
                pipeline.execute()
            except WatchError:
                return None
        return token

    def _while_held(self, name: str, token: int, command: str, *arguments: str | int) -> None:
        """Do one command if the lock is held by this token at that moment."""
        lock = self._key(name)
        with self._redis.pipeline() as pipeline:
            while True:
                pipeline.watch(lock)
                if int(pipeline.get(lock) or 0) != token:
                    raise StaleTokenError(f"{name} with the token {token} is not held any more")
                pipeline.multi()
                getattr(pipeline, command)(*arguments)
                with suppress(WatchError):  # kept alive or lost meanwhile
                    pipeline.execute()
                    return

    def _keep_alive(self, name: str, token: int, ended: threading.Event) -> None:
        while not ended.wait(self._ttl_ms / 4000):
            with suppress(RedisError):
                try:
                    self._while_held(name, token, "pexpire", self._key(name), self._ttl_ms)
                except StaleTokenError:
                    return
