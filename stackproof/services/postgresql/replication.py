"""A scenario's rows on a primary and its replicas: compared, and timed by its own writes."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from typing import TypeVar, cast

import psycopg2

from stackproof.actions import SlowPeers
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.fixture import Scenario
from stackproof.services.nodes import instance
from stackproof.services.postgresql.fixture import Database
from stackproof.services.postgresql.known import PRIMARY, slot_of
from stackproof.services.postgresql.probe import Replica

T = TypeVar("T")
_READ_WITHIN = 15.0
_READ_ONLY = "25006"


class Replication:
    """Rows that the scenario commits on the primary, and what its replicas make of them.

    Attributes:
        committed: text by number of each row whose commit was confirmed.
        replicas: names of the nodes.
        soonest: the shortest of all times that `time_rows` has measured, in seconds.
    """

    def __init__(self, scenario: Scenario, database: Database):
        self._scenario = scenario
        self._database = database
        self.committed: dict[int, str] = {}
        self.soonest = math.inf
        self._random = random.Random(scenario.seed)
        self.replicas = [node for node in database.endpoint.addresses if node != PRIMARY]
        database.run("CREATE TABLE written (number bigint PRIMARY KEY, text text NOT NULL)")
        database.run("ALTER TABLE written ALTER text SET STORAGE EXTERNAL")  # as it is

    def _open(self, node: str) -> psycopg2.extensions.connection:
        made = self._database.open(node, within=_READ_WITHIN)
        made.autocommit = True
        return made

    def commit(self, count: int, *, size: int = 20) -> None:
        """Commit so many rows, each in a transaction of its own.

        Args:
            count: how many.
            size: bytes of each one's text, which differ and cannot be compressed.
        """
        with closing(self._open(PRIMARY)) as made:
            for _ in range(count):
                self._insert(made, size)

    def _insert(self, writer: psycopg2.extensions.connection, size: int = 20) -> int:
        number, text = len(self.committed), self._random.randbytes(size // 2).hex()
        with writer.cursor() as cursor:
            cursor.execute("INSERT INTO written VALUES (%s, %s)", [number, text])
        self.committed[number] = text
        return number

    def deviations(self, within: float) -> list[str]:
        """What replicas' rows differ in from those that were confirmed, after ``within`` s each."""
        return [one for node in self.replicas for one in _at_last(
            partial(self._deviations, node), lambda found: not found, within,
        )]  # fmt: skip

    def _deviations(self, node: str) -> list[str]:
        with closing(self._open(node)) as made, made.cursor() as cursor:
            try:
                cursor.execute("SELECT number, text FROM written")
            except psycopg2.errors.UndefinedTable:  # nor has it replayed that
                return [f"{node} lacks the table"]
            found = dict(cursor.fetchall())
        wanted = self.committed
        return [
            f"{node} {'lacks' if n not in found else 'has' if n not in wanted else 'changed'}"
            f" row {n}"
            for n in sorted(found.keys() | wanted.keys())
            if found.get(n) != wanted.get(n)
        ]

    def values(self, query: str, wanted: str, within: float) -> dict[str, str]:
        """What a query returns on each replica, once it is as wanted, or after ``within`` s."""

        def ask(node: str) -> str:
            with closing(self._open(node)) as made, made.cursor() as cursor:
                try:
                    cursor.execute(query)
                except psycopg2.ProgrammingError as error:  # it has not replayed that, either
                    return str(error)
                return "; ".join(", ".join(map(str, row)) for row in cursor.fetchall())

        return {
            node: _at_last(partial(ask, node), lambda found: found == wanted, within)
            for node in self.replicas
        }

    def refusals(self) -> list[str]:
        """Try to write on each replica; how it refuses: "read only" or an SQLSTATE; empty: not."""
        return list(map(self._refusal, self.replicas))

    def _refusal(self, node: str) -> str:
        with closing(self._open(node)) as made, made.cursor() as cursor:
            try:
                cursor.execute("CREATE TABLE refused (number int)")  # needs nothing to be there yet
            except psycopg2.Error as error:
                state = error.pgcode or ""
                return "read only" if state == _READ_ONLY else state
        return ""

    def time_rows(self, count: int) -> float:
        """Commit so many rows, each when all replicas have shown the one before.

        Returns:
            Seconds from the beginning of a row's transaction until the last replica shows it;
            the longest.

        Raises:
            DeadlineExceeded: a replica does not show one in time.
        """
        within = self._scenario.scaled(_READ_WITHIN)
        longest = 0.0
        with ExitStack() as stack:
            threads = stack.enter_context(ThreadPoolExecutor(len(self.replicas)))
            readers = [stack.enter_context(closing(self._open(node))) for node in self.replicas]

            def shown(reader: psycopg2.extensions.connection, number: int) -> float:
                def found() -> bool:
                    with reader.cursor() as cursor:
                        cursor.execute("SELECT 1 FROM written WHERE number = %s", [number])
                        return cursor.fetchone() is not None

                poll(found, within=within, awaiting=f"row {number} on a replica",
                     first_pause=0.001, longest_pause=0.01)  # fmt: skip
                return time.perf_counter()

            writer = stack.enter_context(closing(self._open(PRIMARY)))
            self.deviations(within)
            for _ in range(count):
                began = time.perf_counter()
                number = self._insert(writer)
                ends = threads.map(shown, readers, [number] * len(readers))
                took = [end - began for end in ends]
                self.soonest = min(self.soonest, *took)
                longest = max(longest, *took)
        return longest

    def set_distance(self, seconds: float) -> None:
        """Have all that replicas and primary say to each other take so long, each way.

        For as long as the cluster lives, which is the scenario's own.
        """
        endpoint = self._database.endpoint
        primary, milliseconds = instance(endpoint.cluster, PRIMARY), round(seconds * 1000)
        self._scenario.act(endpoint.service, primary, SlowPeers(milliseconds))
        self.commit(1)  # connections that did not come the long way end with the next word
        self.deviations(self._scenario.scaled(_READ_WITHIN))

    # -- health ----------------------------------------------------------------
    def seen(self, node: str) -> Replica:
        """A replica as the primary's health shows it.

        Raises:
            AssertionError: it is not shown at all.
        """
        replicas = self._database.health().replicas
        if slot_of(node) not in replicas:
            raise AssertionError(f"{node} is not among the replicas: {sorted(replicas)}")
        return replicas[slot_of(node)]

    def until_seen(self, wanted: Callable[[Replica], bool], within: float) -> dict[str, Replica]:
        """All replicas as the primary's health shows them, each once it is as wanted, or at last.

        Args:
            wanted: of one replica.
            within: seconds for each.
        """
        return {node: self.one_seen(node, wanted, within) for node in self.replicas}

    def one_seen(self, node: str, wanted: Callable[[Replica], bool], within: float) -> Replica:
        """One of them, in the same way."""
        return _at_last(partial(self.seen, node), wanted, within)

    def checkpoint(self) -> None:
        """Have the primary write what it keeps in memory, and give up what it keeps too long."""
        with closing(self._open(PRIMARY)) as made, made.cursor() as cursor:
            cursor.execute("CHECKPOINT")


def _at_last(ask: Callable[[], T], wanted: Callable[[T], bool], within: float) -> T:
    """What is found once it is as wanted, or after ``within`` seconds."""
    try:
        return poll(ask, until=wanted, within=within, awaiting="")
    except DeadlineExceeded as late:
        return cast(T, late.seen)
