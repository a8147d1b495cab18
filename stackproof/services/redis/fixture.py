"""One scenario's work with its Redis server: keys, their times to live, collections, batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from stackproof.errors import PremiseNotMet, step_missing
from stackproof.history import Registers
from stackproof.polling import watch_life
from stackproof.services.fixture import Scenario
from stackproof.services.redis.client import connect
from stackproof.services.redis.collections import COLLECTIONS, content, differences, read
from stackproof.services.redis.known import Batching
from stackproof.services.redis.server import Redis
from stackproof.services.redis.store import RecordedStore, raise_lacking
from stackproof.services.vectors import vectors
from stackproof.workloads import Latencies

if TYPE_CHECKING:
    import redis

_PATIENCE = 10.0


class RedisFixture:
    """Keys of the scenario's own; they are deleted at its end."""

    def __init__(self, scenario: Scenario, endpoint: str = "redis"):
        self._scenario = scenario
        self.endpoint = scenario.endpoint(endpoint)
        self._keys: set[str] = set()
        self._set_at: dict[str, tuple[float, float | None]] = {}
        self._collections: dict[str, tuple[str, Any]] = {}
        self._values: dict[str, bytes] = {}
        self._answers: list[Any] | None = None

    @cached_property
    def client(self) -> redis.Redis:
        """The scenario's connection pool; answers are bytes."""
        client = connect(self.endpoint, timeout=self._scenario.scaled(_PATIENCE))
        self._scenario.add_cleanup(client.close)
        self._scenario.add_cleanup(self._remove_keys)
        return client

    def _remove_keys(self) -> None:
        if self._keys:
            self.client.delete(*self._keys)

    def own(self, key: str) -> str:
        """The scenario's own key for a name in its text; removed at its end."""
        own = self._scenario.own(key)
        self._keys.add(own)
        return own

    @cached_property
    def prefix(self) -> str:
        """What keys begin with that somebody else makes; they are removed at the end."""
        prefix, server = self._scenario.own(""), Redis()
        self._scenario.add_cleanup(
            lambda: server.remove(self.endpoint, server.leftovers(self.endpoint, prefix))
        )
        return prefix

    # -- single keys ---------------------------------------------------------
    def expected(self, *, late: float = 1.0) -> Registers:
        """What is expected of all that was written and read.

        Args:
            late: seconds by which a value may outlive its time to live.
        """
        return Registers("the cache", self.store.space, late_ms=round(late * 1000))

    def set(self, key: str, value: str, *, ttl: float | None = None) -> None:
        """Set a key, and note when; ``ttl``: seconds to live."""
        milliseconds = None if ttl is None else round(ttl * 1000)
        self._set_at[key] = time.monotonic(), ttl
        with self.store.doing("write", self.own(key), value, ttl_ms=milliseconds or 0):
            self.client.set(self.own(key), value, px=milliseconds)

    def get(self, key: str) -> str | None:
        """A key's value as text; None: there is none."""
        with self.store.doing("read", self.own(key)) as answer:
            value = answer.value = self.client.get(self.own(key))
        return None if value is None else value.decode()

    def delete(self, key: str) -> bool:
        """Delete a key; whether there was one."""
        with self.store.doing("write", self.own(key), None):
            return bool(self.client.delete(self.own(key)))

    def exists(self, key: str) -> bool:
        """Whether the server knows of a key."""
        return bool(self.client.exists(self.own(key)))

    def time_to_live(self, key: str) -> int:
        """Milliseconds that a key has left; -1: it stays, -2: there is none."""
        return int(self.client.pttl(self.own(key)))

    def expire(self, key: str, ttl: float) -> bool:
        """Change the time to live of a key, and note when; whether there is such a key.

        Raises:
            PremiseNotMet: it was never set, or its time to live was over before.
        """
        set_at = time.monotonic()
        with self.store.doing("expire", self.own(key), ttl_ms=round(ttl * 1000)) as answer:
            done = self.client.pexpire(self.own(key), round(ttl * 1000))
            if not done:
                answer.fail("there is no such key")
        if not done:
            self._demand_in_time(key)
        self._set_at[key] = set_at, ttl
        return bool(done)

    def _demand_in_time(self, key: str) -> None:
        """A key must have been set, and its time to live must not be over."""
        if key not in self._set_at:
            raise step_missing(f'the key "{key}"', f'the key "{key}" is set for 60 seconds')
        began, ttl = self._set_at[key]
        since = time.monotonic() - began
        if ttl is not None and since >= ttl:
            raise PremiseNotMet(
                f'the time to live of "{key}" was over before the step that is about it',
                f"it was set for {ttl:g} s, {since:.1f} s ago",
                "the machine is too slow for that: set it for longer",
            )

    def watch_life(self, key: str, ttl: float, *, late: float) -> int:
        """Read a key again and again until it is gone, or has been there for too long.

        Returns:
            How often it was there.
        """
        self._demand_in_time(key)
        seen = 0

        def there() -> bool:
            nonlocal seen
            found = self.get(key) is not None
            seen += found
            return found

        watch_life(there, ttl, late=late, pace=0.01)
        return seen

    def measure(self, count: int, size: int) -> dict[str, Latencies]:
        """SET and GET ``count`` keys, one after the other."""
        took = {"SET": Latencies(), "GET": Latencies()}
        for number in range(count):
            key, value = self.own(f"measured:{number}"), b"%0*d" % (size, number)
            began = time.perf_counter()
            self.client.set(key, value)
            between = time.perf_counter()
            got = self.client.get(key)
            took["GET"].record(time.perf_counter() - between)
            took["SET"].record(between - began)
            if got != value:
                raise AssertionError(f"{key} was set to {value!r}, and {got!r} was got")
        return took

    def measure_mixed(self, count: int) -> dict[str, Latencies]:
        """Do so many operations of eight kinds, one after the other."""
        key, table, queue = (self.own(f"mixed:{kind}") for kind in ("key", "hash", "list"))
        operations: list[Callable[[int], object]] = [
            lambda n: self.client.set(key, n),
            lambda n: self.client.get(key),
            lambda n: self.client.incr(key),
            lambda n: self.client.expire(key, 60),
            lambda n: self.client.hset(table, str(n), n),
            lambda n: self.client.hgetall(table) if n < 100 else self.client.hget(table, str(n)),
            lambda n: self.client.lpush(queue, n),
            lambda n: self.client.rpop(queue),
        ]
        took = Latencies()
        for number in range(count):
            before = time.perf_counter()
            operations[number % len(operations)](number)
            took.record(time.perf_counter() - before)
        return {"operation": took}

    # -- collections ---------------------------------------------------------
    def write_collection(self, kind: str, key: str, count: int) -> None:
        """Write that many entries to a key, in one command."""
        collection = COLLECTIONS[kind]
        entries = collection.make(range(count))
        self._collections[key] = (kind, entries)
        with self.store.doing("write", self.own(key), content(entries)):
            collection.write(self.client, self.own(key), entries)

    def collection_differences(self, kind: str, key: str) -> list[str]:
        """How a key differs from what was written to it as this kind."""
        written, entries = self._collections.get(key, ("", None))
        if written != kind:
            before = f'a {kind} of 100 entries is written to the key "{key}"'
            raise step_missing(f'a {kind} at "{key}"', before)
        with self.store.doing("read", self.own(key)) as answer:
            found = read(kind, self.client, self.own(key))
            answer.value = content(found)
        return differences(entries, found)

    # -- many keys -----------------------------------------------------------
    @cached_property
    def store(self) -> RecordedStore:
        """Writes and reads that are recorded."""
        return RecordedStore(self.client, self._scenario.history, "cache", name="cache client")

    def write_many(self, values: Iterable[bytes], way: Batching) -> None:
        """Write values under keys of their own."""
        self._values = {self.own(f"value:{n:05d}"): v for n, v in enumerate(values, 1)}
        self.store.write(self._values, way)

    @property
    def values(self) -> dict[str, bytes]:
        """What was written by `write_many`; `PremiseNotMet`: nothing was."""
        if not self._values:
            raise step_missing("values that were written", "100 values are written one by one")
        return self._values

    @property
    def answers(self) -> list[Any]:
        """What came back for each command of a pipeline; `PremiseNotMet`: there was none."""
        if self._answers is None:
            before = 'the counter "visits" is incremented 100 times in one pipeline'
            raise step_missing("answers of a pipeline", before)
        return self._answers

    def write_plain(self, count: int, way: Batching) -> None:
        """Write distinct texts."""
        numbers = range(1, count + 1)
        self.write_many((f"content of value {n:05d}".encode() for n in numbers), way)

    def write_vectors(self, count: int, dimensions: int) -> None:
        """Cache vectors with delicate bit patterns in them, one by one."""
        self._scenario.parameters["seed"] = str(self._scenario.seed)
        self.write_many(vectors(count, dimensions, self._scenario.seed), "one by one")

    def read_back(self, way: Batching) -> Registers:
        """Read every key written; what is expected of it."""
        self.store.read(self.values, way)
        return self.expected()

    def count_in_pipeline(self, key: str, count: int) -> None:
        """Increase a counter so many times in one pipeline; `answers` has what came back."""
        pipeline = self.client.pipeline(transaction=False)
        for _ in range(count):
            pipeline.incr(self.own(key))
        with self.store.doing("write", self.own(key)) as answer:
            self._answers = pipeline.execute(raise_on_error=False)
            answer.value = self._answers[-1] if self._answers else None
        raise_lacking(self._answers)
