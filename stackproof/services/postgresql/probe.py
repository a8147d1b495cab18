"""What a PostgreSQL server says of itself, asked by a connection of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from psycopg2 import OperationalError, extensions

from stackproof.services.base import Endpoint
from stackproof.services.postgresql.client import asking
from stackproof.services.postgresql.known import PRIMARY, slot_of

T = TypeVar("T")
#: A replica that is as many seconds behind does not follow: its connection may be there still.
_FOLLOWS_WITHIN = 2.0


@dataclass(frozen=True)
class Replica:
    """A replica as its primary sees it.

    Attributes:
        streams: it is connected, and follows.
        behind: bytes of WAL that it has not applied; None: nobody can tell.
        lag: seconds by which it is behind, those included for which one that owes WAL has said
            nothing; None: it is not connected.
        kept: bytes of WAL that are kept on the primary's disk for it.
        lost: more would have had to be kept than is allowed: it can never catch up.
    """

    streams: bool
    behind: int | None
    lag: float | None
    kept: int
    lost: bool


@dataclass(frozen=True)
class Health:
    """One look at a server.

    Attributes:
        connections: clients that are connected, this one left out.
        most_connections: how many the server lets in.
        long_transactions: seconds that each transaction older than the limit has been open.
        replicas: those that are connected or have a slot, by the slot's name.
        role: "primary" or "replica".
        took: seconds that the look took.
    """

    connections: int
    most_connections: int
    long_transactions: tuple[float, ...]
    replicas: Mapping[str, Replica]
    role: str
    took: float


class PostgreSQLProbe:
    """See `stackproof.services.probe.Probe`."""

    def __init__(self, endpoint: Endpoint, *, timeout: float):
        self._endpoint = endpoint
        self._timeout = timeout

    def _ask(self, node: str, question: Callable[[extensions.cursor], T]) -> T:
        with asking(self._endpoint, node, timeout=self._timeout) as cursor:
            return question(cursor)

    def answers(self, node: str = PRIMARY) -> None:
        """It lets a client in and computes."""
        self._ask(node, lambda cursor: cursor.execute("SELECT 1"))

    def accepts_writes(self, node: str = PRIMARY) -> None:
        """It writes a row to a table of its own and reads it again; nothing of it stays."""

        def write(cursor: extensions.cursor) -> None:
            cursor.execute("CREATE TEMPORARY TABLE written (value integer)")
            cursor.execute("INSERT INTO written VALUES (42) RETURNING value")
            if cursor.fetchall() != [(42,)]:
                raise OperationalError("what was written was not read again")

        self._ask(node, write)

    def carries(self, node: str, size: int) -> None:
        """It is sent a text of that size, and sends it back."""

        def echo(cursor: extensions.cursor) -> None:
            cursor.execute("SELECT %s", ["x" * size])
            ((text,),) = cursor.fetchall()
            if len(text) != size:
                raise OperationalError("the text is not what was sent")

        self._ask(node, echo)

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

    def seen_by_peers(self, node: str) -> None:
        """The primary has it among the replicas that keep up; of itself, it answers."""
        seen = self.health().replicas.get(slot_of(node))
        follows = seen and seen.streams and (seen.lag or 0.0) < _FOLLOWS_WITHIN
        if node != PRIMARY and not follows:
            raise OperationalError(f"the primary sees {node} as {seen}")

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
            ((connections, most, ages, recovering, replicas),) = cursor.fetchall()
            return Health(
                connections, most, tuple(map(float, ages)),
                {name: Replica(*seen) for name, seen in replicas.items()},
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
  (SELECT coalesce(json_object_agg(coalesce(slot_name, application_name), json_build_array(
      coalesce(state = 'streaming', false),
      greatest(0, pg_wal_lsn_diff(here, replay_lsn), pg_wal_lsn_diff(here, restart_lsn)
        * (replay_lsn IS NULL)::int),
      CASE WHEN replay_lsn >= here THEN 0
        ELSE extract(epoch FROM greatest(replay_lag, clock_timestamp() - reply_time)) END,
      coalesce(pg_wal_lsn_diff(here, restart_lsn), 0),
      coalesce(wal_status = 'lost', false))), '{}')
    FROM (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
        ELSE pg_current_wal_lsn() END AS here) AS log
      CROSS JOIN (pg_stat_replication AS stream
        FULL JOIN pg_replication_slots AS slot ON slot.active_pid = stream.pid))
"""
