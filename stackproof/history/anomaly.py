"""What a check found, and the counterexamples that show it."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from stackproof.history.books import FlowRecords
from stackproof.history.columns import ACTIONS, ENDINGS, NOWHERE, STATUS, Array, Snapshot

WITNESS_RECORDS = 32
RECORDS_PER_SIDE = 4
IDENT_CHARACTERS = 40

Severity = Literal["violation", "allowed", "information"]
"""Allowed: it would be a violation, had the flow not allowed or expected it."""


@dataclass(frozen=True)
class WitnessRecord:
    """One line of a counterexample: a send or a reception, with what it shows.

    `at` is in seconds since the Unix epoch, `after` in seconds since the history began;
    `content` and `carried` are digests in hexadecimal, `carried` is empty where there is none.
    `context`: there is nothing wrong with the record itself; it only shows what is with others.
    `keyed`: it is an operation on a key, its `ident`, in a space, its `topic`.
    """

    what: str
    at: float
    after: float
    client: str
    topic: str
    partition: int | None
    offset: int | None
    ident: str
    outcome: str
    content: str
    carried: str
    preview: str
    note: str = ""
    context: bool = False
    keyed: bool = False

    @property
    def position(self) -> str:
        """Where the record lies, as topic/partition@offset; of an operation, its space."""
        if self.keyed:
            return self.topic
        partition = "?" if self.partition is None else str(self.partition)
        offset = "?" if self.offset is None else str(self.offset)
        return f"{self.topic}/{partition}@{offset}"


@dataclass(frozen=True)
class Anomaly:
    """A kind of deviation, how often it was found, and counterexamples.

    A count of 0 means that the check has found nothing. The first `example` records of
    `witness` are the first counterexample.
    """

    name: str
    severity: Severity
    count: int
    summary: str
    witness: tuple[WitnessRecord, ...] = ()
    example: int = 0

    @property
    def idents(self) -> tuple[str, ...]:
        """The idents that the anomaly is about: those in the counterexamples, each once."""
        return tuple(dict.fromkeys(one.ident for one in self.witness if not one.context))

    def as_dict(self) -> dict[str, Any]:
        """Return the anomaly as plain data for JSON."""
        return asdict(self)


def nothing(name: str) -> Anomaly:
    """Return the result of a check that has found nothing."""
    return Anomaly(name, "information", 0, "")


def found(
    name: str,
    severity: Severity,
    count: int,
    summary: str,
    examples: Iterable[Sequence[WitnessRecord]] = (),
) -> Anomaly:
    """Return an anomaly with its counterexamples cut to 32 records."""
    rest = iter(examples)
    first = next(rest, ())
    records = itertools.chain(first, itertools.chain.from_iterable(rest))
    kept = tuple(itertools.islice(records, WITNESS_RECORDS))
    return Anomaly(name, severity, int(count), summary, kept, min(len(first), WITNESS_RECORDS))


def number(count: int, word: str) -> str:
    """Return a count with its word: "1 message", "1,200 messages"."""
    return f"{count:,} {word if count == 1 else word + 's'}"


def percentage(fraction: float) -> str:
    """Return a fraction as a percentage, rounded down: only what is complete is 100 %."""
    return f"{math.floor(fraction * 10_000 + 1e-9) / 10_000:.2%}"


def sent(snapshot: Snapshot, row: int, note: str = "", what: str = "sent") -> WitnessRecord:
    """Return the line of a send."""
    table = snapshot.sends
    status = STATUS[table.status[row]]
    undone = snapshot.status[row] != table.status[row]
    error = snapshot.errors.get(int(row), "")
    return WitnessRecord(
        what=what,
        client=snapshot.clients[table.client[row]],
        outcome=f"{status}{_of_transaction(snapshot, row) if undone else ''}"
        + (f": {error}" if error else ""),
        note=note,
        **_common(snapshot, table, row),
    )


def _of_transaction(snapshot: Snapshot, row: int) -> str:
    """Return what became of a send's transaction, as the rest of its outcome."""
    table, number = snapshot.transactions, snapshot.sends.transaction[row]
    asked = ENDINGS[table.how[number]]
    ends = {"": "not ended", "abort": "aborted"}
    return f", transaction {ends.get(asked, f'{asked} {STATUS[table.status[number]]}')}"


def received(snapshot: Snapshot, row: int, note: str = "", what: str = "received") -> WitnessRecord:
    """Return the line of a reception."""
    table = snapshot.receptions
    return WitnessRecord(
        what=what,
        client=snapshot.clients[table.client[row]],
        outcome="",
        note=note,
        **_common(snapshot, table, row),
    )


def _common(snapshot: Snapshot, table: Any, row: int) -> dict[str, Any]:
    at, digest = float(table.at[row]), int(table.digest[row])
    partition, offset = int(table.partition[row]), int(table.offset[row])
    return {
        "at": at,
        "after": at - snapshot.start,
        "topic": snapshot.topics[table.topic[row]],
        "partition": None if partition == NOWHERE else partition,
        "offset": None if offset == NOWHERE else offset,
        "ident": snapshot.idents[table.ident[row]],
        "content": f"{digest:016x}",
        "carried": f"{int(table.carried[row]):016x}" if table.has_carried[row] else "",
        "preview": snapshot.previews.get(digest, ""),
    }


def operated(
    snapshot: Snapshot, row: int, note: str = "", *, context: bool = False
) -> WitnessRecord:
    """Return the line of an operation."""
    table = snapshot.operations
    at, ended = float(table.at[row]), float(table.ended[row])
    took = "never answered" if math.isnan(ended) else f"{(ended - at) * 1000:,.1f} ms"
    error = snapshot.operation_errors.get(int(row), "")
    value = int(table.value[row])
    return WitnessRecord(
        what=ACTIONS[table.action[row]],
        at=at,
        after=at - snapshot.start,
        client=snapshot.clients[table.client[row]],
        topic=snapshot.spaces[table.space[row]],
        partition=None,
        offset=None,
        ident=snapshot.keys[table.key[row]],
        outcome=f"{STATUS[table.status[row]]}, {took}" + (f": {error}" if error else ""),
        content=f"{value:016x}",
        carried="",
        preview=snapshot.previews.get(value, ""),
        note=note,
        context=context,
        keyed=True,
    )


def both_sides(
    records: FlowRecords,
    idents: Sequence[int] | Array,
    *,
    send_rows: Array | None = None,
    reception_rows: Array | None = None,
) -> Iterator[list[WitnessRecord]]:
    """Yield, for each of these idents, its sends and receptions.

    Of the same ident at most four sends and four receptions are shown.

    Args:
        records: where to look.
        idents: codes of the idents, the most telling first.
        send_rows: which sends to look at; None: those of the flow.
        reception_rows: which receptions to look at; None: those of the flow.
    """
    snapshot = records.snapshot
    chosen = [int(ident) for ident in idents[:WITNESS_RECORDS]]
    send_rows = records.sends if send_rows is None else send_rows
    reception_rows = records.receptions if reception_rows is None else reception_rows
    wanted = np.zeros(records.idents, dtype=bool)
    wanted[chosen] = True
    sends = _by_ident(snapshot.sends.ident, send_rows, wanted)
    receptions = _by_ident(snapshot.receptions.ident, reception_rows, wanted)
    for ident in chosen:
        told = [sent(snapshot, row, more) for row, more in _few(sends.get(ident, []))]
        for place, (row, more) in enumerate(_few(receptions.get(ident, []))):
            what = "received again" if place else "received"
            told.append(received(snapshot, row, more, what))
        yield told


def _few(rows: Sequence[int]) -> list[tuple[int, str]]:
    """Return the first rows, the last of them with a note on how many are left out."""
    left = len(rows) - RECORDS_PER_SIDE
    notes = [""] * min(len(rows), RECORDS_PER_SIDE)
    if left > 0:
        notes[-1] = f"and {left:,} more of this message"
    return list(zip(rows[:RECORDS_PER_SIDE], notes, strict=True))


def _by_ident(idents: Array, rows: Array, wanted: Array) -> dict[int, list[int]]:
    grouped: dict[int, list[int]] = {}
    for row in rows[wanted[idents[rows]]].tolist():
        grouped.setdefault(int(idents[row]), []).append(row)
    return grouped


def table(records: Sequence[WitnessRecord], *, contents: bool = False) -> list[str]:
    """Return the records as lines of an aligned table; empty columns are left out.

    Args:
        records: the lines.
        contents: whether to show digests of contents, where those of one message differ.
    """
    found: dict[str, set[str]] = {}
    for record in records:
        found.setdefault(record.ident, set()).add(record.content)
    contents = contents and any(len(of_one) > 1 for of_one in found.values())
    rows = [
        (
            record.what,
            f"+{record.after:.3f} s",
            record.position,
            _printable(record.ident)[:IDENT_CHARACTERS],
            record.client,
            _printable(record.outcome),
            record.content[:8] if contents else "",
            record.note,
            _printable(record.preview),
        )
        for record in records
    ]
    titles = ("what", "when", "where", "ident", "client", "outcome", "content", "note", "preview")
    kept = [i for i in range(len(titles)) if any(row[i] for row in rows)]
    widths = {i: max(len(titles[i]), *(len(row[i]) for row in rows)) for i in kept}
    return ["  ".join(row[i].ljust(widths[i]) for i in kept).rstrip() for row in (titles, *rows)]


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
