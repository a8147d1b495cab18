"""Metrics in Redis: counters, top lists, and measurements by their time."""

from __future__ import annotations

from redis import Redis


class Metrics:
    """Safe to use from several threads and processes.

    Args:
        redis_url: where they are kept.
        prefix: of the keys under which they are kept.
        ca_file: whom to trust where Redis is reached by TLS (PEM).
    """

    def __init__(self, redis_url: str, prefix: str = "", ca_file: str = ""):
        tls = {"ssl_ca_certs": ca_file} if ca_file else {}
        self._redis = Redis.from_url(redis_url, decode_responses=True, socket_timeout=10, **tls)
        self._prefix = prefix

    def count(self, name: str) -> int:
        """Count one more; how many there are."""
        return int(self._redis.incr(f"{self._prefix}count:{name}"))

    def score(self, board: str, member: str, points: int) -> int:
        """Give points to a member of a top list; how many it has."""
        return int(self._redis.zincrby(f"{self._prefix}board:{board}", points, member))

    def top(self, board: str, count: int) -> list[tuple[str, int]]:
        """Those with the most points, with their points; equal ones by name, the last one first."""
        key = f"{self._prefix}board:{board}"
        found = self._redis.zrevrange(key, 0, count - 1, withscores=True)
        return [(member, int(points)) for member, points in found]

    def measure(self, series: str, second: int, value: int) -> None:
        """Keep a measurement; one of that second is replaced."""
        key = self._series(series)
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.zremrangebyscore(key, second, second)
            # Equal values are one member of a sorted set: the second tells them apart.
            pipeline.zadd(key, {f"{second}:{value}": second})
            pipeline.execute()

    def between(self, series: str, first: int, last: int) -> list[tuple[int, int]]:
        """Second and value of the measurements of these seconds, in order."""
        found = self._redis.zrangebyscore(self._series(series), first, last)
        return [(int(second), int(value)) for second, _, value in (m.partition(":") for m in found)]

    def drop(self, series: str, before: int) -> None:
        """Forget the measurements from before a second."""
        self._redis.zremrangebyscore(self._series(series), "-inf", f"({before}")

    def _series(self, name: str) -> str:
        return f"{self._prefix}series:{name}"
