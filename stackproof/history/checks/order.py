"""Do records keep their order?"""

from collections.abc import Iterator

import numpy as np

from stackproof.history.anomaly import (
    Anomaly,
    WitnessRecord,
    found,
    nothing,
    number,
    received,
    sent,
)
from stackproof.history.books import FlowRecords
from stackproof.history.columns import FAIL, NOWHERE, Array, combined


def ordered_pairs(records: FlowRecords) -> tuple[Array, Array]:
    """Return which send belongs to which reception, for the records whose order can be told.

    Left out: messages sent more than once (which reception belongs to which send
    cannot be known) or seen only after their send failed, and sends whose place in the
    source is unknown. Of several receptions the first recorded counts.

    Returns:
        rows of the snapshot's sends and, at the same places, of its receptions.
    """
    books, sends, receptions = records.books, records.snapshot.sends, records.snapshot.receptions
    single = (books.ok + books.unknown == 1) & ((books.failed == 0) | (books.received <= 1))
    effective = records.snapshot.status[records.sends] != FAIL
    send_of = np.full(len(books.ident), -1, dtype=np.int64)
    send_of[books.cell_of_send[effective]] = records.sends[effective]
    first_of = np.full(len(books.ident), -1, dtype=np.int64)
    first_of[books.cell_of_reception[::-1]] = records.receptions[::-1]
    cells = np.flatnonzero(single & (first_of >= 0))
    cells = cells[np.argsort(first_of[cells], kind="stable")]
    send, reception = send_of[cells], first_of[cells]
    if records.flow.order == "offset":
        known = sends.offset[send] != NOWHERE
    elif records.flow.sent_topic == records.flow.received_topic:
        known = np.ones(len(send), dtype=bool)
    else:
        known = sends.partition[send] != NOWHERE
    send, reception = send[known], reception[known]
    place = combined(*_lanes(records, send, reception), receptions.offset[reception])
    in_output_order = np.argsort(place, kind="stable")
    return send[in_output_order], reception[in_output_order]


def _lanes(records: FlowRecords, send: Array, reception: Array) -> tuple[Array, ...]:
    """Return the columns that say which records are to be in order with one another."""
    sends, output = records.snapshot.sends, records.snapshot.receptions.partition[reception]
    source = sends.partition[send]
    if records.flow.order == "offset":
        return source, output
    if records.flow.sent_topic == records.flow.received_topic:
        # The partition is known from the reception, even if the send was never answered.
        return sends.client[send], output
    return sends.client[send], source, output


def reordered(records: FlowRecords) -> Anomaly:
    """Find places in the output where a record stands before one that was sent earlier.

    Within each pair of source and output partition (and, for the order of calls, of each
    client) the output is walked by offset; each step back in the source counts once, so
    one record in the wrong place counts once however far it was moved.
    """
    send, reception = ordered_pairs(records)
    lane = combined(*_lanes(records, send, reception))
    source = records.snapshot.sends.offset[send] if records.flow.order == "offset" else send
    back = (lane[1:] == lane[:-1]) & (source[1:] < source[:-1])
    places = np.flatnonzero(back)
    if not len(places):
        return nothing("reordered")
    lanes = len(np.unique(lane[places]))
    rule = "offsets" if records.flow.order == "offset" else "calls"
    summary = (
        f'At {number(len(places), "place")} on "{records.flow.received_topic}" '
        f"a record comes before one that was sent earlier (order of {rule} within a partition), in "
        f"{number(lanes, 'pair')} of source and output partition; "
        f"{number(len(send), 'record')} compared."
    )

    def witness() -> Iterator[list[WitnessRecord]]:
        snapshot = records.snapshot
        for place in places[:8].tolist():
            early, late = place, place + 1
            yield [
                sent(snapshot, int(send[late]), "", "sent first"),
                sent(snapshot, int(send[early]), "", "sent second"),
                received(snapshot, int(reception[early]), "overtook", "received first"),
                received(snapshot, int(reception[late]), "overtaken", "received second"),
            ]

    return found("reordered", "violation", len(places), summary, witness())
