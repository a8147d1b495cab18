"""Does a partition take what one producer sends in the order in which it was sent?

After nonmonotonic-send and its variants within one transaction ("int-") of Jepsen's
Kafka workload (jepsen.tests.kafka). There is no such rule as to skips: others may write
in between, within a transaction too; `int-send-skip` is information.
"""

from collections.abc import Callable

import numpy as np

from stackproof.history.anomaly import Anomaly, found, nothing, number, sent
from stackproof.history.books import FlowRecords
from stackproof.history.columns import NONE, OK, Array, combined


def successive(records: FlowRecords) -> tuple[Array, Array]:
    """Return each acknowledged send and the one that followed it: same producer, same partition.

    Returns:
        rows of the snapshot's sends: the earlier ones, and those that followed them.
    """
    sends, rows = records.snapshot.sends, records.sends
    rows = rows[(sends.status[rows] == OK) & (sends.offset[rows] >= 0)]
    lane = combined(sends.client[rows], sends.topic[rows], sends.partition[rows])
    if len(lane) and int(lane.max()) < 1 << 16:
        lane = lane.astype(np.uint16)
    order = np.argsort(lane, kind="stable")
    rows, lane = rows[order], lane[order]
    same = np.flatnonzero(lane[1:] == lane[:-1])
    return rows[same], rows[same + 1]


def _within(records: FlowRecords, before: Array, after: Array) -> Array:
    """Return whether two sends belong to the same transaction."""
    transaction = records.snapshot.sends.transaction
    return (transaction[before] == transaction[after]) & (transaction[before] != NONE)


def nonmonotonic(name: str, within: bool) -> Callable[[FlowRecords], Anomaly]:
    """Return the check for offsets that go back, within transactions or outside of them."""

    def check(records: FlowRecords) -> Anomaly:
        """Find sends acknowledged at an offset before that of the same producer's last one."""
        offset = records.snapshot.sends.offset
        before, after = records.shared("successive sends", successive)
        back = (offset[after] <= offset[before]) & (_within(records, before, after) == within)
        places = np.flatnonzero(back)
        if not len(places):
            return nothing(name)
        witness = [
            [
                sent(records.snapshot, int(before[place]), "", "sent first"),
                sent(records.snapshot, int(after[place]), "", "sent second"),
            ]
            for place in places[:16].tolist()
        ]
        where = "within a transaction, " if within else ""
        summary = (
            f'{number(len(places), "send")} to "{records.flow.sent_topic}" acknowledged at an '
            f"offset not after that of the one before, {where}by the same producer."
        )
        return found(name, "violation", len(places), summary, witness)

    return check


def skipping(records: FlowRecords) -> Anomaly:
    """Find transactions between whose records others stand in the log: information."""
    snapshot, log = records.snapshot, records.log
    before, after = records.shared("successive sends", successive)
    inside = _within(records, before, after)
    inside &= snapshot.sends.offset[after] > snapshot.sends.offset[before] + 1
    if not records.direct or not inside.any():
        return nothing("int-send-skip")
    place_of = np.full(len(snapshot.sends), -1, dtype=np.int64)
    place_of[log.sends] = log.sent
    before, after = before[inside], after[inside]
    first = np.searchsorted(log.places.key, place_of[before], side="right")
    passed = np.searchsorted(log.places.key, place_of[after]) - first
    skips = np.flatnonzero(passed > 0)
    if not len(skips):
        return nothing("int-send-skip")
    witness = []
    for skip in skips[:16].tolist():
        note = f"{int(passed[skip]):,} of others in between"
        witness.append([sent(snapshot, int(before[skip])), sent(snapshot, int(after[skip]), note)])
    summary = (
        f'{number(len(skips), "place")} on "{records.flow.sent_topic}" where records of others '
        "stand between those of one transaction: isolation is no promise of Kafka's."
    )
    return found("int-send-skip", "information", len(skips), summary, witness)
