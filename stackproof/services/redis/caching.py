"""One scenario's cache in front of an origin: who reads, who updates, what was served."""

from __future__ import annotations

import threading
from functools import cached_property

from stackproof.errors import PremiseNotMet, step_missing
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.fixture import Scenario
from stackproof.services.redis.aside import CacheAside, Observed
from stackproof.services.redis.fixture import RedisFixture
from stackproof.services.redis.origin import Origin
from stackproof.workloads import ClosedLoop


class Caching:
    """Customers at an origin on disk, and the cache in front of it; see `CacheAside`."""

    def __init__(self, scenario: Scenario):
        self._scenario = scenario
        self._redis = RedisFixture(scenario)
        self._within = scenario.scaled(10.0)
        self._names: list[str] = []

    @cached_property
    def origin(self) -> Origin:
        """Where the customers are."""
        return Origin(self._scenario.directory / "origin.sqlite")

    @cached_property
    def aside(self) -> CacheAside:
        """The cache; what it keeps is removed at the scenario's end."""
        return CacheAside(self._redis.client, self.origin, self._redis.own, ttl=60)

    @cached_property
    def observed(self) -> Observed:
        """That cache, with every reading and update recorded."""
        return Observed(self.aside, self._scenario.history)

    def fill_origin(self, count: int) -> list[str]:
        """So many customers at the origin, none of them cached."""
        names = [f"customer-{number:04d}" for number in range(1, count + 1)]
        for name in names:
            self.observed.update(name, f"{name}, version 0".encode())
        self._names = names
        return names

    def customers(self) -> list[str]:
        """Everybody at the origin; `PremiseNotMet`: nobody is."""
        if not self._names:
            raise step_missing("an origin", "an origin with 10 customers behind the cache")
        return self._names

    def read_all(self, times: int) -> None:
        """Read every customer that often, one reading after the other."""
        for _ in range(times):
            for name in self.customers():
                self.observed.read(name, within=self._within)

    def read_together(self, readers: int) -> None:
        """Let readers ask for one customer at once; none is answered before all have missed."""

        def until_all_missed() -> None:
            try:
                poll(
                    lambda: len(self.aside.missed),
                    until=lambda misses: misses >= readers,
                    within=self._within / 2,
                    awaiting="every reader to miss",
                )
            except DeadlineExceeded as late:
                raise PremiseNotMet("not all readers asked at once", str(late)) from late

        self.origin.before_loading = until_all_missed
        name = self.customers()[0]
        # None is answered before each has asked: no client does more than one of them.
        ClosedLoop(
            lambda _: self.observed.read(name, within=self._within),
            clients=readers,
            count=readers,
            name="readers",
            owner=self._scenario,
        ).wait(within=2 * self._within)

    def update_while_reading(self, updates: int, readers: int) -> None:
        """Update a customer again and again while others read it.

        A reading that is not served ends it and is kept in `Observed.unserved`: what was
        served until then is judged as well.
        """
        name = self.customers()[0]
        unserved = threading.Event()

        def read(_: int = 0) -> None:
            if unserved.is_set():
                return
            try:
                self.observed.read(name, within=self._within)
            except DeadlineExceeded as late:
                self.observed.unserved.append(str(late))
                unserved.set()

        read()  # cached before the first update
        with ClosedLoop(read, clients=readers, name="readers", owner=self._scenario) as reading:
            reading.await_more(1, within=self._within, while_="before the first update", each=True)
            for version in range(1, updates + 1):
                self.observed.update(name, f"{name}, version {version}".encode())
                read()
                if unserved.is_set():
                    break
        self._scenario.figure("readings while updating", f"{reading.done}")
