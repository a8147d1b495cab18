"""What transactions read and set in rows, as operations on registers of a scenario's history."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from stackproof.history import History, Status

#: What the history calls the store of all of them.
ROWS = "rows"


class Cell(NamedTuple):
    """One column of one row, the row by its primary key."""

    table: str
    row: str
    column: str

    @property
    def key(self) -> str:
        """What the history calls it."""
        return f"{self.table} {self.row} {self.column}"


class RecordedCells:
    """The cells that one transaction reads and sets.

    What it sets takes effect with its commit. Where it has read the cell before, it is a
    compare-and-set: two of them that both replace one value are a lost update.

    Args:
        history: receives every operation.
        client: the transaction's name.
    """

    def __init__(self, history: History, client: str):
        self._history = history
        self._client = client
        self._seen: dict[Cell, str] = {}
        self._set: dict[Cell, tuple[str, float]] = {}

    def read(self, cell: Cell, value: str, *, began: float) -> None:
        """Record a reading that has been answered; ``began``: seconds since the Unix epoch."""
        self._seen[cell] = value
        op = self._history.invoke("read", client=self._client, space=ROWS, key=cell.key, at=began)
        self._history.answered(op, "ok", value=value)

    def set(self, cell: Cell, value: str) -> None:
        """Note what is being set, from now on until the transaction ends."""
        self._set[cell] = value, time.time()

    def end(self, status: Status, refused: str = "") -> None:
        """Record all that was set.

        Args:
            status: "ok": committed; "fail": not; "unknown".
            refused: why the server has refused it; empty: it was rolled back.
        """
        for cell, (value, began) in self._set.items():
            swapped = cell in self._seen and (status != "fail" or bool(refused))
            op = self._history.invoke(
                "compare-and-set" if swapped else "write",
                client=self._client, space=ROWS, key=cell.key, value=value,
                expected=self._seen[cell] if swapped else ..., at=began,
            )  # fmt: skip
            self._history.answered(op, status, error=refused)
        self._set = {}
