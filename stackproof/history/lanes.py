"""A history as points in lanes: what a timeline draws, without the drawing.

A lane is a partition of a topic, or a key of a store; topics with many partitions, and stores
with many keys, share one lane when there would be too many.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stackproof.history.columns import (
    ACTIONS,
    FAIL,
    NOWHERE,
    OK,
    UNKNOWN,
    Array,
    Snapshot,
    among,
    combined,
)
from stackproof.history.flow import Flow

SENT, OPEN, FAILED, RECEIVED, SET_ASIDE, CHANGED, CHANGE_OPEN, CHANGE_FAILED, READ = range(9)
"""The kinds of points: sends acknowledged, without a known outcome, failed; receptions,
and those on a topic that sets messages aside, such as that of dead letters; the same of
operations on keys: changes, and readings."""
_READING = ("read", "take", "list", "seen")

TOGETHER = -2
"""Stands for the partition of a lane that all partitions of a topic share."""


@dataclass(frozen=True)
class Points:
    """The records as points, sends first.

    Attributes:
        x: time in seconds from the history's start.
        at: when it began, in seconds since the Unix epoch.
        lane: number of the lane, from the top.
        kind: `SENT` to `READ`.
        ident: place in `names`.
        lanes: topic or space, and partition or key, of each lane.
        names: idents, then keys.
        bars: lane, beginning and end (seconds) of what lasts: locks that are held, and
            transactions.
        hidden: how many lanes had no room; their records are left out.
        prefix: what the names of the scenario's own topics begin with.
        again: how many receptions of final drains are left out, since others had them before.
    """

    x: Array
    at: Array
    lane: Array
    kind: Array
    ident: Array
    lanes: tuple[tuple[str, int | str], ...]
    names: tuple[str, ...] = ()
    bars: tuple[tuple[int, float, float], ...] = ()
    hidden: int = 0
    prefix: str = ""
    again: int = 0

    def labels(self, names: dict[str, str]) -> list[str]:
        """Return the lanes' labels, given what to call each topic."""
        special: dict[int | str, str] = {NOWHERE: "unknown", TOGETHER: "all"}
        return [f"{names[topic]} / {special.get(p, p)}" for topic, p in self.lanes]


def points(snapshot: Snapshot, flows: Sequence[Flow], most_lanes: int) -> Points:
    """Return a snapshot's records as points.

    Args:
        snapshot: the history.
        flows: they give the topics their order, and tell which ones set messages aside
            (`Flow.sets_aside`).
        most_lanes: how many lanes there is room for.
    """
    sends, receptions, operations = snapshot.sends, snapshot.receptions, snapshot.operations
    rows = _read_first(snapshot)
    topics = (*snapshot.topics, *snapshot.spaces)
    space = operations.space.astype(np.int64) + len(snapshot.topics)
    topic = np.concatenate([sends.topic, receptions.topic[rows], space]).astype(np.int64)
    partition = np.concatenate(
        [sends.partition, receptions.partition[rows], operations.key]
    ).astype(np.int64)
    order, set_aside = _roles(flows)
    of_status = np.zeros(3, dtype=np.int64)
    of_status[[OK, UNKNOWN, FAIL]] = SENT, OPEN, FAILED
    aside = np.isin(receptions.topic[rows], snapshot.codes("topics", tuple(set_aside)))
    reading = np.isin(operations.action, [ACTIONS.index(name) for name in _READING])
    answered = np.where(np.isnan(operations.ended), operations.at, operations.ended)
    x = np.concatenate(
        [sends.at, receptions.at[rows], np.where(reading, answered, operations.at)]
    ) - snapshot.start  # fmt: skip
    kind = np.concatenate([
        of_status[snapshot.status], np.where(aside, SET_ASIDE, RECEIVED),
        np.where(reading, READ, CHANGED - SENT + of_status[operations.status]),
    ])  # fmt: skip
    ident = np.concatenate(
        [sends.ident, receptions.ident[rows], operations.key + len(snapshot.idents)]
    )
    names = (*snapshot.idents, *snapshot.keys)
    at = np.concatenate([sends.at, receptions.at[rows], operations.at])
    if not len(topic):
        return Points(x, at, topic, kind, ident, ())

    place = {name: i for i, name in reversed(list(enumerate([*order, *topics])))}
    rank = np.array([place[name] for name in topics])[topic]
    lanes, first, lane = _distinct(rank, partition)
    if len(lanes) > most_lanes:
        # The topics with the most partitions get one lane each until all fit.
        excess = len(lanes) - most_lanes
        for which, size in Counter(rank[first].tolist()).most_common():
            if excess > 0 and size > 1:
                partition[rank == which] = TOGETHER
                excess -= size - 1
        lanes, first, lane = _distinct(rank, partition)
    shown = lane < most_lanes
    return Points(
        x=x[shown],
        at=at[shown],
        lane=lane[shown],
        kind=kind[shown],
        ident=ident[shown],
        lanes=tuple(
            (topics[topic[row]], _part(snapshot, int(topic[row]), int(partition[row])))
            for row in first[:most_lanes].tolist()
        ),
        names=names,
        bars=tuple(_bars(snapshot, lane, len(sends) + len(rows), most_lanes)),
        hidden=max(0, len(lanes) - most_lanes),
        prefix=str(snapshot.meta.get("prefix", "")),
        again=len(receptions) - len(rows),
    )


def _part(snapshot: Snapshot, topic: int, partition: int) -> int | str:
    """Return a lane's partition, or its key."""
    of_operations = topic >= len(snapshot.topics) and partition != TOGETHER
    return snapshot.keys[partition] if of_operations else partition


def _bars(
    snapshot: Snapshot, lane: Array, before: int, most_lanes: int
) -> Iterator[tuple[int, float, float]]:
    """Yield how long each lock was held, and how long each transaction took, in their lanes.

    Args:
        snapshot: the history.
        lane: of all records: sends, receptions, and then operations.
        before: how many records stand before the operations.
        most_lanes: how many lanes there is room for.
    """
    table, start, end = snapshot.operations, snapshot.start, snapshot.end
    acquire, release = ACTIONS.index("acquire"), ACTIONS.index("release")
    held: dict[tuple[int, int], float] = {}
    for row in np.flatnonzero(np.isin(table.action, (acquire, release))).tolist():
        who = int(lane[before + row]), int(table.client[row])
        if table.action[row] == acquire and table.status[row] == OK:
            held.setdefault(who, float(table.ended[row]))
        elif who in held and who[0] < most_lanes:
            yield who[0], held.pop(who) - start, float(table.at[row]) - start
    yield from ((one, since - start, end - start) for (one, _), since in held.items()
                if one < most_lanes)  # fmt: skip
    sends, transactions = snapshot.sends, snapshot.transactions
    for number in range(len(transactions)):
        ended = float(transactions.ended[number])
        until = end if np.isnan(ended) else ended
        for one in np.unique(lane[: len(sends)][sends.transaction == number]).tolist():
            if one < most_lanes:
                yield one, float(transactions.begun[number]) - start, until - start


def _read_first(snapshot: Snapshot) -> Array:
    """Return the receptions but those of final drains that another client had before."""
    table = snapshot.receptions
    names = tuple({drain.client for drain in snapshot.drains})
    draining = np.isin(table.client, snapshot.codes("clients", names))
    place = combined(table.topic, table.partition, table.offset)
    return np.flatnonzero(~draining | ~among(place, place[~draining]))


def _roles(flows: Sequence[Flow]) -> tuple[list[str], list[str]]:
    """Return the flows' topics from top to bottom, and those that set messages aside.

    A topic sets messages aside when a flow says so of its received topic, or when it is
    excluded by a flow of messages that are to be processed.
    """
    processed = [flow for flow in flows if not flow.sets_aside]
    refused = [flow for flow in flows if flow.sets_aside]
    ends = [flow.received_topic for flow in processed]
    ends += [topic for flow in refused for topic in flow.exclusive_topics]
    aside = [flow.received_topic for flow in refused]
    aside += [topic for flow in processed for topic in flow.exclusive_topics]
    set_aside = [topic for topic in dict.fromkeys(aside) if topic not in ends]
    topics = [*(flow.sent_topic for flow in flows), *ends]
    return list(dict.fromkeys([*(t for t in topics if t not in set_aside), *set_aside])), set_aside


def _distinct(rank: Array, partition: Array) -> tuple[Array, Array, Array]:
    # Records whose partition is unknown stand below the partitions of their topic.
    below = np.where(partition == NOWHERE, 1 << 32, partition)
    return np.unique(combined(rank, below), return_index=True, return_inverse=True)


def short_names(topics: Sequence[str], prefix: str = "") -> tuple[dict[str, str], list[str]]:
    """Return what to call each topic, and the parts left out of all names.

    What all names have in common at their beginning or end, up to a separator, tells
    nobody anything: it is the run's or the scenario's ID. Of one topic, that is `prefix`.
    """
    names = {topic: topic for topic in topics}
    if len(topics) == 1 and prefix and topics[0].startswith(prefix):
        return {topics[0]: topics[0].removeprefix(prefix)}, [prefix]
    left_out = []
    end = _shared_start([topic[::-1] for topic in topics])[::-1]
    for part, cut in ((end, str.removesuffix), (_shared_start(topics), str.removeprefix)):
        shorter = {topic: cut(name, part) for topic, name in names.items()}
        if len(part) > 3 and min(map(len, shorter.values())) > 2:
            names = shorter
            left_out.append(part)
    return names, left_out


def _shared_start(texts: Sequence[str]) -> str:
    """Return what several texts begin with, up to and with a separator."""
    if len(texts) < 2:
        return ""
    first, last = min(texts), max(texts)
    pairs = enumerate(zip(first, last, strict=False))
    size = next((i for i, (a, b) in pairs if a != b), min(len(first), len(last)))
    return first[: max(first.rfind(mark, 0, size) for mark in "-._") + 1]
