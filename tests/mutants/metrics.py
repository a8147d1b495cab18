"""Stores of metrics with faults."""

from __future__ import annotations

from reference.caching import Metrics


class CountsInTwoSteps(Metrics):
    """It reads a counter, and writes one more."""

    def count(self, name: str) -> int:
        key = f"{self._prefix}count:{name}"
        found = int(self._redis.get(key) or 0) + 1
        self._redis.set(key, found)
        return found


class ScoresTheLast(Metrics):
    """Points replace those of before."""

    def score(self, board: str, member: str, points: int) -> int:
        self._redis.zadd(f"{self._prefix}board:{board}", {member: points})
        return points


class KeepsEqualOnce(Metrics):
    """Of equal measurements the latest one alone is kept."""

    def measure(self, series: str, second: int, value: int) -> None:
        self._redis.zadd(self._series(series), {f":{value}": second})

    def between(self, series: str, first: int, last: int) -> list[tuple[int, int]]:
        found = self._redis.zrangebyscore(self._series(series), first, last, withscores=True)
        return [(int(second), int(member[1:])) for member, second in found]


class DropsOneTooMany(Metrics):
    """The second from which on measurements are kept is dropped as well."""

    def drop(self, series: str, before: int) -> None:
        super().drop(series, before + 1)
