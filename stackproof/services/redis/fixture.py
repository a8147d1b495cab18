"""One scenario's work with its Redis server."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from stackproof.services.redis.aside import CacheAside, Observed, read_at_once
from stackproof.services.redis.collections import COLLECTIONS, differences
from stackproof.services.redis.client import connect
from stackproof.services.redis.expiry import Span, Stopwatch, violations, watch_until_gone
from stackproof.services.redis.origin import Origin
from stackproof.services.redis.store import RecordedStore, Way, raise_lacking
from stackproof.services.redis.vectors import vectors
from stackproof.errors import PremiseNotMet, step_missing
from stackproof.history import Flow
from stackproof.polling import DeadlineExceeded, poll
from stackproof.session.scenario import Kept, ScenarioSession
from stackproof.texts import counted

if TYPE_CHECKING:
    from redis import Redis

_PATIENCE = 10.0
_VALUES = Kept[dict[str, bytes]]("values that were written", "100 values are written one by one")
_ANSWERS = Kept[list[Any]](
    "answers of a pipeline", 'the counter "visits" is increased 100 times in one pipeline'
)


class RedisSession:
    """Keys, collections, expiry and caching of one scenario."""

    def __init__(self, session: ScenarioSession):
        self._session = session
        self._keys: set[str] = set()
        self._set_at: dict[str, tuple[Span, float | None]] = {}
        self._collections: dict[str, tuple[str, Any]] = {}

    @cached_property
    def client(self) -> Redis:
        """The scenario's connection pool; answers are bytes."""
        endpoint = self._session.endpoint("redis")
        client = connect(endpoint.addresses, endpoint.access, timeout=self._session.scaled(10))
        self._session.add_cleanup(client.close)
        self._session.add_cleanup(self._remove_keys)
        return client

    def _remove_keys(self) -> None:
        if self._keys:
            self.client.delete(*self._keys)

    def own(self, key: str) -> str:
        """The scenario's own key for a name in its text; removed at its end."""
        own = self._session.own(key)
        self._keys.add(own)
        return own

    # -- single keys ---------------------------------------------------------
    def set(self, key: str, value: str, *, ttl: float | None = None) -> None:
        """Set a key, and note when."""
        milliseconds = None if ttl is None else round(ttl * 1000)
        with Stopwatch() as watch:
            self.client.set(self.own(key), value, px=milliseconds)
        self._set_at[key] = watch.span, ttl

    def get(self, key: str) -> str | None:
        """A key's value as text; None: there is none."""
        value = self.client.get(self.own(key))
        return None if value is None else value.decode()

    def delete(self, key: str) -> bool:
        """Delete a key; whether there was one."""
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
        with Stopwatch() as watch:
            done = self.client.pexpire(self.own(key), round(ttl * 1000))
        if not done:
            self._demand_in_time(key)
        self._set_at[key] = watch.span, ttl
        return bool(done)

    def _demand_in_time(self, key: str) -> Span:
        """When a key was set; its time to live must not be over."""
        if key not in self._set_at:
            raise step_missing(f'the key "{key}"', f'the key "{key}" is set for 60 seconds')
        span, ttl = self._set_at[key]
        if ttl is not None and time.monotonic() - span.began >= ttl:
            raise PremiseNotMet(
                f'the time to live of "{key}" was over before the step that is about it',
                f"it was set for {ttl:g} s, {time.monotonic() - span.began:.1f} s ago",
                "the machine is too slow for that: set it for longer",
            )
        return span

    def lifetime_violations(self, key: str, ttl: float, *, late: float) -> list[str]:
        """What contradicts the time to live; watches the key until it is gone."""
        set_at = self._demand_in_time(key)
        sightings = watch_until_gone(self.client, self.own(key), within=ttl + late + 1)
        return violations(set_at, ttl, sightings, late)

    def measure(self, count: int, size: int) -> dict[str, float]:
        """SET and GET ``count`` keys one after the other; the medians, in seconds."""
        took: dict[str, list[float]] = {"SET": [], "GET": []}
        for number in range(count):
            key, value = self.own(f"measured:{number}"), b"%0*d" % (size, number)
            began = time.perf_counter()
            self.client.set(key, value)
            between = time.perf_counter()
            got = self.client.get(key)
            took["GET"].append(time.perf_counter() - between)
            took["SET"].append(between - began)
            if got != value:
                raise AssertionError(f"{key} was set to {value!r}, and {got!r} was got")
        medians = {name: statistics.median(durations) for name, durations in took.items()}
        for name, durations in took.items():
            slow = statistics.quantiles(durations, n=100)[98]
            self._session.figure(
                f"{name}, {counted(count, 'time')}",
                f"median {medians[name] * 1000:.3f} ms, 99 % within {slow * 1000:.3f} ms",
            )
        return medians

    # -- collections ---------------------------------------------------------
    def write_collection(self, kind: str, key: str, count: int) -> None:
        """Write that many entries to a key, in one command."""
        collection = COLLECTIONS[kind]
        entries = collection.make(range(count))
        self._collections[key] = (kind, entries)
        collection.write(self.client, self.own(key), entries)

    def collection_differences(self, kind: str, key: str) -> list[str]:
        """How a key differs from what was written to it as this kind."""
        written, entries = self._collections.get(key, ("", None))
        if written != kind:
            before = f'a {kind} of 100 entries is written to "{key}"'
            raise step_missing(f'a {kind} at "{key}"', before)
        return differences(kind, self.client, self.own(key), entries)

    # -- many keys -----------------------------------------------------------
    @cached_property
    def store(self) -> RecordedStore:
        """Writes and reads that are recorded."""
        return RecordedStore(self.client, self._session.history, "cache", name="cache client")

    def write_many(self, values: Iterable[bytes], way: Way) -> None:
        """Write values under keys of their own."""
        named = {self.own(f"value:{n:05d}"): v for n, v in enumerate(values, 1)}
        self._session.keep(_VALUES, named)
        self.store.write(named, way)

    @property
    def values(self) -> dict[str, bytes]:
        """What was written by `write_many`; `PremiseNotMet`: nothing was."""
        return self._session.kept(_VALUES)

    @property
    def answers(self) -> list[Any]:
        """What came back for each command of a pipeline; `PremiseNotMet`: there was none."""
        return self._session.kept(_ANSWERS)

    def plain_values(self, count: int) -> list[bytes]:
        """Distinct texts."""
        return [f"content of value {number:05d}".encode() for number in range(1, count + 1)]

    def write_vectors(self, count: int, dimensions: int) -> None:
        """Cache vectors with delicate bit patterns in them, one by one."""
        self._session.parameters["seed"] = str(self._session.seed)
        self.write_many(vectors(count, dimensions, self._session.seed), "one by one")

    def read_back(self, way: Way) -> Flow:
        """Read every key written; what is expected of it."""
        self.store.read(self.values, way)
        return Flow("the cache", self.store.space, self.store.space, content="bytes")

    def count_in_pipeline(self, key: str, count: int) -> None:
        """Increase a counter so many times in one pipeline; `answers` has what came back."""
        pipeline = self.client.pipeline(transaction=False)
        for _ in range(count):
            pipeline.incr(self.own(key))
        self._session.keep(_ANSWERS, pipeline.execute(raise_on_error=False))
        raise_lacking(self.answers)

    # -- cache-aside ---------------------------------------------------------
    @cached_property
    def aside(self) -> CacheAside:
        """A cache in front of an origin on disk."""
        origin = Origin(self._session.directory / "origin.sqlite")
        return CacheAside(self.client, origin, self._session.own("aside"), ttl=60)

    @cached_property
    def observed(self) -> Observed:
        """That cache, with every reading and update noted."""
        return Observed(self.aside)

    def fill_origin(self, count: int) -> list[str]:
        """So many customers at the origin, none of them cached."""
        names = [f"customer-{number:04d}" for number in range(1, count + 1)]
        for name in names:
            self._keys |= {self.aside.key(name), self.aside.lease_key(name)}
            self.observed.update(name, f"{name}, version 0".encode())
        return names

    def customers(self) -> list[str]:
        """Everybody at the origin; `PremiseNotMet`: nobody is."""
        if not self.observed.updates:
            raise step_missing("an origin", "an origin with 10 customers behind the cache")
        return list(dict.fromkeys(value.name for value in self.observed.updates))

    def read_all(self, times: int) -> None:
        """Read every customer that often, one reading after the other."""
        for _ in range(times):
            for name in self.customers():
                self.observed.read(name, within=self._session.scaled(_PATIENCE))

    def read_together(self, readers: int) -> None:
        """Let readers ask for one customer at once; none is answered before all have missed."""
        within = self._session.scaled(_PATIENCE)

        def until_all_missed() -> None:
            try:
                poll(
                    lambda: self.aside.misses,
                    until=lambda misses: misses >= readers,
                    within=within / 2,
                    awaiting="every reader to miss",
                )
            except DeadlineExceeded as late:
                raise PremiseNotMet("not all readers asked at once", str(late)) from late

        self.aside.origin.before_loading = until_all_missed
        errors = read_at_once(self.observed, self.customers()[0], readers, within=within)
        self._raise_first(errors)

    def update_while_reading(self, updates: int, readers: int) -> None:
        """Update a customer again and again while others read it.

        A reading that is not served ends it and is kept in `Observed.unserved`: what was
        served until then is judged as well.
        """
        name = self.customers()[0]
        within = self._session.scaled(_PATIENCE)
        done, all_read = threading.Event(), threading.Barrier(readers + 1)
        errors: dict[int, BaseException] = {}

        def read() -> bool:
            try:
                self.observed.read(name, within=within)
            except DeadlineExceeded as late:
                self.observed.unserved.append(str(late))
                done.set()
            return not done.is_set()

        def read_on(number: int) -> None:
            try:
                read()
                all_read.wait(within)
                while read():
                    pass
            except BaseException as error:  # raised below
                errors[number] = error
                done.set()
                all_read.abort()

        threads = [threading.Thread(target=read_on, args=(n,), daemon=True) for n in range(readers)]
        read()  # cached before the first update
        for thread in threads:
            thread.start()
        try:
            with suppress(threading.BrokenBarrierError):  # what has gone wrong is raised below
                all_read.wait(within)
            for version in range(1, updates + 1):
                self.observed.update(name, f"{name}, version {version}".encode())
                if not read():
                    break
        finally:
            done.set()
            for thread in threads:
                thread.join(within)
        self._raise_first(errors)
        self._session.figure("readings while updating", f"{len(self.observed.readings)}")

    @staticmethod
    def _raise_first(errors: Mapping[int, BaseException]) -> None:
        for error in errors.values():
            raise error
