"""Recording what clients do besides sending and receiving.

Consumers and what is assigned to them, polls, final drains, transactions: what the
checks of Jepsen's Kafka workload need to tell an anomaly from what is allowed.
"""

import math
import struct
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from stackproof.history import columns
from stackproof.history.columns import (
    ABORT,
    COMMIT,
    ENDINGS,
    FAIL,
    OK,
    STATUS,
    UNKNOWN,
    Assignment,
    Change,
    Consumer,
    Drain,
    Isolation,
    Mode,
)
from stackproof.history.digests import Carried

Status = Literal["ok", "fail", "unknown"]
Ending = Literal["commit", "abort"]

PREVIEW_CHARACTERS = 120
PREVIEWS = 50_000
ERROR_CHARACTERS = 300


def moment(at: float | None) -> float:
    """Return a time in seconds since the Unix epoch; now, if none is given.

    Raises:
        ValueError: it is not a finite number, so nothing could be ordered by it.
    """
    if at is None:
        return time.time()
    if not math.isfinite(at):
        raise ValueError(f"{at} is no time")
    return at


def code(codes: dict[str, int], text: str) -> int:
    """Return the number that stands for a text, a new one for a new text."""
    number = codes.get(text)
    if number is None:
        number = codes[text] = len(codes)
    return number


def shortened(text: str, limit: int) -> str:
    """Return a text of at most so many characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _known(value: str, known: tuple[str, ...], what: str) -> None:
    if value not in known:
        raise ValueError(f"{what} is one of {', '.join(known)}, not {value!r}")


class Ledger:
    """Consumers, polls, drains and transactions of a history, and what is shown; see `History`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes = 0
        self._clients: dict[str, int] = {}
        self._previews: dict[int, str] = {}
        self._carried_values: dict[int, Mapping[str, str]] = {}
        self._polls = bytearray()
        self._polling: dict[str, int] = {}
        self._transactions = bytearray()
        self._transactional_ids: dict[str, int] = {}
        self._consumers: dict[str, Consumer] = {}
        self._assignments: list[Assignment] = []
        self._drains: list[Drain] = []

    # -- consumers -----------------------------------------------------------
    def consumer(
        self,
        client: str,
        *,
        isolation: Isolation = "read_uncommitted",
        mode: Mode = "assign",
        group: str = "",
    ) -> None:
        """Record how a client reads; what nobody has told reads uncommitted records.

        Args:
            client: its name.
            isolation: whether it may see records of transactions not committed.
            mode: "assign": it says itself what it reads, and nobody may move it;
                "subscribe": its group's coordinator does.
            group: the group's ID, if it has one.

        Raises:
            ValueError: isolation or mode are not known, or it was recorded otherwise before.
        """
        _known(isolation, get_args(Isolation), "isolation")
        _known(mode, get_args(Mode), "mode")
        told = Consumer(client, isolation, mode, group)
        with self._lock:
            if self._consumers.setdefault(client, told) != told:
                raise ValueError(f"{client} was recorded as {self._consumers[client]} before")
            self._changes += 1

    def assignment(
        self,
        client: str,
        change: Change,
        partitions: Iterable[tuple[str, int]],
        *,
        poll: int | None = None,
        at: float | None = None,
    ) -> None:
        """Record that the partitions which a consumer reads have changed, or its place in them.

        Args:
            client: the consumer.
            change: "assigned", "revoked", or "sought": it has set its own position.
            partitions: topic and partition of those that this is about, no others: of what
                a consumer goes on reading nothing is recorded.
            poll: from which poll of the consumer on this holds; None: from the one that
                goes on (rebalances happen within one), else from the next.
            at: seconds since the Unix epoch; None: now.

        Raises:
            ValueError: the change is not known.
        """
        _known(change, get_args(Change), "change")
        at = moment(at)
        with self._lock:
            if poll is None:
                poll = self._polling.get(client, len(self._polls) // columns.POLL.struct.size)
            places = tuple((topic, int(partition)) for topic, partition in partitions)
            self._assignments.append(Assignment(client, change, places, poll, at))
            self._changes += 1

    def poll(self, client: str, *, at: float | None = None) -> int:
        """Record that a consumer asks for records, and return the poll's number.

        Give the number to `receive` for each record it is handed, and to `polled`.
        """
        at = moment(at)
        with self._lock:
            row = columns.POLL.struct.pack(math.nan, at, code(self._clients, client))
            number = len(self._polls) // len(row)
            self._polls += row
            self._polling[client] = number
            self._changes += 1
        return number

    def polled(self, poll: int, *, at: float | None = None) -> None:
        """Record that a poll has returned, with or without records.

        Raises:
            IndexError: there is no such poll.
        """
        at = moment(at)
        with self._lock:
            where = poll * columns.POLL.struct.size
            if poll < 0 or where >= len(self._polls):
                raise IndexError(f"there is no poll number {poll}")
            struct.pack_into("<d", self._polls, where, at)
            for client in [c for c, open_poll in self._polling.items() if open_poll == poll]:
                del self._polling[client]
            self._changes += 1

    def drain(
        self,
        client: str,
        topic: str,
        *,
        begins: Mapping[int, int],
        ends: Mapping[int, int],
        at: float,
        until: float | None = None,
    ) -> None:
        """Record a final drain; see `columns.Drain`. Call it when the ends are reached."""
        done = Drain(client, topic, dict(begins), dict(ends), moment(at), moment(until))
        with self._lock:
            self._drains.append(done)
            self._changes += 1

    # -- transactions --------------------------------------------------------
    def begin(self, client: str, transactional_id: str, *, at: float | None = None) -> int:
        """Record that a transaction begins, and return its number: `send` takes it."""
        at = moment(at)
        with self._lock:
            row = columns.TRANSACTION.struct.pack(
                math.nan, math.nan, 0, UNKNOWN, at,
                code(self._clients, client), code(self._transactional_ids, transactional_id),
            )  # fmt: skip
            number = len(self._transactions) // len(row)
            self._transactions += row
            self._changes += 1
        return number

    def end(self, transaction: int, how: Ending, *, at: float | None = None) -> None:
        """Record that a client asks to commit or abort a transaction, before it asks.

        A commit without an answer may be asked for again, and so may its abortion; of one
        that was refused only the abortion.

        Raises:
            IndexError: there is no such transaction.
            ValueError: it has ended before, or the ending is not known.
        """
        _known(how, ENDINGS[1:], "an ending")
        at = moment(at)
        with self._lock:
            ending, _, before, status = self._ending(transaction)
            if status == OK or (status == FAIL and how == "commit"):
                raise ValueError(f"transaction number {transaction} has ended before")
            # A commit that may have happened stays one until the abortion is confirmed.
            perhaps = before == COMMIT and status == UNKNOWN
            kept = before if perhaps else ENDINGS.index(how)
            first = at if math.isnan(ending) else ending
            self._write_ending(transaction, first, math.nan, kept, UNKNOWN)

    def ended(
        self, transaction: int, how: Ending, status: Status, *, at: float | None = None
    ) -> None:
        """Record the outcome of ending a transaction.

        "ok": the coordinator has confirmed it; "fail": it was certainly refused, as of a
        producer that was fenced; "unknown": anything else.

        Raises:
            IndexError: there is no such transaction.
            ValueError: nobody has asked for its end, it has ended before, or ending or
                status are not known.
        """
        _known(how, ENDINGS[1:], "an ending")
        _known(status, STATUS, "status")
        at = moment(at)
        with self._lock:
            ending, _, before, already = self._ending(transaction)
            if not before:
                raise ValueError(f"nobody has asked for the end of transaction {transaction}")
            if already != UNKNOWN:
                raise ValueError(f"transaction number {transaction} has ended before")
            outcome = STATUS.index(status)
            if before == COMMIT and ENDINGS.index(how) == ABORT:
                # Only a confirmed abortion tells what became of the commit.
                before, outcome = (ABORT, OK) if outcome == OK else (COMMIT, UNKNOWN)
            self._write_ending(transaction, ending, at, before, outcome)

    def _ending(self, transaction: int) -> tuple[float, float, int, int]:
        where = transaction * columns.TRANSACTION.struct.size
        if transaction < 0 or where >= len(self._transactions):
            raise IndexError(f"there is no transaction number {transaction}")
        ending, ended, how, status = columns.ENDING.unpack_from(self._transactions, where)
        return ending, ended, how, status

    def _write_ending(self, transaction: int, *fields: float) -> None:
        where = transaction * columns.TRANSACTION.struct.size
        columns.ENDING.pack_into(self._transactions, where, *fields)
        self._changes += 1

    # -- what explanations show ----------------------------------------------
    def _keep_shown(self, digest: int, preview: str, carried: int | None = None) -> None:
        """Keep what explanations show of a content; the first to tell of it counts."""
        if preview and len(self._previews) < PREVIEWS and digest not in self._previews:
            self._previews[digest] = shortened(preview, PREVIEW_CHARACTERS)
        if isinstance(carried, Carried) and len(self._carried_values) < PREVIEWS:
            self._carried_values.setdefault(int(carried), carried.values)
