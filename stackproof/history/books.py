"""The records that belong to one flow, and the books kept over them.

The bookkeeping is that of Jepsen's `checker/total-queue` (multisets of what was
attempted, acknowledged and delivered), made exact for messages that are sent
several times with different contents.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from stackproof.history.columns import FAIL, OK, UNKNOWN, Array, Snapshot, among, combined
from stackproof.history.flow import Flow
from stackproof.history.log import Log

Made = TypeVar("Made")


@dataclass(frozen=True)
class Books:
    """How often each message was sent and received.

    Messages are counted by cell. A cell is an ident; where records of one ident
    differ in content and contents are compared, it is an ident with one content.
    Arrays named `*_of_send` and `*_of_reception` are per record of the flow, those named
    `*_by_ident` per ident, the others per cell. `recovered` are unknown sends that were
    seen, `visible_failed` failed ones.
    """

    cell_of_send: Array
    cell_of_reception: Array
    ident: Array
    ok: Array
    unknown: Array
    failed: Array
    sent: Array
    received: Array
    recovered: Array
    visible_failed: Array
    corrupted_of_reception: Array
    lost_by_ident: Array
    extra_by_ident: Array


class FlowRecords:
    """The sends and receptions of a snapshot that one flow is about.

    Attributes:
        sends: numbers of the sends (rows of the snapshot), in order of invocation.
        receptions: numbers of the receptions on the received topic, in recorded order.
    """

    def __init__(self, snapshot: Snapshot, flow: Flow) -> None:
        self.snapshot = snapshot
        self.flow = flow
        self._shared: dict[str, Any] = {}
        sent = self.in_scope(snapshot.sends.client)
        sent &= self._on(snapshot.sends.topic, flow.sent_topic)
        if flow.labels is not None:
            sent &= np.isin(snapshot.sends.label, snapshot.codes("labels", flow.labels))
        received = self.in_scope(snapshot.receptions.client)
        received &= self._on(snapshot.receptions.topic, flow.received_topic)
        self.sends = np.flatnonzero(sent)
        self.receptions = self._without_repeated_drains(np.flatnonzero(received))

    def _on(self, topics: Array, *names: str) -> Array:
        codes = self.snapshot.codes("topics", names)
        if len(codes) == 1:
            return np.asarray(topics == codes[0])
        return np.isin(topics, codes)

    def in_scope(self, clients: Array) -> Array:
        """Return whether each of these clients (codes) is one that the flow is about."""
        if self.flow.scope_clients is None:
            return np.ones(len(clients), dtype=bool)
        return np.isin(clients, self.snapshot.codes("clients", self.flow.scope_clients))

    def _without_repeated_drains(self, rows: Array) -> Array:
        """Leave out what a final drain has read and another client was handed already.

        A drain looks at the log: it adds what nobody has received, and repeats nothing.
        """
        topic, table = self.flow.received_topic, self.snapshot.receptions
        names = tuple({drain.client for drain in self.snapshot.drains if drain.topic == topic})
        draining = np.isin(table.client[rows], self.snapshot.codes("clients", names))
        if not draining.any():
            return rows
        place = combined(table.partition[rows], table.offset[rows], table.ident[rows])
        again = among(place, place[~draining])
        first = np.zeros(len(rows), dtype=bool)
        first[np.flatnonzero(draining)[np.unique(place[draining], return_index=True)[1]]] = True
        return rows[~draining | (first & ~again)]

    def receptions_on(self, *topics: str) -> Array:
        """Return the numbers of the receptions in scope on any of these topics."""
        table = self.snapshot.receptions
        return np.flatnonzero(self.in_scope(table.client) & self._on(table.topic, *topics))

    def shared(self, name: str, make: Callable[["FlowRecords"], Made]) -> Made:
        """Return what several checks need, made by the first of them to ask for it."""
        if name not in self._shared:
            self._shared[name] = make(self)
        made: Made = self._shared[name]
        return made

    @property
    def direct(self) -> bool:
        """Whether messages are expected on the very topic to which they were sent."""
        return self.flow.sent_topic == self.flow.received_topic

    @cached_property
    def log(self) -> Log:
        """What is known of the received topic's positions; computed once and shared."""
        return Log(self.snapshot, self.flow.received_topic)

    @property
    def idents(self) -> int:
        """The number of idents in the snapshot."""
        return len(self.snapshot.idents)

    def count(self, idents: Array) -> Array:
        """Return how often each ident of the snapshot occurs."""
        return np.bincount(idents, minlength=self.idents)

    @cached_property
    def sent_ident(self) -> Array:
        """The ident of each send."""
        return self.snapshot.sends.ident[self.sends]

    @cached_property
    def received_ident(self) -> Array:
        """The ident of each reception."""
        return self.snapshot.receptions.ident[self.receptions]

    @cached_property
    def sends_by_ident(self) -> Array:
        """How often each ident was sent."""
        return self.count(self.sent_ident)

    @cached_property
    def receptions_by_ident(self) -> Array:
        """How often each ident was received."""
        return self.count(self.received_ident)

    @cached_property
    def expected_of_reception(self) -> Array:
        """Whether each reception's ident was sent at all."""
        return np.asarray(self.sends_by_ident[self.received_ident] > 0)

    @cached_property
    def stored(self) -> Array:
        """The ident of each record that was seen, each position counted once."""
        table, rows = self.snapshot.receptions, self.receptions
        ident = table.ident[rows]
        key = combined(ident, table.partition[rows], table.offset[rows])
        order = np.argsort(key)
        key = key[order]
        return ident[order[np.r_[True, key[1:] != key[:-1]][: len(key)]]]

    @cached_property
    def books(self) -> Books:
        """The books; computed once and shared by the checks."""
        cell_of_send, cell_of_reception, ident = self._cells()
        cells = len(ident)
        status = self.snapshot.status[self.sends]

        def sends_with(outcome: int) -> Array:
            return np.bincount(cell_of_send[status == outcome], minlength=cells)

        ok, unknown, failed = sends_with(OK), sends_with(UNKNOWN), sends_with(FAIL)
        sent = ok + unknown + failed
        received = np.bincount(cell_of_reception, minlength=cells)

        # A reception with a content that was never sent stands in for a send of the
        # same ident which is missing; if there is none, it is one too many.
        corrupted_of_reception = self.expected_of_reception & (sent[cell_of_reception] == 0)
        lost = np.maximum(ok - received, 0)
        extra = np.where(sent > 0, np.maximum(received - sent, 0), 0)
        if cells > self.idents:
            corrupted = self.count(self.received_ident[corrupted_of_reception])
            missing = self._by_ident(ident, np.maximum(sent - received, 0))
            lost = np.maximum(self._by_ident(ident, lost) - corrupted, 0)
            extra = self._by_ident(ident, extra) + np.maximum(corrupted - missing, 0)
        return Books(
            cell_of_send=cell_of_send,
            cell_of_reception=cell_of_reception,
            ident=ident,
            ok=ok,
            unknown=unknown,
            failed=failed,
            sent=sent,
            received=received,
            recovered=np.clip(received - ok, 0, unknown),
            visible_failed=np.clip(received - ok - unknown, 0, failed),
            corrupted_of_reception=corrupted_of_reception,
            lost_by_ident=lost,
            extra_by_ident=extra,
        )

    def _by_ident(self, ident: Array, per_cell: Array) -> Array:
        return np.bincount(ident, weights=per_cell, minlength=self.idents).astype(np.int64)

    def _cells(self) -> tuple[Array, Array, Array]:
        """Return the cell of each send, of each reception, and the ident of each cell."""
        idents = np.arange(self.idents)
        if self.flow.content is None:
            return self.sent_ident, self.received_ident, idents
        sent_content, received_content = self._contents()
        reference = np.zeros((self.idents, len(sent_content)), dtype=np.uint64)
        for column, values in enumerate(sent_content):
            reference[self.sent_ident, column] = values
        varied = np.zeros(self.idents, dtype=bool)
        for column, values in enumerate(sent_content):
            varied[self.sent_ident[values != reference[self.sent_ident, column]]] = True
        for column, values in enumerate(received_content):
            differs = values != reference[self.received_ident, column]
            varied[self.received_ident[differs & self.expected_of_reception]] = True
        if self.flow.content == "carried":
            # What had nothing to carry over cannot be compared.
            varied[self.sent_ident[sent_content[0] == 0]] = False

        # Only the idents with several contents need the costly grouping.
        of_sends = np.flatnonzero(varied[self.sent_ident])
        of_receptions = np.flatnonzero(varied[self.received_ident])
        key = combined(
            np.concatenate([self.sent_ident[of_sends], self.received_ident[of_receptions]]),
            *(
                np.concatenate([sent[of_sends], received[of_receptions]])
                for sent, received in zip(sent_content, received_content, strict=True)
            ),
        )
        _, first, cell = np.unique(key, return_index=True, return_inverse=True)
        cell_of_send = self.sent_ident.astype(np.int64)
        cell_of_reception = self.received_ident.astype(np.int64)
        cell_of_send[of_sends] = self.idents + cell[: len(of_sends)]
        cell_of_reception[of_receptions] = self.idents + cell[len(of_sends) :]
        both = np.concatenate([self.sent_ident[of_sends], self.received_ident[of_receptions]])
        return cell_of_send, cell_of_reception, np.concatenate([idents, both[first]])

    def _contents(self) -> tuple[list[Array], list[Array]]:
        """Return the columns that make up the content, of the sends and of the receptions."""
        sends, receptions = self.snapshot.sends, self.snapshot.receptions
        if self.flow.content == "bytes":
            return [sends.digest[self.sends]], [receptions.digest[self.receptions]]
        return (
            [sends.has_carried[self.sends], sends.carried[self.sends]],
            [receptions.has_carried[self.receptions], receptions.carried[self.receptions]],
        )
