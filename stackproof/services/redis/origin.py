"""Where a cache's values come from: a database on disk that counts how often it is asked."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path


class Origin:
    """Records by name in a database file. Safe to use from several threads.

    Args:
        file: made anew.
        before_loading: called at each `load`, e.g. to hold it back.
    """

    def __init__(self, file: Path, before_loading: Callable[[], None] = lambda: None):
        self._file = file
        self.before_loading = before_loading
        with closing(self._open()) as database, database:
            database.execute("CREATE TABLE records (name TEXT PRIMARY KEY, content BLOB)")
            database.execute("CREATE TABLE loads (name TEXT)")

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._file, timeout=30)

    def update(self, name: str, content: bytes) -> None:
        """Store a record; whoever loads it from now on gets this."""
        with closing(self._open()) as database, database:
            database.execute("INSERT OR REPLACE INTO records VALUES (?, ?)", (name, content))

    def load(self, name: str) -> bytes:
        """A record's content.

        Raises:
            KeyError: there is none of this name.
        """
        self.before_loading()
        with closing(self._open()) as database, database:
            database.execute("INSERT INTO loads VALUES (?)", (name,))
            found = database.execute("SELECT content FROM records WHERE name = ?", (name,))
            row = found.fetchone()
        if row is None:
            raise KeyError(name)
        return row[0]

    def loads(self) -> dict[str, int]:
        """How often each record was loaded."""
        with closing(self._open()) as database:
            return dict(database.execute("SELECT name, count(*) FROM loads GROUP BY name"))
