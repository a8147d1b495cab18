"""Recorded operations as columns: the form that the checks read.

While a scenario runs, each operation is packed into one row of bytes (55 bytes or
so, whatever the message's size); a check turns the rows into numpy columns once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackproof.history.flow import Flow

Array = NDArray[Any]

OK, FAIL, UNKNOWN = 0, 1, 2
STATUS = ("ok", "fail", "unknown")
NOWHERE = -1
"""Stands for a partition or an offset that nobody has told."""


class Layout:
    """The fields of a row: packed by `struct`, read by numpy."""

    def __init__(self, **codes: str) -> None:
        self.struct = Struct("<" + "".join(codes.values()))
        kinds = {"d": "<f8", "q": "<i8", "Q": "<u8", "i": "<i4", "H": "<u2", "B": "u1"}
        self.dtype = np.dtype([(name, kinds[code]) for name, code in codes.items()])

    def columns(self, rows: bytes) -> dict[str, Array]:
        """Return the rows' fields as contiguous arrays."""
        table = np.frombuffer(rows, dtype=self.dtype)
        return {name: np.ascontiguousarray(table[name]) for name in self.dtype.names or ()}


# What a completion tells stands first, so that it is written over in one go.
SEND = Layout(
    ended="d", offset="q", partition="i", status="B", has_carried="B", client="H",
    at="d", digest="Q", carried="Q", ident="i", topic="H", label="H",
)  # fmt: skip
COMPLETION = Struct("<dqiB")
RECEPTION = Layout(
    at="d", offset="q", digest="Q", carried="Q", ident="i", partition="i",
    client="H", topic="H", label="H", has_carried="B",
)  # fmt: skip


@dataclass(frozen=True)
class Sends:
    """Sends in the order of their invocation; texts as codes into the snapshot's tables.

    `at` and `ended` are in seconds since the Unix epoch, `ended` is NaN while open;
    `partition` and `offset` are `NOWHERE` where unknown.
    """

    ended: Array
    offset: Array
    partition: Array
    status: Array
    has_carried: Array
    client: Array
    at: Array
    digest: Array
    carried: Array
    ident: Array
    topic: Array
    label: Array

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class Receptions:
    """Receptions in the order in which they were recorded; codes and units as in `Sends`."""

    at: Array
    offset: Array
    digest: Array
    carried: Array
    ident: Array
    partition: Array
    client: Array
    topic: Array
    label: Array
    has_carried: Array

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class Event:
    """Something that happened besides messages: a fault, a process, a note.

    `at` and `until` are in seconds since the Unix epoch; `until` is None for a moment.
    """

    kind: str
    text: str
    at: float
    until: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """A history at one moment, unchangeable: what every check works on."""

    name: str
    meta: Mapping[str, Any]
    sends: Sends
    receptions: Receptions
    clients: tuple[str, ...]
    topics: tuple[str, ...]
    idents: tuple[str, ...]
    labels: tuple[str, ...]
    previews: Mapping[int, str]
    errors: Mapping[int, str]
    events: tuple[Event, ...]
    flows: tuple[Flow, ...]

    @cached_property
    def start(self) -> float:
        """The time of the first record or event in seconds since the Unix epoch (0 if none)."""
        firsts = [float(table.at.min()) for table in (self.sends, self.receptions) if len(table)]
        return min([*firsts, *(event.at for event in self.events)], default=0.0)

    @cached_property
    def end(self) -> float:
        """The time of the last record or event in seconds since the Unix epoch (0 if none)."""
        lasts = [float(table.at.max()) for table in (self.sends, self.receptions) if len(table)]
        if len(self.sends) and not np.isnan(self.sends.ended).all():
            lasts.append(float(np.nanmax(self.sends.ended)))
        lasts += [event.at if event.until is None else event.until for event in self.events]
        return max(lasts, default=0.0)

    def codes(self, table: str, names: tuple[str, ...]) -> list[int]:
        """Return the codes of those names that occur in `clients`, `topics` or `labels`."""
        known: tuple[str, ...] = getattr(self, table)
        return [known.index(name) for name in names if name in known]


def combined(*columns: Array) -> Array:
    """Return one integer per row which is equal where all columns are equal.

    The integers sort as the rows do, first column first. Exact: where the product of
    the columns' ranges would not fit into 62 bits, columns are replaced by ranks.
    """
    key = np.zeros(len(columns[0]), dtype=np.int64)
    if not len(key):
        return key
    size = 1
    for column in columns:
        low, high = int(column.min()), int(column.max())
        if high >= 1 << 63 or size * (high - low + 1) >= 1 << 62:
            key = np.unique(key, return_inverse=True)[1]
            column = np.unique(column, return_inverse=True)[1]
            size, low, high = int(key.max()) + 1, 0, int(column.max())
        width = high - low + 1
        key = key * width + (column.astype(np.int64) - low)
        size *= width
    return key
