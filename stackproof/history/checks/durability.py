"""Is in the log, at the end, what was acknowledged, and nothing twice?

After the lost-write, unseen and duplicate analyses of Jepsen's Kafka workload
(jepsen.tests.kafka). What was acknowledged and has never been seen is lost for certain
when later records of its partition were seen, or when a final drain has read the
whole topic; otherwise it may still come.
"""

from dataclasses import replace

import numpy as np

from stackproof.history.anomaly import Anomaly, both_sides, found, nothing, number, received, sent
from stackproof.history.books import FlowRecords
from stackproof.history.columns import NOWHERE, OK, Array, among


def _never_seen(records: FlowRecords) -> tuple[Array, Array]:
    """Return the acknowledged sends of which nothing was seen, and which others stand after them.

    Returns:
        rows of the snapshot's sends, and for each the row of the reception with the highest
        offset in its partition; -1 where none is higher, or it cannot be known.
    """
    snapshot, sends = records.snapshot, records.snapshot.sends
    acknowledged = snapshot.status[records.sends] == OK
    rows = records.sends[acknowledged & (records.receptions_by_ident[records.sent_ident] == 0)]
    later = np.full(len(rows), -1, dtype=np.int64)
    if not records.direct or not len(rows):
        return rows, later
    table = snapshot.receptions
    seen = records.receptions
    for partition in np.unique(sends.partition[rows]).tolist():
        here = seen[table.partition[seen] == partition]
        if partition == NOWHERE or not len(here):
            continue
        last = here[np.argmax(table.offset[here])]
        offset = sends.offset[rows]
        passed = (sends.partition[rows] == partition) & (offset >= 0)
        later[passed & (offset < table.offset[last])] = last
    return rows, later


def lost_write(records: FlowRecords) -> Anomaly:
    """Find acknowledged sends never seen although later records of their partition were."""
    snapshot = records.snapshot
    rows, later = _never_seen(records)
    lost = later >= 0
    if not lost.any():
        return nothing("lost-write")
    witness = []
    for row, after in zip(rows[lost][:16].tolist(), later[lost][:16].tolist(), strict=True):
        context = received(snapshot, after, "a later record of the partition")
        witness.append([sent(snapshot, row, "never seen"), replace(context, context=True)])
    summary = (
        f"{number(int(lost.sum()), 'acknowledged message')} on "
        f'"{records.flow.received_topic}" never seen, although later offsets of the same '
        "partitions were."
    )
    return found("lost-write", "violation", int(lost.sum()), summary, witness)


def unseen(records: FlowRecords) -> Anomaly:
    """Find acknowledged sends of which nobody has seen anything, nor any later record.

    A violation when a final drain has read the topic since they were acknowledged; without
    one, what was not seen may still be there: information.
    """
    rows, later = _never_seen(records)
    rows = rows[later < 0]
    if not len(rows):
        return nothing("unseen")
    proven = records.log.drained(rows) if records.direct else _drained_output(records, rows)
    count = int(np.count_nonzero(proven))
    told = f"{count:,} of them missing from a final drain" if count else "no final drain proves"
    told += "" if count else " that they are lost"
    summary = (
        f"{number(len(rows), 'acknowledged message')} not seen on "
        f'"{records.flow.received_topic}", nor anything after them: {told}.'
    )
    rows = np.concatenate([rows[proven], rows[~proven]])
    witness = ([sent(records.snapshot, int(row), "never seen")] for row in rows)
    return found("unseen", "violation" if count else "information", len(rows), summary, witness)


def _drained_output(records: FlowRecords, rows: Array) -> Array:
    """Return which sends were answered before a final drain of the topic that they lead to."""
    ended = records.snapshot.sends.ended[rows]
    latest = max((drain.at for drain in records.log.drains), default=-np.inf)
    return np.asarray(ended <= latest)


def vanished(records: FlowRecords) -> Anomaly:
    """Find records that somebody had received, and that a final drain found no more.

    A log that was cut back after a leader without all records was elected, or after a loss
    of power, shows itself so; so do, legitimately, compaction and deletion.
    """
    snapshot, log = records.snapshot, records.log
    table, rows = snapshot.receptions, log.receptions
    gone = np.zeros(len(rows), dtype=bool)
    committed = None
    for drain in log.drains:
        mine = table.client[rows] == _client(records, drain.client)
        early = ~mine & (snapshot.handed_over[rows] <= drain.at)
        if snapshot.codes("clients", (drain.client,))[:1] and np.isin(
            _client(records, drain.client), snapshot.committed_readers
        ):
            if committed is None:
                committed = log.by_committed_reader
            early &= committed
        begins = np.zeros(len(rows), dtype=np.int64)
        for partition, begin in drain.begins.items():
            begins[table.partition[rows] == partition] = begin
        early &= table.offset[rows] >= begins
        gone |= early & ~among(log.received, log.received[mine])
    place, first = np.unique(log.received[gone], return_index=True)
    if not len(place):
        return nothing("vanished")
    witness = ([received(snapshot, int(row), "gone")] for row in rows[gone][first])
    summary = (
        f'{number(len(place), "record")} on "{records.flow.received_topic}" received by '
        "somebody, and no more there when the topic was drained."
    )
    return found("vanished", "violation", len(place), summary, witness)


def _client(records: FlowRecords, name: str) -> int:
    return (records.snapshot.codes("clients", (name,)) or [-1])[0]


def stored_twice(records: FlowRecords) -> Anomaly:
    """Find messages that lie at more positions than they were sent to (Jepsen: duplicate).

    Handing the same position to consumers several times is no such thing: that is counted
    by `duplicated` and by the figure `redelivered`.
    """
    stored = records.count(records.stored)
    extra = np.where(records.sends_by_ident > 0, np.maximum(stored - records.sends_by_ident, 0), 0)
    count, bound = int(extra.sum()), records.flow.max_duplicates
    if not count:
        return nothing("stored-twice")
    idents = np.flatnonzero(extra)
    summary = (
        f"{number(len(idents), 'message')} stored at more offsets of "
        f'"{records.flow.received_topic}" than sent, {number(count, "record")} too many.'
    )
    return found(
        "stored-twice",
        "violation" if count > bound else "information",
        count,
        summary,
        both_sides(records, idents),
    )
