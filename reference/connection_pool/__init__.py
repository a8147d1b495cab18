"""A pool of connections to PostgreSQL that many clients share.

SQLAlchemy's QueuePool does the work: a client that finds all connections taken waits for one,
and is told so when none comes back in time.
"""

from __future__ import annotations

import uuid
from contextlib import closing
from typing import Any, cast

import psycopg2
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

__all__ = ["ConnectionPool"]


class PoolExhaustedError(Exception):
    """All connections are taken, and none was given back in time."""


class ConnectionPool:
    """Safe to use from several threads.

    Args:
        url: of the database, as libpq reads it.
        size: connections at most.
        wait: seconds that a client waits for one.
    """

    def __init__(self, url: str, size: int = 10, wait: float = 5.0):
        self._size, self._wait = size, wait
        self._taken: dict[str, PoolProxiedConnection] = {}
        self._pool = QueuePool(
            cast(Any, lambda: psycopg2.connect(url)), pool_size=size, max_overflow=0, timeout=wait
        )

    def query(self, text: str) -> list[list[Any]]:
        """Run one statement in a transaction of its own; the rows that it returns.

        Raises:
            PoolExhaustedError: there is no connection for it.
            psycopg2.Error: the server refuses it.
        """
        connection = self._connection()
        try:
            with closing(connection.cursor()) as cursor:
                cursor.execute(text)
                rows = [list(row) for row in cursor.fetchall()] if cursor.description else []
            connection.commit()
        except psycopg2.Error:
            if _lost(connection):
                connection.invalidate()
            raise
        finally:
            connection.close()  # back into the pool, rolled back if need be
        return rows

    def take(self) -> str:
        """Take a connection and keep it; what `give_back` knows it by.

        Raises:
            PoolExhaustedError: there is none.
        """
        token = uuid.uuid4().hex
        self._taken[token] = self._connection()
        return token

    def give_back(self, token: str) -> None:
        """Give back a connection that was taken."""
        self._taken.pop(token).close()

    def close(self) -> None:
        """Close all connections that are not taken."""
        self._pool.dispose()

    def _connection(self) -> PoolProxiedConnection:
        try:
            connection = self._pool.connect()
        except NoConnection:
            raise PoolExhaustedError(
                f"all {self._size} connections are taken, and none was given back "
                f"within {self._wait:g} s"
            ) from None
        if not _answers(connection):
            # All that were made before the server went are as dead; new ones are made.
            connection.invalidate()
            connection.close()
            return self._connection()
        return connection


def _answers(connection: PoolProxiedConnection) -> bool:
    """A connection that lay idle may have died with its server."""
    try:
        with closing(connection.cursor()) as cursor:
            cursor.execute("SELECT 1")
        connection.rollback()
    except psycopg2.Error:
        return False
    return True


def _lost(connection: PoolProxiedConnection) -> bool:
    return bool(getattr(connection.dbapi_connection, "closed", True))
