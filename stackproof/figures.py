"""Measured values of all runs, in one file (SQLite): percentiles come with time, not by repeats.

Any number of processes may write at once; each waits for the others.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from stackproof.errors import Trouble

#: Seconds to wait for others that are writing.
_PATIENCE = 30.0
_TABLE = """
CREATE TABLE IF NOT EXISTS figures (
    at REAL NOT NULL, run TEXT NOT NULL, scenario TEXT NOT NULL,
    name TEXT NOT NULL, labels TEXT NOT NULL, unit TEXT NOT NULL, value REAL NOT NULL
)
"""
_SERIES = "SELECT name, labels, unit, value FROM figures ORDER BY name, labels, unit, at"


@dataclass(frozen=True)
class Series:
    """All values of one figure, the oldest first; ``labels`` tell it from its namesakes."""

    name: str
    labels: Mapping[str, str]
    unit: str
    values: tuple[float, ...]

    def percentile(self, q: float) -> float:
        """The smallest value that ``q`` percent (0..100) of all do not exceed.

        A value that was measured, never one in between: with few of them, the upper
        percentiles are the worst one. Exact, without a histogram: a run adds one value or a few,
        and the store has each of them anyway.
        """
        import numpy as np

        return float(np.percentile(self.values, q, method="inverted_cdf"))

    @property
    def title(self) -> str:
        """Name and labels in one line."""
        return ", ".join([self.name, *self.labels.values()])


def keep(
    file: Path,
    name: str,
    value: float,
    *,
    unit: str,
    labels: Mapping[str, str],
    run: str,
    scenario: str,
    at: float | None = None,
) -> None:
    """Add a value.

    Args:
        file: the store; made when it is not there.
        name: what was measured.
        value: a finite number.
        unit: its unit, e.g. "s".
        labels: the circumstances; values with different ones are never mixed.
        run: the run's ID.
        scenario: the scenario's ID.
        at: seconds since the Unix epoch; None: now.

    Raises:
        ValueError: the value is not finite.
        Trouble: the store cannot be written.
    """
    if not math.isfinite(value):
        raise ValueError(f"{name} cannot be {value}")
    row = (time.time() if at is None else at, run, scenario, name,
           json.dumps(dict(sorted(labels.items()))), unit, float(value))  # fmt: skip
    with _opened(file) as store:
        store.execute("INSERT INTO figures VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def read(file: Path) -> list[Series]:
    """All series by name and labels; none when there is no store yet.

    Raises:
        Trouble: the store cannot be read.
    """
    if not file.exists():
        return []
    found: dict[tuple[str, str, str], list[float]] = {}
    with _opened(file) as store:
        for name, labels, unit, value in store.execute(_SERIES):
            found.setdefault((name, labels, unit), []).append(value)
    return [
        Series(name, json.loads(labels), unit, tuple(values))
        for (name, labels, unit), values in found.items()
    ]


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file, timeout=_PATIENCE)) as store, store:
            store.execute(_TABLE)
            yield store
    except (sqlite3.Error, OSError) as error:
        raise Trouble(
            f"the store of figures {file} cannot be used",
            f"{type(error).__name__}: {error}",
            "see to it that it can be written, or name another file as run.figures",
        ) from error
