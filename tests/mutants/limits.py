"""Rate limiters with faults."""

from __future__ import annotations

import time
import uuid

from reference.caching import FixedWindow, SlidingWindow


class ChecksThenCounts(FixedWindow):
    """It looks how many there were, and counts afterwards."""

    def allow(self, key: str) -> bool:
        name = f"{self._prefix}{key}"
        if int(self._redis.get(name) or 0) >= self._limit:
            return False
        self._redis.set(name, 0, nx=True, px=self._window_ms)
        self._redis.incr(name)
        return True


class OneTooMany(FixedWindow):
    """It permits one request more than the limit."""

    def __init__(
        self, redis_url: str, limit: int, window: float, prefix: str = "", ca_file: str = ""
    ):
        super().__init__(redis_url, limit + 1, window, prefix, ca_file)


class NeverEnds(FixedWindow):
    """The first window of a key is the only one."""

    def allow(self, key: str) -> bool:
        return int(self._redis.incr(f"{self._prefix}{key}")) <= self._limit


class CountsRefused(SlidingWindow):
    """Requests that are refused count as well."""

    def allow(self, key: str) -> bool:
        name, now = f"{self._prefix}{key}", int(time.time() * 1000)
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.zremrangebyscore(name, "-inf", now - self._window_ms)
            pipeline.zadd(name, {uuid.uuid4().hex: now})
            pipeline.zcard(name)
            return int(pipeline.execute()[2]) <= self._limit


class Jumps(SlidingWindow):
    """Its window begins anew when it is over, and does not slide."""

    def allow(self, key: str) -> bool:
        return FixedWindow.allow(self, key)  # type: ignore[arg-type]


class OneTooFew(SlidingWindow):
    """It permits one request less than the limit."""

    def __init__(
        self, redis_url: str, limit: int, window: float, prefix: str = "", ca_file: str = ""
    ):
        super().__init__(redis_url, limit - 1, window, prefix, ca_file)


class KnowsNoKeys(SlidingWindow):
    """All keys share one limit."""

    def allow(self, key: str) -> bool:
        return super().allow("")
