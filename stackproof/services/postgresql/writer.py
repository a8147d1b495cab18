"""Rows that are inserted, each in a transaction of its own, to see which are there in the end."""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import psycopg2
from psycopg2 import extensions, sql

from stackproof.services.base import Endpoint
from stackproof.services.postgresql.client import asking, demand_replicated, parameters
from stackproof.services.postgresql.known import PRIMARY, servers


class RowsWriter:
    """See `stackproof.services.writer.Writer`; a text is a row of a table.

    It waits for each answer itself: libpq would wait for ever where a proxy swallows it.
    """

    def __init__(self, endpoint: Endpoint, name: str, *, timeout: float):
        self._endpoint, self._timeout = endpoint, timeout
        # Where the primary's role moves, each server is tried, beginning with the one that it was.
        known = endpoint.addresses
        self._nodes = deque([PRIMARY] if PRIMARY in known else servers(known))
        self.through = PRIMARY if PRIMARY in known else ""
        self._table = sql.Identifier(name)
        self._connection: extensions.connection | None = None
        with asking(endpoint, timeout=timeout) as cursor:
            cursor.execute(sql.SQL("CREATE TABLE {} (text text)").format(self._table))

    def write(self, text: str) -> None:
        """Insert one row."""
        deadline = time.monotonic() + self._timeout
        try:
            if self._connection is None:
                given = parameters(self._endpoint, self._nodes[0], timeout=self._timeout)
                if len(self._nodes) > 1:
                    given["target_session_attrs"] = "read-write"
                self._connection = psycopg2.connect(**given, async_=True)
                self._await(self._connection, deadline)
            cursor = self._connection.cursor()
            cursor.execute(sql.SQL("INSERT INTO {} VALUES (%s)").format(self._table), [text])
            self._await(self._connection, deadline)
            demand_replicated(self._connection)
        except (psycopg2.Error, OSError):
            self._leave()
            raise

    def _await(self, connection: extensions.connection, deadline: float) -> None:
        waits: dict[int, tuple[Sequence[Any], Sequence[Any]]] = {
            extensions.POLL_READ: ([connection], []),
            extensions.POLL_WRITE: ([], [connection]),
        }
        while (state := connection.poll()) != extensions.POLL_OK:
            reading, writing = waits[state]
            left = max(0.0, deadline - time.monotonic())
            if not any(select.select(reading, writing, [], left)):
                raise TimeoutError("the server does not answer")

    def _leave(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._nodes.rotate(-1)

    def kept(self) -> list[str]:
        """All rows."""
        with asking(self._endpoint, timeout=self._timeout) as cursor:
            cursor.execute(sql.SQL("SELECT text FROM {}").format(self._table))
            return [text for (text,) in cursor.fetchall()]

    def close(self) -> None:
        """Drop the table."""
        self._leave()
        with asking(self._endpoint, timeout=self._timeout) as cursor:
            cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(self._table))
