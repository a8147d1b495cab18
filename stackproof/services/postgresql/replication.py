"""A scenario's rows on a primary and its replicas: compared, and timed by its own writes."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

import psycopg2
from psycopg2 import sql

from stackproof.actions import SlowPeers
from stackproof.history import Members
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.fixture import Scenario
from stackproof.services.nodes import instance
from stackproof.services.postgresql.client import demand_replicated
from stackproof.services.postgresql.fixture import Database, Transaction
from stackproof.services.postgresql.known import PRIMARY, servers, slot_of
from stackproof.services.postgresql.probe import Replica
from stackproof.texts import counted
from stackproof.workloads import Latencies

if TYPE_CHECKING:
    from stackproof.history import Status

T = TypeVar("T")
_READ_WITHIN = 15.0
_READ_ONLY = "25006"
_TAKES_OVER, _APART = 60.0, 20
#: Seconds in which a client of one node alone is answered.
_ANSWERED_APART = 1.0
_INSERT = "INSERT INTO written VALUES (%s, %s)"
#: What the history calls the set of them.
_ROWS = "rows"


class Replication:
    """Rows that the scenario commits on the primary, and what its replicas make of them.

    They are members of a set in its history; each replica is one who lists it.

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
        #: How many rows a node went on acknowledging once another was the primary.
        self.taken_apart: int | None = None
        self._numbers = 0
        self._random = random.Random(scenario.seed)
        nodes = servers(database.endpoint.addresses)
        #: Of a cluster whose roles move, every server.
        self.replicas = [node for node in nodes if node != PRIMARY]
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

    def _insert(
        self, writer: psycopg2.extensions.connection, size: int = 20, client: str = PRIMARY
    ) -> int:
        row = self._new_row(size)
        number, text = row
        adding = self._scenario.history.doing(
            "add", client=client, space=_ROWS, key=str(number), value=text
        )
        with writer.cursor() as cursor, adding:
            cursor.execute(_INSERT, row)
            demand_replicated(writer)
        self.committed[number] = text
        return number

    def _new_row(self, size: int) -> tuple[int, str]:
        self._numbers += 1
        return self._numbers, self._random.randbytes(size // 2).hex()

    def commit_apart(self, node: str) -> None:
        """Have a client of one node alone commit rows there until another is the primary.

        Some more are tried there then. What is refused, or does not get to a replica in time, is
        recorded so.

        Raises:
            DeadlineExceeded: none takes over.
        """
        replaced = partial(self._database.probe.replaced, node)
        poll(lambda: (self._try(node), replaced())[1], within=self._scenario.scaled(_TAKES_OVER),
             awaiting=f"another node than {node} to be the primary", first_pause=0.01,
             longest_pause=0.05)  # fmt: skip
        self.taken_apart = sum(self._try(node) for _ in range(_APART))
        acknowledged = f"{self.taken_apart} of {counted(_APART, 'row')}"
        self._scenario.figure(f"acknowledged by {node} after another had taken over", acknowledged)

    def _try(self, node: str) -> bool:
        with suppress(psycopg2.Error), closing(self._open(node)) as made:

            def give_up() -> None:  # a commit's wait for a replica has no time-out of its own
                with suppress(psycopg2.Error):
                    made.cancel()

            limit = threading.Timer(_ANSWERED_APART, give_up)
            limit.start()
            try:
                self._insert(made, client=f"client of {node}")
            finally:
                limit.cancel()
            return True
        return False

    def expected(self, *, lost: bool = False) -> Members:
        """List all rows where commits go; what is expected of them.

        Args:
            lost: some that were acknowledged must be gone.
        """
        self._listed(PRIMARY)
        expected = ("lost",) if lost else ()
        return Members("rows", _ROWS, visible="at last", reader=PRIMARY, expected=expected)

    def insert_in(self, transaction: Transaction, *, size: int = 20) -> None:
        """Insert a row that is committed with a transaction, or not."""
        number, text = row = self._new_row(size)
        history = self._scenario.history
        op = history.invoke(
            "add", client=transaction.name, space=_ROWS, key=str(number), value=text
        )

        def end(status: Status, refused: str) -> None:
            history.answered(op, status, error=refused)
            if status == "ok":
                self.committed[number] = text

        transaction.at_end(end)
        transaction.run(
            sql.SQL("INSERT INTO written VALUES ({}, {})").format(*map(sql.Literal, row))
        )

    def assert_rows(self, within: float) -> None:
        """Check that each replica lists exactly the rows that were confirmed.

        Args:
            within: seconds for each to do so.

        Raises:
            AssertionError: rows are lost, altered or unexpected on one of them.
        """
        self.settle(within)
        for node in self.replicas:
            self._scenario.assert_history(
                Members(f"rows on {node}", _ROWS, visible="at last", reader=node)
            )

    def settle(self, within: float) -> None:
        """List the rows of each replica until they are those that were confirmed.

        Args:
            within: seconds for each; what it lists then is in the history.
        """
        for node in self.replicas:
            _at_last(partial(self._listed, node), lambda rows: rows == self.committed, within)

    def _listed(self, node: str) -> dict[int, str]:
        history = self._scenario.history
        with (
            closing(self._open(node)) as made, made.cursor() as cursor,
            history.listing(client=node, space=_ROWS) as found,
        ):  # fmt: skip
            try:
                cursor.execute("SELECT number, text FROM written")
            except psycopg2.errors.UndefinedTable:  # nor has it replayed that
                return {}
            rows = dict(cursor.fetchall())
            found += [(str(number), text) for number, text in rows.items()]
        return rows

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

    def time_rows(self, count: int) -> dict[str, Latencies]:
        """Commit so many rows, each when all replicas have shown the one before.

        Returns:
            how long from the beginning of each transaction until the last replica showed its row.

        Raises:
            DeadlineExceeded: a replica does not show one in time.
        """
        within = self._scenario.scaled(_READ_WITHIN)
        seen = Latencies()
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
            self.settle(within)
            for _ in range(count):
                began = time.perf_counter()
                number = self._insert(writer)
                ends = threads.map(shown, readers, [number] * len(readers))
                took = [end - began for end in ends]
                self.soonest = min(self.soonest, *took)
                seen.record(max(took))
        return {"replication": seen}

    def set_distance(self, seconds: float) -> None:
        """Have all that replicas and primary say to each other take so long, each way.

        For as long as the cluster lives, which is the scenario's own.
        """
        endpoint = self._database.endpoint
        primary, milliseconds = instance(endpoint.cluster, PRIMARY), round(seconds * 1000)
        self._scenario.act(endpoint.service, primary, SlowPeers(milliseconds))
        self.commit(1)  # connections that did not come the long way end with the next word
        self.settle(self._scenario.scaled(_READ_WITHIN))

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
