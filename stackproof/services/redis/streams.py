"""A scenario's streams: consumer groups, what is pending, claimed and trimmed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from stackproof.errors import step_missing
from stackproof.history import Flow, digest_of, preview
from stackproof.history.columns import NONE
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.fixture import Scenario
from stackproof.services.redis.fixture import RedisFixture

Entries = Iterable[tuple[bytes, dict[bytes, bytes]]]
#: Entries of one answer, and of one claim; those of a pipeline.
_READ, _CLAIMED, _TOGETHER = 10, 5, 1000
_PRODUCER, _DEAD = "producer", "the dead one"


@dataclass
class _Group:
    """A consumer group.

    Attributes:
        name: as the scenario calls it.
        acknowledged: IDs of entries.
        living: names of its consumers, as the history has them, but of those that died.
    """

    name: str
    acknowledged: set[bytes] = field(default_factory=set)
    living: set[str] = field(default_factory=set)


class Stream:
    """One stream with its consumer groups: a log of one partition, whose offsets are IDs."""

    def __init__(self, scenario: Scenario, name: str):
        self._scenario = scenario
        redis = scenario.use(RedisFixture)
        self._client, self._key, self._name = redis.client, redis.own(name), name
        self._added: list[bytes] = []
        self._groups: dict[str, _Group] = {}
        self._drains = 0

    def make_groups(self, *names: str) -> None:
        """New ones, which begin with the stream's first entry."""
        for name in names:
            self._client.xgroup_create(self._key, name, id="0", mkstream=True)
            self._groups[name] = _Group(name)

    def group(self, name: str = "") -> _Group:
        """A group; "": the one that was made last.

        Raises:
            PremiseNotMet: there is none of that name.
        """
        found = self._groups.get(name or next(reversed(self._groups), ""))
        if found is None:
            made = f'the stream "{self._name}" with the group "{name or "billing"}"'
            raise step_missing(f"the group {name}", made)
        return found

    # -- entries -----------------------------------------------------------------
    def add(self, count: int, *, most: int | None = None) -> None:
        """Add so many entries, one after the other; ``most``: the latest that each time stay."""
        history = self._scenario.history
        for _ in range(count):
            body = f"entry {len(self._added) + 1}".encode()
            op = history.send(client=_PRODUCER, topic=self._name, ident=body.decode(),
                              digest=digest_of(body), preview=preview(body))  # fmt: skip
            ident = self._client.xadd(self._key, {"body": body}, maxlen=most, approximate=False)
            history.complete(op, "ok", partition=0, offset=offset_of(ident))
            self._added.append(ident)

    def trim(self, most: int, *, about: bool = False) -> None:
        """Keep the latest entries, so many of them; ``about``: or some more, as is less work."""
        self._client.xtrim(self._key, maxlen=most, approximate=about)

    def latest(self, count: int) -> tuple[Flow, int]:
        """Read the whole stream, of which so many of the latest entries must be there.

        Returns:
            what is expected; how many older ones there are.
        """
        self._drains += 1
        reader, at = f"final drain {self._drains}", time.time()
        found = self._client.xrange(self._key)
        self._receive(reader, found)
        first, last = (offset_of(self._added[n]) for n in (-min(count, len(self._added)), -1))
        self._scenario.history.drain(
            reader, self._name, begins={0: first}, ends={0: last + 1}, at=at
        )
        older = sum(offset_of(ident) < first for ident, _ in found)
        return self._flow("entries of a stream", drained=True), older

    # -- consumers ---------------------------------------------------------------
    def read(self, group: _Group, consumer: str, count: int, *, acknowledge: bool) -> int:
        """Have a consumer read new entries, at most so many; how many it was handed."""
        history, client = self._scenario.history, f"{consumer} of {group.name}"
        asked = history.poll(client)
        told = self._client.xreadgroup(group.name, consumer, {self._key: ">"}, count=count)
        entries = told[0][1] if told else []
        self._receive(client, entries, poll=asked)
        history.polled(asked)
        if acknowledge:
            self._acknowledge(group, client, entries)
        return len(entries)

    def _receive(self, client: str, entries: Entries, poll: int = NONE) -> None:
        for ident, fields in entries:
            body = fields.get(b"body", b"")
            self._scenario.history.receive(
                client=client, topic=self._name, partition=0, offset=offset_of(ident),
                ident=body.decode(errors="replace"), digest=digest_of(body),
                preview=preview(body), poll=poll,
            )  # fmt: skip

    def _acknowledge(self, group: _Group, client: str, entries: Entries) -> None:
        group.living.add(client)
        for ident, _ in entries:
            self._client.xack(self._key, group.name, ident)
            group.acknowledged.add(ident)

    def consume(self, consumers: int, within: float, group: str = "") -> None:
        """Have consumers read and acknowledge side by side until every entry was acknowledged.

        Raises:
            AssertionError: see `expected`.
        """
        of, wanted = self.group(group), len(self._added)

        def work(consumer: str) -> None:
            poll(
                lambda: self.read(of, consumer, _READ, acknowledge=True) or 0,
                until=lambda _: len(of.acknowledged) >= wanted, within=within,
                awaiting=f"{wanted} entries to be acknowledged", longest_pause=0.02,
            )  # fmt: skip

        try:
            with ThreadPoolExecutor(consumers) as threads:
                list(threads.map(work, (f"consumer {n + 1}" for n in range(consumers))))
        except DeadlineExceeded as late:
            self._scenario.check_after(late, self.expected(group))

    def die(self, count: int) -> None:
        """Have a consumer read so many entries, and end without acknowledging them."""
        self.read(self.group(), _DEAD, count, acknowledge=False)

    def pending(self, group: str = "") -> int:
        """How many entries were handed out and not acknowledged."""
        return int(self._client.xpending(self._key, self.group(group).name)["pending"])

    def claim(self, consumers: int, idle: float, within: float, *, auto: bool) -> int:
        """Have consumers claim at once what has been pending for so long, until nothing is.

        Args:
            consumers: how many.
            idle: seconds.
            within: seconds.
            auto: by XAUTOCLAIM; else they look what is pending, and claim it by XCLAIM.

        Returns:
            How many entries they were handed.
        """
        group, least = self.group(), round(idle * 1000)
        claimed = self._claimed_unseen if auto else self._claimed_by_id

        def work(consumer: str) -> int:
            handed, client = 0, f"{consumer} of {group.name}"

            def claim() -> int:
                nonlocal handed
                entries = claimed(group.name, consumer, least)
                self._receive(client, entries)
                self._acknowledge(group, client, entries)
                handed += len(entries)
                return self.pending()

            poll(claim, until=lambda left: not left, within=within, longest_pause=0.02,
                 awaiting="all that is pending to be claimed")  # fmt: skip
            return handed

        with ThreadPoolExecutor(consumers) as threads:
            return sum(threads.map(work, (f"claiming {n + 1}" for n in range(consumers))))

    def _claimed_unseen(self, group: str, consumer: str, least: int) -> list[Any]:
        told = self._client.xautoclaim(self._key, group, consumer, least, count=_CLAIMED)
        return list(told[1])

    def _claimed_by_id(self, group: str, consumer: str, least: int) -> list[Any]:
        there = self._client.xpending_range(
            self._key, group, min="-", max="+", count=_CLAIMED, idle=least
        )
        idents = [one["message_id"] for one in there]
        return self._client.xclaim(self._key, group, consumer, least, idents) if idents else []

    def expected(self, group: str = "") -> Flow:
        """Each entry is handed to one of the group's consumers, but those that died."""
        of = self.group(group)
        return self._flow(f"entries for {of.name}", scope_clients=(_PRODUCER, *sorted(of.living)))

    def _flow(self, name: str, **more: Any) -> Flow:
        # What one consumer leaves out others of its group are handed.
        return Flow(name, self._name, self._name, content="bytes", order="sequence",
                    allowed=("poll-skip", "int-poll-skip"), **more)  # fmt: skip

    # -- speed -------------------------------------------------------------------
    def measure(self, count: int) -> dict[str, float]:
        """Add and read so many entries in pipelines; how many a second of both."""
        key, group = self._scenario.use(RedisFixture).own(f"fast {time.time_ns()}"), "fast"
        self._client.xgroup_create(key, group, id="0", mkstream=True)
        rates = {
            "append": count / _took(lambda: self._add_fast(key, count)),
            "read": count / _took(lambda: self._read_fast(key, group, count)),
        }
        self._client.delete(key)
        return rates

    def _add_fast(self, key: str, count: int) -> None:
        for _ in range(0, count, _TOGETHER):
            with self._client.pipeline(transaction=False) as pipeline:
                for _ in range(_TOGETHER):
                    pipeline.xadd(key, {"body": b"x" * 100})
                pipeline.execute()

    def _read_fast(self, key: str, group: str, left: int) -> None:
        while told := self._client.xreadgroup(group, "c", {key: ">"}, count=_TOGETHER):
            idents = [ident for ident, _ in told[0][1]]
            left -= self._client.xack(key, group, *idents)
        if left:
            raise AssertionError(f"{left} entries more were added than handed out")


def offset_of(ident: bytes) -> int:
    """The ID of an entry as one number: its milliseconds, and six digits for what follows."""
    milliseconds, _, number = ident.partition(b"-")
    return int(milliseconds) * 1_000_000 + int(number)


def _took(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
