"""One scenario's work with its Redis server."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import parse

from stackproof.clients.redis.aside import CacheAside, Observed, read_at_once
from stackproof.clients.redis.collections import COLLECTIONS, differences
from stackproof.clients.redis.connection import connect
from stackproof.clients.redis.expiry import Span, Stopwatch, violations, watch_until_gone
from stackproof.clients.redis.origin import Origin
from stackproof.clients.redis.store import WAYS, RecordedStore, Way, raise_lacking
from stackproof.clients.redis.vectors import vectors
from stackproof.history import Flow
from stackproof.polling import DeadlineExceeded, poll

if TYPE_CHECKING:
    from redis import Redis

    from stackproof.session.scenario import ScenarioSession

_PATIENCE = 10.0


@parse.with_pattern("|".join(sorted(COLLECTIONS, reverse=True)))
def _collection(text: str) -> str:
    return text


@parse.with_pattern("|".join(WAYS))
def _way(text: str) -> str:
    return text


@parse.with_pattern(r"\d+ customers?")
def _customers(text: str) -> int:
    return int(text.split()[0])


#: Types of parameters that steps about caching use besides those of every step.
WORDS: dict[str, Callable[[str], object]] = {
    "Collection": _collection,
    "Customers": _customers,
    "Way": _way,
}


class RedisSession:
    """Keys, collections, expiry and caching of one scenario; `context.session.redis`."""

    def __init__(self, session: ScenarioSession):
        self._session = session
        self._keys: set[str] = set()
        self._set_at: dict[str, Span] = {}
        self._collections: dict[str, tuple[str, Any]] = {}
        self.values: dict[str, bytes] = {}
        self.answers: list[Any] = []
        self.medians: dict[str, float] = {}

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
        self._set_at[key] = watch.span

    def get(self, key: str) -> str | None:
        """A key's value as text; None: there is none."""
        value = self.client.get(self.own(key))
        return None if value is None else value.decode()

    def expire(self, key: str, ttl: float) -> bool:
        """Change the time to live of a key, and note when; whether there is such a key."""
        with Stopwatch() as watch:
            done = self.client.pexpire(self.own(key), round(ttl * 1000))
        self._set_at[key] = watch.span
        return bool(done)

    def lifetime_violations(self, key: str, ttl: float, *, late: float) -> list[str]:
        """What contradicts the time to live; watches the key until it is gone."""
        sightings = watch_until_gone(self.client, self.own(key), within=ttl + late + 1)
        return violations(self._set_at[key], ttl, sightings, late)

    def measure(self, count: int, size: int) -> None:
        """SET and GET ``count`` keys one after the other; `medians` are in seconds."""
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
        self.medians = {name: statistics.median(durations) for name, durations in took.items()}
        for name, durations in took.items():
            slow = statistics.quantiles(durations, n=100)[98]
            self._session.figure(
                f"{name}, {count} times",
                f"median {self.medians[name] * 1000:.3f} ms, 99 % within {slow * 1000:.3f} ms",
            )

    # -- collections ---------------------------------------------------------
    def write_collection(self, kind: str, key: str, count: int) -> None:
        """Write that many entries to a key, in one command."""
        collection = COLLECTIONS[kind]
        entries = collection.make(range(count))
        self._collections[key] = (kind, entries)
        collection.write(self.client, self.own(key), entries)

    def collection_differences(self, kind: str, key: str) -> list[str]:
        """How a key differs from what was written to it as this kind."""
        written, entries = self._collections[key]
        assert written == kind, f"{key} was written as a {written}"
        return differences(kind, self.client, self.own(key), entries)

    # -- many keys -----------------------------------------------------------
    @cached_property
    def store(self) -> RecordedStore:
        """Writes and reads that are recorded."""
        return RecordedStore(self.client, self._session.history, "cache", name="cache client")

    def write_many(self, values: Iterable[bytes], way: Way) -> None:
        """Write values under keys of their own."""
        self.values = {self.own(f"value:{n:05d}"): v for n, v in enumerate(values, 1)}
        self.store.write(self.values, way)

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
        self.answers = pipeline.execute(raise_on_error=False)
        raise_lacking(self.answers)

    # -- cache-aside ---------------------------------------------------------
    @cached_property
    def aside(self) -> CacheAside:
        """A cache in front of an origin on disk."""
        origin = Origin(self._session.directory / "origin.sqlite")
        cache = CacheAside(self.client, origin, self._session.own("aside"), ttl=60)
        self.observed = Observed(cache)
        return cache

    def fill_origin(self, count: int) -> list[str]:
        """So many customers at the origin, none of them cached."""
        names = [f"customer-{number:04d}" for number in range(1, count + 1)]
        for name in names:
            self._keys |= {self.aside.key(name), self.aside.lease_key(name)}
            self.observed.update(name, f"{name}, version 0".encode())
        return names

    def customers(self) -> list[str]:
        """Everybody at the origin."""
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
            poll(
                lambda: self.aside.misses,
                until=lambda misses: misses >= readers,
                within=within / 2,
                awaiting="every reader to miss",
            )

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
        done = threading.Event()
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
                while read():
                    pass
            except BaseException as error:  # raised below
                errors[number] = error
                done.set()

        threads = [threading.Thread(target=read_on, args=(n,), daemon=True) for n in range(readers)]
        read()  # cached before the first update
        for thread in threads:
            thread.start()
        try:
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


WORKBENCH = RedisSession
