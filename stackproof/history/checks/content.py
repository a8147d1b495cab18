"""Is what arrived what was sent?

`inconsistent_offsets` is the second analysis of Jepsen's Kafka workload: all sends
and receptions must agree on the record at a position of a topic.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from stackproof.history.anomaly import (
    Anomaly,
    WitnessRecord,
    both_sides,
    found,
    nothing,
    number,
    received,
    sent,
)
from stackproof.history.books import FlowRecords
from stackproof.history.columns import OK, Array, Snapshot, combined


def corrupted(records: FlowRecords) -> Anomaly:
    """Find receptions whose content is none of those sent under the same ident."""
    rows = records.receptions[records.books.corrupted_of_reception]
    if not len(rows):
        return nothing("corrupted")
    what = "content" if records.flow.content == "bytes" else "carried-over part"
    differing = _differing_fields(records, rows)
    idents = records.snapshot.receptions.ident[rows]
    distinct, first = np.unique(idents, return_index=True)
    summary = (
        f'{number(len(rows), "record")} on "{records.flow.received_topic}" '
        f"({number(len(distinct), 'message')}) with a {what} that differs from what was "
        f"sent{differing}."
    )
    witness = both_sides(records, distinct[np.argsort(first)])
    if records.flow.content == "carried":
        witness = (_with_fields(records.snapshot, example) for example in witness)
    return found("corrupted", "violation", len(rows), summary, witness)


def _differing_fields(records: FlowRecords, rows: Array) -> str:
    """Return which carried fields differ, and how often, as the rest of a sentence."""
    snapshot, receptions = records.snapshot, records.snapshot.receptions
    last = np.zeros(records.idents, dtype=np.uint64)
    last[records.sent_ident] = snapshot.sends.carried[records.sends]
    counts: Counter[str] = Counter()
    for was, is_now in zip(
        last[receptions.ident[rows]].tolist(), receptions.carried[rows].tolist(), strict=True
    ):
        counts.update(_differing(snapshot, was, is_now))
    told = ", ".join(f"{field} ({count:,})" for field, count in counts.most_common())
    return f": {told}" if told else ""


def _differing(snapshot: Snapshot, was: int, is_now: int) -> list[str]:
    """Return the names of the fields in which two carried parts differ; empty: not known."""
    values = snapshot.carried_values
    if was not in values or is_now not in values:
        return []
    before, after = values[was], values[is_now]
    return [field for field in {**before, **after} if before.get(field) != after.get(field)]


def _with_fields(snapshot: Snapshot, example: Sequence[WitnessRecord]) -> list[WitnessRecord]:
    """Return the records of one message with the values of the fields that differ."""
    sends = [one.carried for one in example if not one.what.startswith("received")]
    parts = {one.carried: int(one.carried or "0", 16) for one in example}
    differing = {
        field
        for one in example
        for field in _differing(snapshot, parts[sends[-1]] if sends else 0, parts[one.carried])
    }
    return [replace(one, note=_carries(snapshot, one, sorted(differing))) for one in example]


def _carries(snapshot: Snapshot, one: WitnessRecord, fields: Sequence[str]) -> str:
    known = snapshot.carried_values.get(int(one.carried or "0", 16))
    if known is None or not fields:
        told = f"carries {one.carried[:8] or 'nothing'}"
    else:
        told = ", ".join(
            f"{name} {'is missing' if name not in known else '= ' + known[name]}" for name in fields
        )
    return f"{told} {one.note}".rstrip()


def inconsistent_offsets(records: FlowRecords) -> Anomaly:
    """Find positions (topic, partition, offset) that hold two different records.

    Counted are positions at which two receptions, or an acknowledged send and a
    reception, differ in ident or content, and those given to two acknowledged sends.
    The flow's labels and clients do not matter: positions belong to the topic.
    """
    snapshot, flow = records.snapshot, records.flow
    names = (flow.sent_topic, flow.received_topic, *flow.exclusive_topics)
    topics = snapshot.codes("topics", names)
    sends, receptions = snapshot.sends, snapshot.receptions
    send_rows = np.flatnonzero(
        np.isin(sends.topic, topics) & (sends.status == OK) & (sends.offset >= 0)
    )
    reception_rows = np.flatnonzero(np.isin(receptions.topic, topics))

    def column(name: str) -> Array:
        parts = (getattr(sends, name)[send_rows], getattr(receptions, name)[reception_rows])
        return np.concatenate(parts)

    position = combined(column("topic"), column("partition"), column("offset"))
    # Stable: at each position the sends stand before the receptions.
    order = np.argsort(position, kind="stable")
    position = position[order]
    ident, digest, is_send = column("ident")[order], column("digest")[order], order < len(send_rows)
    same = position[1:] == position[:-1]
    differs = (ident[1:] != ident[:-1]) | (digest[1:] != digest[:-1])
    clash = same & (differs | (is_send[1:] & is_send[:-1]))
    bad = np.unique(position[1:][clash])
    if not len(bad):
        return nothing("inconsistent-offsets")
    twice = np.unique(position[1:][same & is_send[1:] & is_send[:-1]])
    summary = (
        f"{number(len(bad), 'position')} (topic, partition, offset) with more than one record; "
        f"{len(twice):,} of them acknowledged to two sends."
    )
    low, high = np.searchsorted(position, bad), np.searchsorted(position, bad, side="right")

    def witness() -> Iterator[list[WitnessRecord]]:
        for start, stop in zip(low.tolist(), high.tolist(), strict=True):
            shown, told = set(), []
            for place in range(start, stop):
                row = int(order[place])
                seen = (int(ident[place]), int(digest[place]))
                if row < len(send_rows):
                    told.append(sent(snapshot, int(send_rows[row])))
                elif seen not in shown:
                    told.append(received(snapshot, int(reception_rows[row - len(send_rows)])))
                shown.add(seen)
            yield told

    return found("inconsistent-offsets", "violation", len(bad), summary, witness())
