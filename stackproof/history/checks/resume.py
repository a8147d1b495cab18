"""Where one consumer of a group takes over from another, does it go on at the right place?

The counterpart, across consumers, of poll-skip and nonmonotonic-poll in Jepsen's
Kafka workload. Offsets may have holes (transaction markers, compaction), so a
position counts as left out only when it is known to hold a record: a send was
acknowledged there, or somebody else has received it.
"""

from dataclasses import dataclass

import numpy as np

from stackproof.history.anomaly import Anomaly, found, nothing, number, received, sent
from stackproof.history.books import FlowRecords
from stackproof.history.columns import OK, Array, combined


@dataclass(frozen=True)
class Handovers:
    """Takings-over: the first reception of each new consumer, and what it followed.

    Attributes:
        before: number of the reception with the highest offset until then.
        after: number of the new consumer's first reception.
    """

    before: Array
    after: Array


def _group_receptions(records: FlowRecords) -> Array:
    """Return the receptions of the group's members, by partition, then as recorded."""
    snapshot = records.snapshot
    members = snapshot.codes("clients", records.flow.group_clients)
    rows = records.receptions_on(records.flow.received_topic)
    rows = rows[np.isin(snapshot.receptions.client[rows], members)]
    return rows[np.argsort(snapshot.receptions.partition[rows], kind="stable")]


def handovers(records: FlowRecords) -> Handovers:
    """Return where the consumer of a partition changes."""
    table, rows = records.snapshot.receptions, _group_receptions(records)
    partition, client, offset = table.partition[rows], table.client[rows], table.offset[rows]
    # Places ascend from one partition to the next: the highest so far is of this partition.
    place = combined(partition, offset)
    is_highest = place == np.maximum.accumulate(place)
    highest = np.maximum.accumulate(np.where(is_highest, np.arange(len(rows)), 0))
    change = np.flatnonzero((partition[1:] == partition[:-1]) & (client[1:] != client[:-1]))
    return Handovers(rows[highest[change]], rows[change + 1])


def gap(records: FlowRecords) -> Anomaly:
    """Find records that a consumer left out when it took over, and that nobody made up for."""
    snapshot, table, sends = records.snapshot, records.snapshot.receptions, records.snapshot.sends
    turns = handovers(records)
    topic = snapshot.codes("topics", (records.flow.received_topic,))
    acknowledged = np.flatnonzero(
        np.isin(sends.topic, topic) & (snapshot.status == OK) & (sends.offset >= 0)
    )
    seen = np.flatnonzero(np.isin(table.topic, topic))
    partition = np.concatenate([sends.partition[acknowledged], table.partition[seen]])
    offset = np.concatenate([sends.offset[acknowledged], table.offset[seen]])
    rows = np.concatenate([acknowledged, seen])
    place = combined(partition, offset)
    by_group = np.zeros(len(place), dtype=bool)
    by_group[len(acknowledged) :] = np.isin(seen, _group_receptions(records))
    candidates = ~np.isin(place, place[by_group])
    missing, first = np.unique(place[candidates], return_index=True)
    example = np.flatnonzero(candidates)[first]

    place_of_reception = np.zeros(len(table), dtype=np.int64)
    place_of_reception[seen] = place[len(acknowledged) :]
    low = np.searchsorted(missing, place_of_reception[turns.before], side="right")
    high = np.searchsorted(missing, place_of_reception[turns.after])
    open_gaps = np.flatnonzero(high > low)
    if not len(open_gaps):
        return nothing("gap-at-resume")
    # Gaps may overlap where consumers alternate: how many of them cover each place?
    covering = np.zeros(len(missing) + 1, dtype=np.int64)
    np.add.at(covering, low[open_gaps], 1)
    np.add.at(covering, high[open_gaps], -1)
    left_out = int(np.count_nonzero(np.cumsum(covering)))
    witness = []
    for turn in open_gaps[:8].tolist():
        told = [received(snapshot, int(turns.before[turn]), "the highest until then")]
        for index in example[low[turn] : high[turn]][:2].tolist():
            kind = sent if index < len(acknowledged) else received
            told.append(kind(snapshot, int(rows[index]), "left out"))
        told.append(received(snapshot, int(turns.after[turn]), "the next consumer's first"))
        witness.append(told)
    summary = (
        f'{number(left_out, "record")} on "{records.flow.received_topic}" left out at '
        f"{number(len(open_gaps), 'change')} of consumer in the group "
        f"{', '.join(records.flow.group_clients)}, of {len(turns.after):,} in all."
    )
    return found("gap-at-resume", "violation", left_out, summary, witness)


def overlap(records: FlowRecords) -> Anomaly:
    """Find records that a consumer received after another one of its group had.

    Information: at-least-once delivery allows it; `Flow.max_duplicates` bounds it.
    """
    snapshot, table = records.snapshot, records.snapshot.receptions
    rows = np.sort(_group_receptions(records))
    place = combined(table.partition[rows], table.offset[rows])
    order = np.argsort(place, kind="stable")
    rows, place = rows[order], place[order]
    starts = np.flatnonzero(np.r_[True, place[1:] != place[:-1]][: len(place)])
    first = np.repeat(starts, np.diff(np.r_[starts, len(place)]))
    again = np.flatnonzero(table.client[rows] != table.client[rows[first]])
    if not len(again):
        return nothing("overlap-at-resume")
    witness = [
        [
            received(snapshot, int(rows[first[index]])),
            received(snapshot, int(rows[index]), "", "received again"),
        ]
        for index in again[:16].tolist()
    ]
    summary = (
        f'{number(len(again), "reception")} on "{records.flow.received_topic}" of records that '
        f"another member of the group {', '.join(records.flow.group_clients)} had received before."
    )
    return found("overlap-at-resume", "information", len(again), summary, witness)
