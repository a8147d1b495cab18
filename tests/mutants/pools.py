"""Pools of connections with faults."""

from __future__ import annotations

import threading
from typing import Any

import psycopg2
from sqlalchemy.pool import PoolProxiedConnection

from reference.connection_pool import ConnectionPool


class Leaks(ConnectionPool):
    """A query that fails keeps its connection."""

    def query(self, text: str) -> list[list[Any]]:
        token = self.take()
        try:
            with self._taken[token].cursor() as cursor:  # type: ignore[attr-defined]
                cursor.execute(text)
                rows = [list(row) for row in cursor.fetchall()]
            self._taken[token].commit()
        except psycopg2.Error:
            raise
        self.give_back(token)
        return rows


class WaitsForEver(ConnectionPool):
    """Whoever finds it exhausted waits, whatever it was told."""

    def __init__(self, url: str, size: int = 10, wait: float = 5.0):
        super().__init__(url, size, 3600)


class KeepsTheDead(ConnectionPool):
    """Connections that died with their server are handed out again and again."""

    def __init__(self, url: str, size: int = 10, wait: float = 5.0):
        super().__init__(url, size, wait)
        self._url = url
        self._kept: list[Any] = []

    def query(self, text: str) -> list[list[Any]]:
        if not self._kept:
            self._kept.append(psycopg2.connect(self._url))
        with self._kept[0].cursor() as cursor:
            cursor.execute(text)
            return [list(row) for row in cursor.fetchall()]


class MixesUp(ConnectionPool):
    """Now and then a client is handed the rows of another one."""

    _last: list[list[Any]] | None = None
    _count = 0

    def query(self, text: str) -> list[list[Any]]:
        rows = super().query(text)
        self._count += 1
        if self._count % 50 == 0 and self._last is not None:
            return self._last
        self._last = rows
        return rows


class Grows(ConnectionPool):
    """It opens as many connections as there are clients."""

    def __init__(self, url: str, size: int = 10, wait: float = 5.0):
        super().__init__(url, 40, wait)
        self._all_in = threading.Barrier(30)

    def _connection(self) -> PoolProxiedConnection:
        connection = super()._connection()
        try:  # as many as are asked for at once are open at once
            self._all_in.wait(0.2)
        except threading.BrokenBarrierError:
            self._all_in.reset()
        return connection
