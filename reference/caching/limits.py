"""Rate limiters in Redis: how many requests of a key are permitted in a time."""

from __future__ import annotations

import threading
import time
import uuid

from redis import Redis, WatchError


class _Limiter:
    """Safe to use from several threads and processes.

    Args:
        redis_url: where it counts.
        limit: requests of one key in a window.
        window: its length in seconds.
        prefix: of the keys that it counts by.
        ca_file: whom to trust where Redis is reached by TLS (PEM).
    """

    def __init__(
        self, redis_url: str, limit: int, window: float, prefix: str = "", ca_file: str = ""
    ):
        tls = {"ssl_ca_certs": ca_file} if ca_file else {}
        self._redis = Redis.from_url(redis_url, socket_timeout=10, **tls)
        self._limit, self._window_ms = limit, int(window * 1000)
        self._prefix = prefix


class FixedWindow(_Limiter):
    """A window begins with a request, and the next one with the first request after its end."""

    def allow(self, key: str) -> bool:
        """Whether a request is permitted now."""
        name = f"{self._prefix}{key}"
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.set(name, 0, nx=True, px=self._window_ms)
            pipeline.incr(name)
            _, count = pipeline.execute()
        return int(count) <= self._limit


class SlidingWindow(_Limiter):
    """At each moment, the window is the time before it; by the clock of this machine."""

    def __init__(
        self, redis_url: str, limit: int, window: float, prefix: str = "", ca_file: str = ""
    ):
        super().__init__(redis_url, limit, window, prefix, ca_file)
        # Threads of one process wait for each other rather than try again and again.
        self._turn = threading.Lock()

    def allow(self, key: str) -> bool:
        """Whether a request is permitted now."""
        name = f"{self._prefix}{key}"
        with self._turn, self._redis.pipeline() as pipeline:
            while True:
                try:
                    pipeline.watch(name)
                    now = int(time.time() * 1000)
                    over = now - self._window_ms
                    if int(pipeline.zcount(name, over + 1, "+inf")) >= self._limit:
                        return False
                    pipeline.multi()
                    pipeline.zremrangebyscore(name, "-inf", over)
                    pipeline.zadd(name, {uuid.uuid4().hex: now})
                    pipeline.pexpire(name, self._window_ms)
                    pipeline.execute()
                except WatchError:
                    continue
                return True
