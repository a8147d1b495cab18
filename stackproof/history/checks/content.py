"""Is what arrived what was sent?

`inconsistent_offsets` is the second analysis of Jepsen's Kafka workload: all sends
and receptions must agree on the record at a position of a topic.
"""

from collections.abc import Iterator
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
from stackproof.history.columns import OK, Array, combined


def corrupted(records: FlowRecords) -> Anomaly:
    """Find receptions whose content is none of those sent under the same ident."""
    rows = records.receptions[records.books.corrupted_of_reception]
    if not len(rows):
        return nothing("corrupted")
    what = "content" if records.flow.content == "bytes" else "carried-over part"
    idents = records.snapshot.receptions.ident[rows]
    distinct, first = np.unique(idents, return_index=True)
    summary = (
        f'{number(len(rows), "record")} on "{records.flow.received_topic}" '
        f"({number(len(distinct), 'message')}) with a {what} that differs from what was sent."
    )
    witness = both_sides(records, distinct[np.argsort(first)])
    if records.flow.content == "carried":
        witness = (
            replace(one, note=f"carries {one.carried[:8] or 'nothing'} {one.note}".rstrip())
            for one in witness
        )
    return found("corrupted", "violation", len(rows), summary, witness)


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

    def witness() -> Iterator[WitnessRecord]:
        for start, stop in zip(low.tolist(), high.tolist(), strict=True):
            shown = set()
            for place in range(start, stop):
                row = int(order[place])
                seen = (int(ident[place]), int(digest[place]))
                if row < len(send_rows):
                    yield sent(snapshot, int(send_rows[row]))
                elif seen not in shown:
                    yield received(snapshot, int(reception_rows[row - len(send_rows)]))
                shown.add(seen)

    return found("inconsistent-offsets", "violation", len(bad), summary, witness())
