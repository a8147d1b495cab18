"""A scenario's streams: consumer groups, what is pending, claimed and trimmed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from stackproof.history import Members, Queue
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.fixture import Scenario
from stackproof.services.redis.fixture import RedisFixture

Entries = Iterable[tuple[bytes, dict[bytes, bytes]]]
_WITHIN, _AT_ONCE = 10.0, 100


class Stream:
    """One stream with one consumer group, whose consumers the scenario names.

    Its entries are a queue in the scenario's history, and a set: each listing reads all of them.
    """

    def __init__(self, scenario: Scenario, name: str, group: str = ""):
        self._scenario = scenario
        redis = scenario.use(RedisFixture)
        self._client, self._key, self._group = redis.client, redis.own(name), group
        self._space, self._kept = f"{name} for {group}", f"entries of {name}"
        self._added: list[str] = []
        self._acknowledged: set[bytes] = set()
        if group:
            self._client.xgroup_create(self._key, group, id="0", mkstream=True)

    def _doing(self, action: str, client: str, ident: str, **more: Any) -> Any:
        return self._scenario.history.doing(
            action, client=client, space=self._space, key=ident, **more
        )

    # -- entries -----------------------------------------------------------------
    def add(self, count: int) -> None:
        """Add so many entries, one after the other."""
        history = self._scenario.history
        for _ in range(count):
            ident = f"entry {len(self._added) + 1}"
            member = history.doing(
                "add", client="producer", space=self._kept, key=ident, value=ident
            )
            with member, self._doing("put", "producer", ident, value=ident):
                self._client.xadd(self._key, {"body": ident})
            self._added.append(ident)

    def trim(self, most: int) -> Members:
        """Keep the latest entries, so many of them, and list the stream; what is expected."""
        for ident in self._added[:-most]:
            with self._scenario.history.doing(
                "remove", client="producer", space=self._kept, key=ident
            ):  # fmt: skip
                pass
        self._client.xtrim(self._key, maxlen=most, approximate=False)
        with self._scenario.history.listing(client="reader", space=self._kept) as found:
            found += [
                (_body(fields), _body(fields)) for _, fields in self._client.xrange(self._key)
            ]
        return Members("a trimmed stream", self._kept)

    # -- consumers ---------------------------------------------------------------
    def read(self, consumer: str, count: int, *, acknowledge: bool) -> int:
        """Have a consumer read new entries, at most so many; how many it was handed."""
        told = self._client.xreadgroup(self._group, consumer, {self._key: ">"}, count=count)
        entries = told[0][1] if told else []
        self._take(consumer, entries)
        if acknowledge:
            self._acknowledge(consumer, entries)
        return len(entries)

    def _take(self, consumer: str, entries: Entries, *, again: bool = False) -> None:
        for _, fields in entries:
            with self._doing("take", consumer, _body(fields), number=int(again)) as answer:
                answer.value = _body(fields)

    def _acknowledge(self, consumer: str, entries: Entries) -> None:
        for ident, fields in entries:
            with self._doing("acknowledge", consumer, _body(fields)):
                self._client.xack(self._key, self._group, ident)
            self._acknowledged.add(ident)

    def consume(self, consumers: int, within: float) -> None:
        """Have consumers read and acknowledge side by side until every entry was acknowledged.

        Raises:
            AssertionError: see `expected`.
        """
        wanted = len(self._added)

        def work(consumer: str) -> None:
            poll(
                lambda: self.read(consumer, _AT_ONCE // 10, acknowledge=True) or 0,
                until=lambda _: len(self._acknowledged) >= wanted, within=within,
                awaiting=f"{wanted} entries to be acknowledged", longest_pause=0.02,
            )  # fmt: skip

        try:
            with ThreadPoolExecutor(consumers) as threads:
                list(threads.map(work, (f"consumer {n + 1}" for n in range(consumers))))
        except DeadlineExceeded as late:
            self._scenario.check_after(late, self.expected())

    def die(self, consumer: str, count: int) -> None:
        """Have a consumer read so many entries, and end without acknowledging them."""
        self.read(consumer, count, acknowledge=False)
        with self._doing("close", consumer, consumer):
            pass

    def pending(self, consumer: str = "") -> int:
        """How many entries were handed out and not acknowledged, to one consumer or to all."""
        told = self._client.xpending(self._key, self._group)
        each = {one["name"].decode(): one["pending"] for one in told["consumers"]}
        return int(each.get(consumer, 0) if consumer else told["pending"])

    def claim(self, consumers: int, idle: float, within: float) -> int:
        """Have consumers claim at once what has been pending for so long, until nothing is.

        Args:
            consumers: how many.
            idle: seconds.
            within: seconds.

        Returns:
            How many entries they were handed.
        """

        def work(consumer: str) -> int:
            handed = 0

            def claimed() -> int:
                nonlocal handed
                _, entries, *_ = self._client.xautoclaim(
                    self._key, self._group, consumer, round(idle * 1000), count=_AT_ONCE // 20
                )
                self._take(consumer, entries, again=True)
                self._acknowledge(consumer, entries)
                handed += len(entries)
                return self.pending()

            poll(claimed, until=lambda left: not left, within=within, longest_pause=0.02,
                 awaiting="all that is pending to be claimed")  # fmt: skip
            return handed

        with ThreadPoolExecutor(consumers) as threads:
            return sum(threads.map(work, (f"claiming {n + 1}" for n in range(consumers))))

    def expected(self, *, ordered: bool = False) -> Queue:
        """Every entry is handed to one consumer of the group, or again when that one has gone."""
        return Queue("entries of a stream", self._space, ordered=ordered)

    # -- speed -------------------------------------------------------------------
    def measure(self, count: int) -> float:
        """Add and read so many entries in pipelines; the slower one of both, entries a second."""
        key, group = self._scenario.use(RedisFixture).own(f"fast {time.time_ns()}"), "fast"
        self._client.xgroup_create(key, group, id="0", mkstream=True)
        began = time.perf_counter()
        for _ in range(0, count, 1000):
            with self._client.pipeline(transaction=False) as pipeline:
                for _ in range(1000):
                    pipeline.xadd(key, {"body": b"x" * 100})
                pipeline.execute()
        between = time.perf_counter()
        left = count
        while left > 0 and (told := self._client.xreadgroup(group, "c", {key: ">"}, count=1000)):
            idents = [ident for ident, _ in told[0][1]]
            self._client.xack(key, group, *idents)
            left -= len(idents)
        ended = time.perf_counter()
        self._client.delete(key)
        if left:
            raise AssertionError(f"{left} of {count} entries were not handed out")
        return min(count / (between - began), count / (ended - between))


def _body(fields: dict[bytes, bytes]) -> str:
    return fields[b"body"].decode()
