"""Metrics that a scenario keeps in Redis: counters, top lists, measurements by time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from stackproof.errors import step_missing
from stackproof.services.fixture import Scenario
from stackproof.services.redis.fixture import RedisFixture

_MEMBERS = 40


class Counting:
    """Counts by several clients at once, and what the scenario itself has counted."""

    def __init__(self, scenario: Scenario):
        self._scenario = scenario
        self._redis = scenario.use(RedisFixture)
        self._client = self._redis.client
        self._scores: Counter[str] = Counter()
        self._measured: list[tuple[str, float]] = []
        scenario.parameters["seed"] = str(scenario.seed)

    def increment(self, name: str, clients: int, each: int) -> list[int]:
        """Have clients increment a counter at once; all answers, in order of size."""
        key, history = self._redis.own(name), self._scenario.history

        def one(number: int) -> int:
            client = f"client {number % clients + 1}"
            with history.doing("write", client=client, space="counters", key=key) as answer:
                found = int(self._client.incr(key))
                answer.value = str(found)
            return found

        with ThreadPoolExecutor(clients) as threads:
            return sorted(threads.map(one, range(clients * each)))

    def score(self, name: str, clients: int, each: int) -> None:
        """Have clients give points to members of a top list at once."""
        key, history = self._redis.own(name), self._scenario.history

        def one(number: int) -> tuple[str, int]:
            choice = random.Random(f"{self._scenario.seed} {number}")
            member, points = f"member {choice.randrange(_MEMBERS)}", choice.randrange(1, 50)
            client = f"client {number % clients + 1}"
            with history.doing(
                "write", client=client, space=name, key=member
            ) as answer:  # fmt: skip
                answer.value = str(self._client.zincrby(key, points, member))
            return member, points

        with ThreadPoolExecutor(clients) as threads:
            for member, points in threads.map(one, range(clients * each)):
                self._scores[member] += points

    def top(self, name: str, count: int) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
        """The first of a top list as the server has them, and as they must be."""
        if not self._scores:
            raise step_missing("a top list", '4 clients each give points 100 times in "scores"')
        told = self._client.zrevrange(self._redis.own(name), 0, count - 1, withscores=True)
        wanted = sorted(self._scores.items(), key=lambda one: (one[1], one[0]), reverse=True)
        return [(member.decode(), int(score)) for member, score in told], wanted[:count]

    def measure(self, name: str, count: int) -> None:
        """Keep a measurement for each of so many seconds, in any order."""
        key = self._redis.own(name)
        seconds = list(range(count))
        random.Random(self._scenario.seed).shuffle(seconds)
        for second in seconds:
            value = f"{second}: {second * 7 % 100}"
            self._measured.append((value, float(second)))
            with self._scenario.history.doing(
                "add", client="sensor", space=name, key=value, value=value
            ):  # fmt: skip
                self._client.zadd(key, {value: second})

    def drop_before(self, name: str, second: int) -> None:
        """Keep no measurements from before a second."""
        self._client.zremrangebyscore(self._redis.own(name), "-inf", f"({second}")
        self._measured = [one for one in self._measured if one[1] >= second]

    def between(self, name: str, first: int, last: int) -> tuple[Sequence[str], Sequence[str]]:
        """Measurements of these seconds as the server has them, and as they must be.

        Raises:
            PremiseNotMet: none were kept.
        """
        if not self._measured:
            kept = 'a measurement for each of 200 seconds is kept in "load", in any order'
            raise step_missing("measurements", kept)
        told = self._client.zrangebyscore(self._redis.own(name), first, last)
        wanted = sorted((at, value) for value, at in self._measured if first <= at <= last)
        return [one.decode() for one in told], [value for _, value in wanted]
