"""Recording what the clients of one scenario did."""

import math
import struct
from typing import Any

from stackproof.history import columns
from stackproof.history.columns import (
    NONE,
    NOWHERE,
    Event,
    Operations,
    Polls,
    Receptions,
    Sends,
    Snapshot,
    Transactions,
)
from stackproof.history.expectation import Expectation
from stackproof.history.ledger import ERROR_CHARACTERS, Status, code, moment, shortened
from stackproof.history.operating import Operating


class History(Operating):
    """The operations of all clients of one scenario, in memory.

    All methods may be called from several threads at once, from producer callbacks
    too: one lock guards every change, and a record is appended whole or not at all.
    Times are seconds since the Unix epoch; they are taken when none is given.

    Args:
        name: what was recorded, such as the scenario's name.
        meta: anything JSON can hold that helps to understand the history later.
    """

    def __init__(self, name: str = "", **meta: Any) -> None:
        self.name = name
        self.meta = meta
        super().__init__()
        self._sends = bytearray()
        self._receptions = bytearray()
        self._topics: dict[str, int] = {}
        self._idents: dict[str, int] = {}
        self._errors: dict[int, str] = {}
        self._events: list[Event] = []
        self._expectations: list[Expectation] = []
        self._snapshot: tuple[int, Snapshot] | None = None

    def send(
        self,
        *,
        client: str,
        topic: str,
        ident: str,
        digest: int,
        carried: int | None = None,
        label: str = "",
        preview: str = "",
        transaction: int = NONE,
        at: float | None = None,
    ) -> int:
        """Record the invocation of a send and return the operation's number.

        Call it before the client is called, and `complete` when the outcome is known.

        Args:
            client: who sends.
            topic: where to.
            ident: what the record is recognised by at the other end.
            digest: 64-bit digest of the raw bytes (`digest_of`).
            carried: 64-bit digest of what a transforming system must carry over
                unchanged (`carried_digest`, whose values are kept as previews are);
                None: nothing.
            label: the class of the message, such as "valid".
            preview: a short text for explanations; kept once per content, for the
                first 50,000 contents.
            transaction: the number of the transaction it belongs to (`begin`).
            at: seconds since the Unix epoch; None: now.

        Raises:
            ValueError: a digest does not fit into 64 bits, a time is none, or there are
                more than 65,536 clients, topics or labels.
        """
        at = moment(at)
        with self._lock:
            try:
                row = columns.SEND.struct.pack(
                    math.nan,
                    NOWHERE,
                    NOWHERE,
                    columns.UNKNOWN,
                    carried is not None,
                    code(self._clients, client),
                    at,
                    digest,
                    carried or 0,
                    code(self._idents, ident),
                    code(self._topics, topic),
                    code(self._labels, label),
                    transaction,
                )
            except struct.error as error:
                raise ValueError(f'send of "{ident}" cannot be recorded: {error}') from None
            op = len(self._sends) // len(row)
            self._sends += row
            self._changes += 1
            self._keep_shown(digest, preview, carried)
        return op

    def complete(
        self,
        op: int,
        status: Status,
        *,
        partition: int | None = None,
        offset: int | None = None,
        error: str = "",
        at: float | None = None,
    ) -> None:
        """Record the outcome of a send; a send without one counts as unknown.

        "ok": the server has acknowledged it; "fail": it has certainly not taken
        effect; "unknown": anything else, such as a timeout. An unknown outcome may
        become known later, the other way round is an error.

        Raises:
            IndexError: there is no such operation.
            ValueError: the status is not known, the operation has another outcome
                already, or partition or offset do not fit into their columns.
        """
        if status not in columns.STATUS:
            raise ValueError(f"status is one of {', '.join(columns.STATUS)}, not {status!r}")
        at = moment(at)
        where = op * columns.SEND.struct.size
        with self._lock:
            if op < 0 or where >= len(self._sends):
                raise IndexError(f"there is no send number {op}")
            before = columns.COMPLETION.unpack_from(self._sends, where)[3]
            if before != columns.UNKNOWN:
                raise ValueError(
                    f"send number {op} has been completed as {columns.STATUS[before]} before"
                )
            try:
                outcome = columns.COMPLETION.pack(
                    at,
                    NOWHERE if offset is None else offset,
                    NOWHERE if partition is None else partition,
                    columns.STATUS.index(status),
                )
            except struct.error as problem:
                raise ValueError(
                    f"the outcome of send {op} cannot be recorded: {problem}"
                ) from None
            self._sends[where : where + len(outcome)] = outcome
            self._changes += 1
            self._errors.pop(op, None)
            if error:
                self._errors[op] = shortened(error, ERROR_CHARACTERS)

    def receive(
        self,
        *,
        client: str,
        topic: str,
        partition: int,
        offset: int,
        ident: str,
        digest: int,
        carried: int | None = None,
        label: str = "",
        preview: str = "",
        poll: int = NONE,
        at: float | None = None,
    ) -> int:
        """Record that a client was handed a record, and return the reception's number.

        Arguments and errors are those of `send`; partition and offset are the
        record's position in the topic, `poll` is the number of the poll that handed it
        over (`poll`); within a poll, record in the order in which they were handed over.
        """
        at = moment(at)
        with self._lock:
            try:
                row = columns.RECEPTION.struct.pack(
                    at,
                    offset,
                    digest,
                    carried or 0,
                    code(self._idents, ident),
                    partition,
                    code(self._clients, client),
                    code(self._topics, topic),
                    code(self._labels, label),
                    carried is not None,
                    poll,
                )
            except struct.error as error:
                raise ValueError(f'reception of "{ident}" cannot be recorded: {error}') from None
            number = len(self._receptions) // len(row)
            self._receptions += row
            self._changes += 1
            self._keep_shown(digest, preview, carried)
        return number

    def event(
        self,
        kind: str,
        text: str,
        *,
        at: float | None = None,
        until: float | None = None,
        **detail: Any,
    ) -> None:
        """Record a fault, a process start or stop, a rebalance, a note.

        Args:
            kind: a word such as "fault", "death", "start", "stop", "rebalance", "note".
            text: a few words, shown in the timeline.
            at: when it began, seconds since the Unix epoch; None: now.
            until: when it ended; None: it is a moment.
            detail: anything JSON can hold.
        """
        happened = Event(kind, text, moment(at), None if until is None else moment(until), detail)
        with self._lock:
            self._events.append(happened)
            self._changes += 1

    def expect(self, expectation: Expectation) -> None:
        """Remember what was checked, so that a saved history can be re-checked."""
        with self._lock:
            if expectation not in self._expectations:
                self._expectations.append(expectation)
                self._changes += 1

    def happened(self, kind: str) -> list[str]:
        """Return the texts of the events of a kind, such as "death", in their order."""
        with self._lock:
            return [event.text for event in self._events if event.kind == kind]

    def snapshot(self) -> Snapshot:
        """Return everything recorded so far as columns; what comes later does not change it."""
        with self._lock:
            if self._snapshot is not None and self._snapshot[0] == self._changes:
                return self._snapshot[1]
            taken = Snapshot(
                name=self.name,
                meta=dict(self.meta),
                sends=Sends(**columns.SEND.columns(bytes(self._sends))),
                receptions=Receptions(**columns.RECEPTION.columns(bytes(self._receptions))),
                clients=tuple(self._clients),
                topics=tuple(self._topics),
                idents=tuple(self._idents),
                labels=tuple(self._labels),
                previews=dict(self._previews),
                carried_values=dict(self._carried_values),
                errors=dict(self._errors),
                events=tuple(self._events),
                expectations=tuple(self._expectations),
                polls=Polls(**columns.POLL.columns(bytes(self._polls))),
                transactions=Transactions(**columns.TRANSACTION.columns(bytes(self._transactions))),
                transactional_ids=tuple(self._transactional_ids),
                consumers=tuple(self._consumers.values()),
                assignments=tuple(self._assignments),
                drains=tuple(self._drains),
                operations=Operations(**columns.OPERATION.columns(bytes(self._operations))),
                spaces=tuple(self._spaces),
                keys=tuple(self._keys),
                operation_errors=dict(self._operation_errors),
            )
            self._snapshot = (self._changes, taken)
            return taken

    def __repr__(self) -> str:
        sends = len(self._sends) // columns.SEND.struct.size
        receptions = len(self._receptions) // columns.RECEPTION.struct.size
        return f"<History {self.name!r}: {sends} sends, {receptions} receptions>"
