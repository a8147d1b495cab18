"""What a PostgreSQL server says of itself, asked by a connection of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from psycopg2 import OperationalError, extensions

from stackproof.access import OPEN
from stackproof.errors import NotSupported
from stackproof.services.base import Endpoint
from stackproof.services.postgresql.client import asking
from stackproof.services.postgresql.known import ETCD, PRIMARY, servers, slot_of
from stackproof.services.web import Web

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

    @property
    def _managed(self) -> bool:
        """Whether the primary's role moves."""
        return PRIMARY not in self._endpoint.addresses

    def answers(self, node: str = PRIMARY) -> None:
        """It lets a client in and computes; an etcd says that it is healthy."""
        if node == ETCD:
            self._get(self._endpoint.addresses[node].partition("/")[0], "/health")
            return
        self._ask(node, lambda cursor: cursor.execute("SELECT 1"))

    def _get(self, address: str, path: str) -> None:
        Web(address, OPEN, timeout=self._timeout).ask("GET", path)

    def agent_answers(self, node: str) -> None:
        """Its Patroni says that it lives."""
        if f"{node} agent" not in self._endpoint.others:
            raise NotSupported(f"{node} has no agent that manages it")
        self._get(self._endpoint.at(node, "agent"), "/liveness")

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
        """The node that is the "primary" now; None: none says so.

        Raises:
            psycopg2.OperationalError: several do.
        """
        if role != "primary":
            raise ValueError(f"no node of PostgreSQL holds {role!r}")
        found = self.primaries()
        if len(found) > 1:
            raise OperationalError(f"several nodes are primaries: {', '.join(found)}")
        return next(iter(found), None)

    def primaries(self, *, without: str = "") -> list[str]:
        """The nodes that say so, one left out; of a cluster in order there is one."""
        found = []
        for node in servers(self._endpoint.addresses):
            with suppress(OperationalError):
                if node != without and not self._ask(node, _in_recovery):
                    found.append(node)
        return found

    def replaced(self, node: str) -> bool:
        """Another node is the primary."""
        return bool(self.primaries(without=node))

    def seen_by_peers(self, node: str) -> None:
        """Replicas and their primary work with each other; of a primary alone, it answers."""
        if node == ETCD:
            return
        primary = self.holder("primary") if self._managed else PRIMARY
        if node != primary:
            seen = self.health(primary or PRIMARY).replicas.get(slot_of(node))
            if not (seen and seen.streams and (seen.lag or 0.0) < _FOLLOWS_WITHIN):
                raise OperationalError(f"the primary sees {node} as {seen}")
        elif self._managed:
            others = [one for one in servers(self._endpoint.addresses) if one != node]
            silent = [one for one in others if not self._ask(one, _hears)]
            if silent:
                raise OperationalError(f"{', '.join(silent)} do not hear of {node}")

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


def _hears(cursor: extensions.cursor) -> bool:
    """Whether a replica follows a primary, which is asked for a sign of life every 2.5 s."""
    cursor.execute(
        "SELECT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming' "
        "AND clock_timestamp() - last_msg_receipt_time < interval '4s')"
    )
    ((answer,),) = cursor.fetchall()
    return bool(answer)


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
