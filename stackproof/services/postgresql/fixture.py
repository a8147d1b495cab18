"""One scenario's work with PostgreSQL: a schema of its own, its transactions, its health."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import extensions, sql

from stackproof.errors import PremiseNotMet, step_missing
from stackproof.history import Registers
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.fixture import Scenario
from stackproof.services.postgresql.client import create, drop, parameters, url
from stackproof.services.postgresql.known import PRIMARY
from stackproof.services.postgresql.probe import Health, PostgreSQLProbe
from stackproof.services.postgresql.recording import ROWS, Cell, RecordedCells
from stackproof.workloads import Latencies

if TYPE_CHECKING:
    from stackproof.history import Status

Row = tuple[Any, ...]
#: Is told how a transaction has ended, and why it was refused; empty: it was not.
AtEnd = Callable[["Status", str], None]
_PATIENCE = 10.0
#: What features call a refusal, by SQLSTATE.
REFUSALS = {
    "40001": "could not serialize",
    "40P01": "deadlock",
    "23505": "unique",
    "23503": "foreign key",
    "23502": "not null",
    "23514": "check",
    "23P01": "exclusion",
}


class Database:
    """The scenario's schema on its PostgreSQL; everything in it is dropped at the end."""

    def __init__(self, scenario: Scenario, endpoint: str = "postgresql"):
        self._scenario = scenario
        self.endpoint = scenario.endpoint(endpoint)
        self.history = scenario.history
        self._transactions: dict[str, Transaction] = {}
        self._keys: dict[str, str] = {}

    # -- the scenario's own schema -------------------------------------------
    @cached_property
    def schema(self) -> str:
        """Its name; made at the first use."""
        name = self._scenario.own("data")
        self._scenario.add_cleanup(self._drop)
        create(self.endpoint, name)
        return name

    def _drop(self) -> None:
        drop(self.endpoint, self._scenario.own("data"))

    def url(self, client: str, *, own_schema: bool = False) -> str:
        """How a program reaches the database; with a password.

        Args:
            client: what the scenario calls it.
            own_schema: names without a schema are those of the scenario's own.
        """
        options = f'-c search_path="{self.schema}"' if own_schema else ""
        return url(self.endpoint, client=self._scenario.own(client), options=options)

    def connections_of(self, client: str) -> int:
        """How many connections that program has now, as the server counts them."""
        ((count,),) = self.run(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = left(%s, 63)",
            [self._scenario.own(client)],
        )
        return int(count)

    def open(self, node: str = PRIMARY, *, within: float = _PATIENCE) -> extensions.connection:
        """A connection into the schema; whoever opens it closes it.

        Args:
            node: which server.
            within: seconds, on a machine of usual speed.

        Raises:
            psycopg2.Error: it is refused.
        """
        return psycopg2.connect(
            **parameters(
                self.endpoint, node, timeout=self._scenario.scaled(within),
                options=f'-c search_path="{self.schema}"',
            ),
        )  # fmt: skip

    def run(self, text: str | sql.Composable, values: Sequence[Any] = ()) -> list[Row]:
        """Run one statement in a transaction of its own; the rows that it returns.

        Raises:
            psycopg2.Error: it is refused.
        """
        with closing(self.open()) as made, made, made.cursor() as cursor:
            cursor.execute(text, values or None)
            return cursor.fetchall() if cursor.description else []

    def run_in_utc(self, text: sql.Composable) -> list[Row]:
        """The same of a query whose times are to be told in UTC, wherever the server is."""
        with closing(self.open()) as made, made, made.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
            cursor.execute(text)
            return cursor.fetchall()

    def seed(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Create a table and fill it; its first column is the primary key.

        A column is a number where all its values are, and text otherwise.
        """
        listed = [list(row) for row in rows]
        kinds = [
            "bigint" if all(_is_number(row[i]) for row in listed) else "text"
            for i in range(len(columns))
        ]
        defined = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
            for name, kind in zip(columns, kinds, strict=True)
        )
        create_it = sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY ({}))").format(
            sql.Identifier(table), defined, sql.Identifier(columns[0])
        )
        fill_it = sql.SQL("INSERT INTO {} VALUES ({})").format(
            sql.Identifier(table), sql.SQL(", ").join([sql.Placeholder()] * len(columns))
        )
        self._keys[table] = columns[0]
        recorded = RecordedCells(self.history, "test data")
        for first, *others in listed:
            for column, value in zip(columns[1:], others, strict=True):
                recorded.set(Cell(table, first, column), value)
        with closing(self.open()) as made, made, made.cursor() as cursor:
            cursor.execute(create_it)
            cursor.executemany(fill_it, listed)
        recorded.end("ok")

    def rows(self, table: str, columns: Sequence[str]) -> list[list[str]]:
        """What a table holds, as texts, ordered by the first column."""
        chosen = sql.SQL(", ").join(map(sql.Identifier, columns))
        query = sql.SQL("SELECT {} FROM {} ORDER BY {}").format(
            chosen, sql.Identifier(table), sql.Identifier(columns[0])
        )
        recorded, began = RecordedCells(self.history, "reader"), time.time()
        found = [list(map(_text, row)) for row in self.run(query)]
        for first, *others in found:
            for column, value in zip(columns[1:], others, strict=True):
                recorded.read(Cell(table, first, column), value, began=began)
        return found

    def read(self, table: str, row: str, column: str) -> str:
        """One column of a row, read in a transaction of its own."""
        cell, where = self.cell(table, row, column)
        names = sql.Identifier(column), sql.Identifier(table)
        began = time.time()
        value = _only(self.run(sql.SQL("SELECT {} FROM {} WHERE ").format(*names) + where))
        RecordedCells(self.history, "reader").read(cell, value, began=began)
        return value

    def cell(self, table: str, row: str, column: str) -> tuple[Cell, sql.Composable]:
        """One column of a row that `seed` has made, and the condition that finds the row."""
        if table not in self._keys:
            raise step_missing(f'the table "{table}"', f'the table "{table}" holds')
        where = sql.SQL("{} = {}").format(sql.Identifier(self._keys[table]), sql.Literal(row))
        return Cell(table, row, column), where

    def updates(self, *, lost: bool) -> Registers:
        """What is expected of all that transactions have read and set; ``lost``: an update is."""
        wrong = ("lost-update", "not-linearizable") if lost else ()
        return Registers("what transactions read and set", ROWS, expected=wrong)

    # -- transactions ----------------------------------------------------------
    def begin(self, name: str, level: str) -> Transaction:
        """Begin a transaction that the scenario calls ``name``."""
        made = Transaction(self, name, level, within=self._scenario.scaled(_PATIENCE))
        self._transactions[name] = made
        self._scenario.add_cleanup(made.close)
        self.history.event("note", f"{name} begins, {level}")
        return made

    def transaction(self, name: str) -> Transaction:
        """A transaction that was begun.

        Raises:
            PremiseNotMet: it was not.
        """
        if name not in self._transactions:
            raise step_missing(f'the transaction "{name}"',
                               f'transaction "{name}" begins at read committed')  # fmt: skip
        return self._transactions[name]

    def goes_on_after(self, name: str, other: str) -> bool:
        """Whether one waits, and its statement is done once the other has committed."""
        waiting = self.transaction(name)
        if not waiting.waits():
            return False
        self.transaction(other).commit()
        waiting.settle()
        return not waiting.refused

    def settle(self, *names: str, within: float) -> list[str]:
        """Wait until each is done or refused, and commit those that can be; why each was refused.

        Raises:
            DeadlineExceeded: one still waits after ``within`` seconds.
        """
        chosen = [self.transaction(name) for name in names]
        poll(
            lambda: [one.name for one in chosen if one.waits()],
            until=lambda waiting: not waiting, within=within,
            awaiting="no transaction to wait for a lock",
        )  # fmt: skip
        for one in chosen:
            one.commit()
        return [one.reason for one in chosen]

    def value(self, query: str) -> str:
        """The only value that a query returns, as text."""
        return _only(self.run(query))

    def schemas_with(self, table: str) -> list[str]:
        """Schemas that have such a table and are the scenario's or on the usual search path."""
        found = self.run(
            "SELECT schemaname FROM pg_tables WHERE tablename = %s"
            " AND schemaname IN (%s, 'public', 'pg_catalog')", [table, self.schema],
        )  # fmt: skip
        return sorted(name for (name,) in found)

    def waits_for_lock(self, process: int) -> bool:
        """Whether a server process waits for a lock that another one holds."""
        ((blockers,),) = self.run("SELECT cardinality(pg_blocking_pids(%s))", [process])
        return bool(blockers)

    def waits_for_replica(self, process: int) -> bool:
        """Whether the commit of a server process waits for a synchronous replica."""
        found = self.run(
            "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'SyncRep'", [process]
        )
        return bool(found)

    # -- health ----------------------------------------------------------------
    @cached_property
    def probe(self) -> PostgreSQLProbe:
        """Asks by connections of its own."""
        return PostgreSQLProbe(self.endpoint, timeout=self._scenario.scaled(_PATIENCE))

    def health(self, *, longer_than: float = 60.0) -> Health:
        """One look at the primary; see `PostgreSQLProbe.health`."""
        return self.probe.health(PRIMARY, longer_than=longer_than)

    def hold_connections(self, count: int) -> None:
        """Open so many, and keep them until the scenario's end."""
        for _ in range(count):
            self._scenario.add_cleanup(self.open().close)

    def long_transactions(
        self, count: int, *, longer_than: float, within: float
    ) -> tuple[float, ...]:
        """Wait until the server's health shows so many; seconds that each has been open.

        Raises:
            DeadlineExceeded: after ``within`` seconds it does not.
        """
        return poll(
            lambda: self.health(longer_than=longer_than).long_transactions,
            until=lambda found: len(found) >= count, within=within,
            awaiting=f"{count} transactions open for more than {longer_than:g} s",
        )  # fmt: skip

    def time_health(self, times: int) -> dict[str, Latencies]:
        """Ask so many times; how long each answer took, with its connection."""
        took = Latencies()
        for _ in range(times):
            began = time.perf_counter()
            self.health()
            took.record(time.perf_counter() - began)
        return {"health check": took}


class Transaction:
    """A transaction on a connection of its own, which may wait for others' locks.

    Attributes:
        refused: SQLSTATE by which the server refused it; empty: it has not.
        refusal: the server's words.
        committed: whether it is.
        found: rows of its last query.
    """

    def __init__(self, database: Database, name: str, level: str, *, within: float):
        self.name = name
        self.refused = self.refusal = ""
        self.committed = False
        self.found: list[Row] = []
        self._database = database
        self._within = within
        self._connection = database.open()
        self._connection.set_session(isolation_level=level.upper())
        self._process = self._connection.info.backend_pid
        self._thread = ThreadPoolExecutor(1)
        self._doing: Future[None] | None = None
        self._recorded = RecordedCells(database.history, name)
        self._at_end: list[AtEnd] = [self._recorded.end]

    @property
    def reason(self) -> str:
        """Why it was refused, in the words of `REFUSALS`, or the SQLSTATE; empty: it was not."""
        return REFUSALS.get(self.refused, self.refused)

    @property
    def value(self) -> str:
        """The only value that its last query found, as text."""
        return _only(self.found)

    def run(self, text: str | sql.Composable) -> None:
        """Run a statement; returns when it is done, refused, or waits for a lock.

        Raises:
            PremiseNotMet: an earlier one still waits.
        """
        self._end_of_doing()
        if isinstance(text, str):  # what is said in SQL is no operation of a model
            self._database.history.event("note", f"{self.name} runs {text}")
        self._doing = self._thread.submit(self._execute, text)
        self._until(lambda: self._done() or self._database.waits_for_lock(self._process))

    def at_end(self, tell: AtEnd) -> None:
        """Have somebody told how it ends, and why the server has refused it if it has."""
        self._at_end.append(tell)

    def _end(self, status: Status, refused: str = "") -> None:
        tell, self._at_end = self._at_end, []
        for one in tell:
            one(status, refused)

    def read(self, table: str, row: str, column: str) -> None:
        """Read one column of a row; `value` has it."""
        cell, where = self._database.cell(table, row, column)
        names = sql.Identifier(column), sql.Identifier(table)
        began = time.time()
        self.run(sql.SQL("SELECT {} FROM {} WHERE ").format(*names) + where)
        self._end_of_doing()
        if not self.refused:
            self._recorded.read(cell, self.value, began=began)

    def set(self, table: str, row: str, column: str, value: str) -> None:
        """Set one column of a row, as `run`."""
        cell, where = self._database.cell(table, row, column)
        names = sql.Identifier(table), sql.Identifier(column), sql.Literal(value)
        self._recorded.set(cell, value)
        self.run(sql.SQL("UPDATE {} SET {} = {} WHERE ").format(*names) + where)

    def commit(self) -> None:
        """Commit it, unless the server has refused it already."""
        self._end_of_doing()
        if self.refused:
            return
        self._doing = self._thread.submit(self._commit)
        self._end_of_doing()

    def begin_to_commit(self) -> None:
        """Commit it; returns when that is done, or waits for a replica."""
        self._end_of_doing()
        self._doing = self._thread.submit(self._commit)
        self._until(lambda: self._done() or self.waits_for_replica())

    def waits_for_replica(self) -> bool:
        """Whether its commit waits for a synchronous replica."""
        return not self._done() and self._database.waits_for_replica(self._process)

    def roll_back(self) -> None:
        """Undo it."""
        self._end_of_doing()
        self._connection.rollback()
        self._end("fail")

    def waits(self) -> bool:
        """Whether its statement waits for a lock."""
        return not self._done() and self._database.waits_for_lock(self._process)

    def settle(self) -> None:
        """Wait until its statement is done or refused."""
        self._end_of_doing()

    def _execute(self, text: str | sql.Composable) -> None:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(text)
                if cursor.description:
                    self.found = cursor.fetchall()
        except psycopg2.Error as error:
            self._refuse(error)

    def _commit(self) -> None:
        try:
            self._connection.commit()
            self.committed = True
            self._end("ok")
        except psycopg2.Error as error:
            self._refuse(error)

    def _refuse(self, error: psycopg2.Error) -> None:
        if error.pgcode is None:  # the connection is lost: no refusal of the transaction
            self._end("unknown")
            raise error
        self.refused, self.refusal = error.pgcode, " ".join(str(error).split())
        self._connection.rollback()
        self._end("fail", self.refusal)

    def _done(self) -> bool:
        return self._doing is None or self._doing.done()

    def _end_of_doing(self) -> None:
        if self._doing is not None:
            self._until(self._done)
            doing, self._doing = self._doing, None
            doing.result()

    def _until(self, reached: Any) -> None:
        try:
            poll(reached, within=self._within, awaiting=f"{self.name}'s statement")
        except DeadlineExceeded as late:
            raise PremiseNotMet(
                f"{self.name} still waits", str(late),
                "let the transaction that it waits for end in a step before",
            ) from late  # fmt: skip

    def close(self) -> None:
        """End it, whatever it does."""
        if not self._done():
            with suppress(psycopg2.Error):
                self._connection.cancel()
        self._thread.shutdown(wait=True)
        self._connection.close()
        self._end("unknown")


def _is_number(text: str) -> bool:
    return text.lstrip("-").isdecimal()


def _only(rows: Sequence[Row]) -> str:
    if len(rows) != 1 or len(rows[0]) != 1:
        raise AssertionError(f"one value was expected, and these rows were found: {rows!r:.200}")
    return _text(rows[0][0])


def _text(value: object) -> str:
    return "" if value is None else str(value)
