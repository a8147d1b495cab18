"""What a PostgreSQL server says of itself, asked by a connection of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from psycopg2 import OperationalError, extensions

from stackproof.services.base import Endpoint
from stackproof.services.postgresql.client import connect
from stackproof.services.postgresql.known import PRIMARY

T = TypeVar("T")


@dataclass(frozen=True)
class Health:
    """One look at a server.

    Attributes:
        connections: clients that are connected, this one left out.
        most_connections: how many the server lets in.
        long_transactions: seconds that each transaction older than the limit has been open.
        lag: seconds by which each replica is behind, by its name; of write times.
        role: "primary" or "replica".
        took: seconds that the look took.
    """

    connections: int
    most_connections: int
    long_transactions: tuple[float, ...]
    lag: dict[str, float]
    role: str
    took: float


class PostgreSQLProbe:
    """See `stackproof.services.nodes.Probe`."""

    def __init__(self, endpoint: Endpoint, *, timeout: float):
        self._endpoint = endpoint
        self._timeout = timeout

    def _ask(self, node: str, question: Callable[[extensions.cursor], T]) -> T:
        with connect(self._endpoint, node, timeout=self._timeout) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                return question(cursor)

    def answers(self, node: str = PRIMARY) -> None:
        """It lets a client in and computes."""

        def compute(cursor: extensions.cursor) -> None:
            cursor.execute("SELECT 1")

        self._ask(node, compute)

    def accepts_writes(self, node: str = PRIMARY) -> None:
        """It writes a row to a table of its own and reads it again; nothing of it stays."""

        def write(cursor: extensions.cursor) -> None:
            cursor.execute("CREATE TEMPORARY TABLE written (value integer)")
            cursor.execute("INSERT INTO written VALUES (42) RETURNING value")
            if cursor.fetchall() != [(42,)]:
                raise OperationalError("what was written was not read again")

        self._ask(node, write)

    def holder(self, role: str) -> str | None:
        """The node that is the "primary" now; None: none says so."""
        if role != "primary":
            raise ValueError(f"no node of PostgreSQL holds {role!r}")
        for node in self._endpoint.addresses:
            try:
                if not self._ask(node, _in_recovery):
                    return node
            except OperationalError:
                continue
        return None

    def healthy(self) -> None:
        """Every node answers, and the primary accepts writes."""
        for node in self._endpoint.addresses:
            self.answers(node)
        self.accepts_writes()

    def health(self, node: str = PRIMARY, *, longer_than: float = 60.0) -> Health:
        """One look; transactions open for more than ``longer_than`` seconds are long."""

        def look(cursor: extensions.cursor) -> Health:
            began = time.perf_counter()
            cursor.execute(_HEALTH, [longer_than])
            ((connections, most, ages, recovering, names, lags),) = cursor.fetchall()
            return Health(
                connections, most, tuple(map(float, ages)),
                {name: float(lag) for name, lag in zip(names, lags, strict=True)},
                "replica" if recovering else PRIMARY,
                time.perf_counter() - began,
            )  # fmt: skip

        return self._ask(node, look)

    def close(self) -> None:
        """Each question has a connection of its own."""


def _in_recovery(cursor: extensions.cursor) -> bool:
    cursor.execute("SELECT pg_is_in_recovery()")
    ((answer,),) = cursor.fetchall()
    return bool(answer)


#: One statement, so that all of it is of one moment.
_HEALTH = """
SELECT
  (SELECT count(*) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()),
  current_setting('max_connections')::int,
  ARRAY(SELECT extract(epoch FROM clock_timestamp() - xact_start)::float8 FROM pg_stat_activity
    WHERE xact_start IS NOT NULL AND backend_type = 'client backend'
      AND pid <> pg_backend_pid()
      AND clock_timestamp() - xact_start > make_interval(secs => %s) ORDER BY 1 DESC),
  pg_is_in_recovery(),
  ARRAY(SELECT application_name::text FROM pg_stat_replication ORDER BY application_name),
  ARRAY(SELECT coalesce(extract(epoch FROM replay_lag), 0)::float8
    FROM pg_stat_replication ORDER BY application_name)
"""
