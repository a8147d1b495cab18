"""What is known of one topic's log: which positions hold a record, and who has seen them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stackproof.history.columns import OK, Array, Drain, Snapshot, among, combined


@dataclass(frozen=True)
class Places:
    """Positions that hold a record, in order, and where that is known from.

    Attributes:
        key: ascending, each position once.
        source: which record tells: places in `Log.sends`, then those in `Log.receptions`.
        rank: of each reception (`Log.receptions`): where its position stands in ``key``; of one
            that is not counted: nothing that means anything.
    """

    key: Array
    source: Array
    rank: Array


class Log:
    """The positions of a topic: one number for each partition and offset, in their order.

    The counterpart of the version orders of Jepsen's Kafka workload. Offsets may have
    holes (transaction markers, compaction): only what was acknowledged or received is
    known to hold a record.

    Attributes:
        sends: rows of the acknowledged sends whose offset is known, whoever sent.
        receptions: rows of the receptions, whoever received.
        sent: the position of each of these sends.
        received: the position of each of these receptions.
        drains: the final drains of the topic.
    """

    def __init__(self, snapshot: Snapshot, topic: str) -> None:
        self.snapshot = snapshot
        codes = snapshot.codes("topics", (topic,))
        sends, receptions = snapshot.sends, snapshot.receptions
        self.sends = np.flatnonzero(
            np.isin(sends.topic, codes) & (sends.status == OK) & (sends.offset >= 0)
        )
        self.receptions = np.flatnonzero(np.isin(receptions.topic, codes))
        key = combined(
            np.concatenate([sends.partition[self.sends], receptions.partition[self.receptions]]),
            np.concatenate([sends.offset[self.sends], receptions.offset[self.receptions]]),
        )
        self.sent, self.received = key[: len(self.sends)], key[len(self.sends) :]
        self.drains = tuple(drain for drain in snapshot.drains if drain.topic == topic)

    @cached_property
    def by_committed_reader(self) -> Array:
        """Whether each reception is by a consumer that must see committed records only."""
        clients = self.snapshot.receptions.client[self.receptions]
        return np.isin(clients, self.snapshot.committed_readers)

    def drained(self, sends: Array) -> Array:
        """Return whether a final drain had to see each of these sends (rows), if it took effect.

        It had to when the send was answered before the drain asked for the ends, and its
        record was not removed before: what is not answered may still come.
        """
        table = self.snapshot.sends
        ended, offset = table.ended[sends], table.offset[sends]
        covered = np.zeros(len(sends), dtype=bool)
        for drain in self.drains:
            covered |= (ended <= drain.at) & (
                (offset < 0) | (offset >= _begins(drain, table.partition[sends]))
            )
        return covered

    @cached_property
    def places(self) -> Places:
        """The positions at which anybody may find a record."""
        return self._places(np.ones(len(self.sends), dtype=bool),
                            np.ones(len(self.receptions), dtype=bool))  # fmt: skip

    @cached_property
    def committed_places(self) -> Places:
        """The positions at which a reader of committed records may find one."""
        if not len(self.snapshot.transactions):
            return self.places
        committed = self.snapshot.status[self.sends] == OK
        if committed.all() and self.by_committed_reader.all():
            return self.places
        return self._places(committed, self.by_committed_reader)

    @cached_property
    def _gone(self) -> Array:
        """Which sends a final drain proves to be gone: lost, and nobody can have skipped them."""
        if not self.drains:
            return np.zeros(len(self.sends), dtype=bool)
        return np.asarray(self.drained(self.sends) & ~among(self.sent, self.received))

    def _places(self, sends: Array, receptions: Array) -> Places:
        sends = sends & ~self._gone
        source = np.concatenate(
            [np.flatnonzero(sends), len(self.sends) + np.flatnonzero(receptions)]
        )
        key, first, rank = np.unique(
            np.concatenate([self.sent[sends], self.received[receptions]]),
            return_index=True, return_inverse=True,
        )  # fmt: skip
        ranks = np.zeros(len(self.receptions), dtype=rank.dtype)
        ranks[receptions] = rank[np.count_nonzero(sends) :]
        return Places(key, source[first], ranks)


def _begins(drain: Drain, partitions: Array) -> Array:
    """Return at which offset the partition of each record began when it was drained."""
    begins = np.zeros(len(partitions), dtype=np.int64)
    for partition, begin in drain.begins.items():
        begins[partitions == partition] = begin
    return begins
