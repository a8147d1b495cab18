"""Recorded operations as columns: the form that the checks read.

While a scenario runs, each operation is packed into one row of bytes (60 bytes or
so, whatever the message's size); a check turns the rows into numpy columns once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from struct import Struct
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stackproof.history.expectation import Expectation

Array = NDArray[Any]

OK, FAIL, UNKNOWN = 0, 1, 2
STATUS = ("ok", "fail", "unknown")
NOWHERE = -1
"""Stands for a partition or an offset that nobody has told."""
NONE = -1
"""Stands for "no poll" and "no transaction"."""
ENDINGS = ("", "commit", "abort")
COMMIT = ENDINGS.index("commit")
ABORT = ENDINGS.index("abort")

ACTIONS = (
    "write", "read", "compare-and-set", "expire",  # register
    "put", "take", "acknowledge", "give back", "reject", "close",  # queue
    "add", "remove", "list", "seen",  # set
    "acquire", "release", "use",  # lock
    "permit", "refuse",  # limit
    "open",  # queue; last, because histories that were kept have numbers
)  # fmt: skip
"""What a client can do to a key; each model says what its own mean."""

Isolation = Literal["read_uncommitted", "read_committed"]
Mode = Literal["assign", "subscribe"]
Change = Literal["assigned", "revoked", "sought"]


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
    at="d", digest="Q", carried="Q", ident="i", topic="H", label="H", transaction="i",
)  # fmt: skip
COMPLETION = Struct("<dqiB")
RECEPTION = Layout(
    at="d", offset="q", digest="Q", carried="Q", ident="i", partition="i",
    client="H", topic="H", label="H", has_carried="B", poll="i",
)  # fmt: skip
POLL = Layout(ended="d", at="d", client="H")
TRANSACTION = Layout(ending="d", ended="d", how="B", status="B", begun="d", client="H", name="H")
ENDING = Struct("<ddBB")
# As with sends, what the answer tells stands first.
OPERATION = Layout(
    ended="d", value="Q", number="q", status="B", at="d", expected="Q", key="i", client="H",
    space="H", label="H", action="B",
)  # fmt: skip
ANSWER = Struct("<dQqB")


@dataclass(frozen=True)
class Sends:
    """Sends in the order of their invocation; texts as codes into the snapshot's tables.

    `at` and `ended` are in seconds since the Unix epoch, `ended` is NaN while open;
    `partition` and `offset` are `NOWHERE` where unknown; `transaction` is the number of the
    transaction that the send belongs to, or `NONE`.
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
    transaction: Array

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class Receptions:
    """Receptions in the order in which they were recorded; codes and units as in `Sends`.

    `poll` is the number of the poll that handed the record over, or `NONE`. Within a poll
    they stand in the order in which the client was handed them.
    """

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
    poll: Array

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class Polls:
    """Polls in the order in which they began; times as in `Sends`, NaN while one goes on."""

    ended: Array
    at: Array
    client: Array

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class Transactions:
    """Transactions in the order in which they began.

    `ending` is when its end was first asked for, `ended` when that was answered (NaN: not
    yet), `how` a code into `ENDINGS`, `status` the outcome of ending it, `name` a code of
    the transactional id in the snapshot's `transactional_ids`.
    """

    ending: Array
    ended: Array
    how: Array
    status: Array
    begun: Array
    client: Array
    name: Array

    def __len__(self) -> int:
        return len(self.begun)

    @cached_property
    def outcome(self) -> Array:
        """Whether each was committed: OK; certainly not (also: not yet asked for): FAIL; UNKNOWN.

        A transaction whose commit nobody has asked for cannot take effect, whatever became
        of the attempt to abort it.
        """
        return np.where(self.how == COMMIT, self.status, FAIL).astype(np.uint8)


@dataclass(frozen=True)
class Operations:
    """Operations on keys, in the order of their invocation; texts as codes.

    `at` and `ended` as in `Sends`; `value` and `expected` are digests (`digest_of`), `number` is
    what the operation's model makes of it, such as a fencing token; `action` is a code into
    `ACTIONS`.
    """

    ended: Array
    value: Array
    number: Array
    status: Array
    at: Array
    expected: Array
    key: Array
    client: Array
    space: Array
    label: Array
    action: Array

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class Consumer:
    """How a client reads: which records it may see, and who says where it begins."""

    client: str
    isolation: Isolation = "read_uncommitted"
    mode: Mode = "assign"
    group: str = ""


@dataclass(frozen=True)
class Assignment:
    """A change of what a consumer reads; it holds from the consumer's poll `poll` on.

    Where a partition is "assigned" or "sought" its consumer begins anew, so that a jump
    is no anomaly. `at` is in seconds since the Unix epoch.
    """

    client: str
    change: Change
    partitions: tuple[tuple[str, int], ...]
    poll: int
    at: float


@dataclass(frozen=True)
class Drain:
    """A final drain: a fresh consumer has read a topic from its beginning to its end.

    Attributes:
        client: the consumer.
        topic: what it has read, all partitions of it.
        begins: the first offset there was, by partition.
        ends: the end up to which it has read, by partition: the offset after the last.
        at: when the ends were asked for, in seconds since the Unix epoch.
        until: when they were reached.
    """

    client: str
    topic: str
    begins: Mapping[int, int]
    ends: Mapping[int, int]
    at: float
    until: float


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
    expectations: tuple[Expectation, ...]
    polls: Polls
    transactions: Transactions
    transactional_ids: tuple[str, ...]
    consumers: tuple[Consumer, ...]
    assignments: tuple[Assignment, ...]
    drains: tuple[Drain, ...]
    operations: Operations
    spaces: tuple[str, ...]
    keys: tuple[str, ...]
    operation_errors: Mapping[int, str]
    carried_values: Mapping[int, Mapping[str, str]] = field(default_factory=dict)

    @cached_property
    def status(self) -> Array:
        """What became of each send, its transaction considered.

        FAIL where the send or its transaction has certainly not taken effect, OK where
        both have, UNKNOWN otherwise. `sends.status` is the send's own outcome.
        """
        own, transaction = self.sends.status, self.sends.transaction
        if not len(self.transactions):
            return own
        whole = np.append(self.transactions.outcome, np.uint8(OK))[transaction]  # NONE: the last
        worst = np.where((own == UNKNOWN) | (whole == UNKNOWN), UNKNOWN, OK)
        return np.where((own == FAIL) | (whole == FAIL), FAIL, worst).astype(np.uint8)

    @cached_property
    def committed_readers(self) -> list[int]:
        """The codes of the clients that must see committed records only."""
        names = tuple(c.client for c in self.consumers if c.isolation == "read_committed")
        return self.codes("clients", names)

    @cached_property
    def handed_over(self) -> Array:
        """When each reception's poll returned; NaN where it was recorded without a poll."""
        ended = np.append(self.polls.ended, np.nan)
        return ended[self.receptions.poll]

    @property
    def recorded(self) -> int:
        """How many operations and events there are."""
        return sum(len(table) for table in self._timed) + len(self.events)

    @property
    def _timed(self) -> tuple[Sends, Receptions, Operations]:
        return self.sends, self.receptions, self.operations

    @cached_property
    def start(self) -> float:
        """The time of the first record or event in seconds since the Unix epoch (0 if none)."""
        firsts = [float(table.at.min()) for table in self._timed if len(table)]
        return min([*firsts, *(event.at for event in self.events)], default=0.0)

    @cached_property
    def end(self) -> float:
        """The time of the last record or event in seconds since the Unix epoch (0 if none)."""
        lasts = [float(table.at.max()) for table in self._timed if len(table)]
        lasts += [
            float(np.nanmax(table.ended))
            for table in (self.sends, self.operations)
            if len(table) and not np.isnan(table.ended).all()
        ]
        lasts += [event.at if event.until is None else event.until for event in self.events]
        return max(lasts, default=0.0)

    def codes(self, table: str, names: tuple[str, ...]) -> list[int]:
        """Return the codes of those names that a table, such as `clients`, has."""
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


def among(values: Array, others: Array) -> Array:
    """Return whether each of these integers occurs among others."""
    return np.asarray(matching(values, others) >= 0)


GOLDEN = 0x9E3779B97F4A7C15
"""The golden ratio in 64 bits: multiples of it are spread evenly."""


def matching(values: Array, others: Array) -> Array:
    """Return for each of these integers the place of the last equal one among others, or -1.

    A hash table without chains: of several others with one slot the last stays, and those that
    differ from it are looked up in the next round, in a table of their own. Sorting takes several
    times as long.
    """
    values, others = values.astype(np.uint64), others.astype(np.uint64)
    found = np.full(len(values), -1)
    asked, left = np.arange(len(values)), np.arange(len(others))
    factor = GOLDEN
    while len(asked) and len(left):
        shift = np.uint64(62 - len(left).bit_length())
        slots = ((others[left] * np.uint64(factor)) >> shift).astype(np.int64)
        table = np.full(1 << (64 - int(shift)), -1)
        table[slots] = left
        held = table[((values[asked] * np.uint64(factor)) >> shift).astype(np.int64)]
        same = (held >= 0) & (values[asked] == others[held])
        found[asked[same]] = held[same]
        asked = asked[(held >= 0) & ~same]
        left = left[others[table[slots]] != others[left]]
        factor = factor * GOLDEN % (1 << 64)
    return found
