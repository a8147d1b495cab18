"""Is each consumer handed the records of a partition one after the other?

After poll-skip, nonmonotonic-poll and their variants within one poll ("int-") of
Jepsen's Kafka workload (jepsen.tests.kafka). A consumer that subscribes may be moved:
where it is assigned a partition anew, or seeks, its reading begins anew. One that
assigns itself its partitions is never moved.
"""

from collections.abc import Callable
from dataclasses import dataclass

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
from stackproof.history.columns import NONE, Array, combined
from stackproof.history.log import Places


@dataclass(frozen=True)
class Steps:
    """Each reception and the one that followed it: same consumer, partition and stretch.

    A stretch ends where the partition is assigned anew, or the consumer seeks.

    Attributes:
        before, after: rows of the snapshot's receptions.
        low, high: their positions in the log.
        within: whether both were handed over by one poll.
        first, second: places of the two in `Log.receptions`.
    """

    before: Array
    after: Array
    low: Array
    high: Array
    within: Array
    first: Array
    second: Array


def steps(records: FlowRecords) -> Steps:
    """Return the steps that the consumers have made through the received topic."""
    table, log = records.snapshot.receptions, records.log
    places = np.flatnonzero(_polled_in_scope(records))
    rows = log.receptions[places]
    lane = combined(table.client[rows], table.partition[rows], stretches(records, rows)[0])
    # Sixteen bits are sorted in linear time; there are seldom more lanes.
    if len(lane) and int(lane.max()) < 1 << 16:
        lane = lane.astype(np.uint16)
    order = np.argsort(lane, kind="stable")
    rows, lane, places = rows[order], lane[order], places[order]
    same = np.flatnonzero(lane[1:] == lane[:-1])
    before, after, first, second = rows[same], rows[same + 1], places[same], places[same + 1]
    within = table.poll[before] == table.poll[after]
    return Steps(before, after, log.received[first], log.received[second], within, first, second)


def _polled_in_scope(records: FlowRecords) -> Array:
    table, rows = records.snapshot.receptions, records.log.receptions
    return np.asarray((table.poll[rows] != NONE) & records.in_scope(table.client[rows]))


def stretches(records: FlowRecords, rows: Array) -> tuple[Array, Array]:
    """Return in which stretch of its consumer's reading each reception lies.

    Returns:
        the number of times that its partition had been assigned, sought or revoked until
        then, and whether the last of them was a revocation.
    """
    snapshot, table = records.snapshot, records.snapshot.receptions
    stretch = np.zeros(len(rows), dtype=np.int64)
    revoked = np.zeros(len(rows), dtype=bool)
    changes: dict[tuple[str, int], list[tuple[int, str]]] = {}
    for one in snapshot.assignments:
        for topic, partition in one.partitions:
            if topic == records.flow.received_topic:
                changes.setdefault((one.client, partition), []).append((one.poll, one.change))
    if not changes:
        return stretch, revoked
    mine_of: dict[str, Array] = {}
    for (client, partition), entries in changes.items():
        if client not in mine_of:
            code = (snapshot.codes("clients", (client,)) or [-1])[0]
            mine_of[client] = np.flatnonzero(table.client[rows] == code)
        mine = mine_of[client]
        mine = mine[table.partition[rows[mine]] == partition]
        entries.sort(key=lambda entry: entry[0])
        count = np.searchsorted([poll for poll, _ in entries], table.poll[rows[mine]], "right")
        last = np.array([False, *(change == "revoked" for _, change in entries)])
        stretch[mine], revoked[mine] = count, last[count]
    return stretch, revoked


def nonmonotonic(name: str, within: bool) -> Callable[[FlowRecords], Anomaly]:
    """Return the check for steps that go back, or stay, within polls or between them."""

    def check(records: FlowRecords) -> Anomaly:
        """Find records that a consumer was handed after one of the same or a later offset."""
        made = records.shared("steps", steps)
        back = np.flatnonzero((made.high <= made.low) & (made.within == within))
        if not len(back):
            return nothing(name)
        snapshot = records.snapshot
        witness = [
            [
                received(snapshot, int(made.before[step])),
                received(snapshot, int(made.after[step]), "", "then received"),
            ]
            for step in back[:16].tolist()
        ]
        where = "within one poll" if within else "from one poll to the next"
        summary = (
            f'{number(len(back), "step")} back on "{records.flow.received_topic}" {where}, '
            "without the consumer having been moved."
        )
        return found(name, "violation", len(back), summary, witness)

    return check


def skipping(name: str, within: bool) -> Callable[[FlowRecords], Anomaly]:
    """Return the check for steps that pass over records, within polls or between them."""

    def check(records: FlowRecords) -> Anomaly:
        """Find steps of a consumer over positions that are known to hold a record for it."""
        log, made = records.log, records.shared("steps", steps)
        client = records.snapshot.receptions.client[made.before]
        committed = np.isin(client, records.snapshot.committed_readers)
        ahead = (made.within == within) & (made.high > made.low)
        witness, count = [], 0
        for places, readers in (
            (log.places, ahead & ~committed), (log.committed_places, ahead & committed)
        ):  # fmt: skip
            chosen = np.flatnonzero(readers)
            if not len(chosen):
                continue
            first = places.rank[made.first[chosen]] + 1
            passed = places.rank[made.second[chosen]] - first
            skips = np.flatnonzero(passed > 0)
            count += len(skips)
            for skip in skips[:8].tolist():
                step = chosen[skip]
                before, after = int(made.before[step]), int(made.after[step])
                witness.append(
                    [
                        received(records.snapshot, before),
                        _told(records, places, int(first[skip]), int(passed[skip])),
                        received(records.snapshot, after, "", "then received"),
                    ]
                )
        if not count:
            return nothing(name)
        where = "within one poll" if within else "from one poll to the next"
        summary = (
            f'{number(count, "step")} over known records on "{records.flow.received_topic}" '
            f"{where}, without the consumer having been moved."
        )
        return found(name, "violation", count, summary, witness)

    return check


def _told(records: FlowRecords, places: Places, first: int, passed: int) -> WitnessRecord:
    """Return the witness of the first position passed over."""
    source = int(places.source[first])
    note = "skipped" if passed == 1 else f"skipped, and {passed - 1:,} more"
    log = records.log
    if source < len(log.sends):
        return sent(records.snapshot, int(log.sends[source]), note)
    return received(records.snapshot, int(log.receptions[source - len(log.sends)]), note)


def unassigned(records: FlowRecords) -> Anomaly:
    """Find records handed to a consumer from a partition that had been revoked from it."""
    snapshot, log = records.snapshot, records.log
    rows = log.receptions[_polled_in_scope(records)]
    bad = rows[stretches(records, rows)[1]]
    if not len(bad):
        return nothing("unassigned-poll")
    summary = (
        f'{number(len(bad), "record")} on "{records.flow.received_topic}" handed to a consumer '
        "from whom the partition had been taken."
    )
    witness = ([received(snapshot, int(row), "revoked before")] for row in bad)
    return found("unassigned-poll", "violation", len(bad), summary, witness)
