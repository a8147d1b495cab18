"""Recording operations on keys: what clients do to stores, queues, locks and limits.

The base record of every model but the log: a client invoked an action on a key, with a value; it
ended "ok", "fail" or "unknown", from when to when. `stackproof.history.models` gives it meaning.
"""

import math
import struct
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import EllipsisType

from stackproof.history import columns
from stackproof.history.columns import ACTIONS, STATUS, UNKNOWN
from stackproof.history.digests import digest_of, preview
from stackproof.history.ledger import ERROR_CHARACTERS, Ledger, Status, code, moment, shortened

Content = bytes | str | int | None
"""A value that was written or read; None: the key was not there, or is deleted."""

NO_VALUE = 0
"""The digest of operations that have no value."""


@dataclass
class Answer:
    """What `Operating.doing` records when its block ends.

    Attributes:
        status: of the operation; "unknown" when an exception leaves the block.
        number: such as a fencing token; None: what was given before stays.
        error: why it failed, in words.
        value: what was read, None: the key is not there; ``...``: what was given before stays.
    """

    status: Status = "ok"
    number: int | None = None
    error: str = ""
    value: Content | EllipsisType = ...

    def fail(self, error: str) -> None:
        """Say that it has certainly had no effect."""
        self.status, self.error = "fail", error


class Operating(Ledger):
    """Operations on keys of a history; see `History`."""

    def __init__(self) -> None:
        super().__init__()
        self._operations = bytearray()
        self._spaces: dict[str, int] = {}
        self._keys: dict[str, int] = {}
        self._labels: dict[str, int] = {}
        self._operation_errors: dict[int, str] = {}

    def invoke(
        self,
        action: str,
        *,
        client: str,
        space: str,
        key: str,
        number: int = 0,
        label: str = "",
        value: Content | EllipsisType = ...,
        expected: Content | EllipsisType = ...,
        at: float | None = None,
    ) -> int:
        """Record that a client begins an operation, and return its number.

        Args:
            action: one of `columns.ACTIONS`.
            client: who does it; one that does several things at once is several clients.
            space: the store, queue or set of locks that the keys belong to.
            key: what it is done to.
            number: what the model says: a fencing token, permits, milliseconds to live.
            label: the class of the value, such as "valid".
            value: what is written; ``...``: the action has none, or it is not known yet.
            expected: of a compare-and-set.
            at: seconds since the Unix epoch; None: now.

        Raises:
            ValueError: the action is not known, or something does not fit into its column.
        """
        if action not in ACTIONS:
            raise ValueError(f"an action is one of {', '.join(ACTIONS)}, not {action!r}")
        at = moment(at)
        written, swapped = self._shown(value), self._shown(expected)
        with self._lock:
            try:
                row = columns.OPERATION.struct.pack(
                    math.nan, written, number, UNKNOWN, at, swapped, code(self._keys, key),
                    code(self._clients, client), code(self._spaces, space),
                    code(self._labels, label), ACTIONS.index(action),
                )  # fmt: skip
            except struct.error as error:
                raise ValueError(f'{action} of "{key}" cannot be recorded: {error}') from None
            op = len(self._operations) // len(row)
            self._operations += row
            self._changes += 1
        return op

    def answered(
        self,
        op: int,
        status: Status,
        *,
        number: int | None = None,
        value: Content | EllipsisType = ...,
        error: str = "",
        at: float | None = None,
    ) -> None:
        """Record the outcome of an operation; one without any counts as unknown.

        Args:
            op: its number.
            status: "ok": it has taken effect; "fail": it certainly has not; "unknown".
            number: as in `invoke`; None: what was given there stays.
            value: what was read; ``...``: what was given there stays.
            error: why, in words.
            at: seconds since the Unix epoch; None: now.

        Raises:
            IndexError: there is no such operation.
            ValueError: the status is not known, or the operation has an outcome already.
        """
        if status not in STATUS:
            raise ValueError(f"status is one of {', '.join(STATUS)}, not {status!r}")
        at = moment(at)
        where = op * columns.OPERATION.struct.size
        digest = self._shown(value)
        with self._lock:
            if op < 0 or where >= len(self._operations):
                raise IndexError(f"there is no operation number {op}")
            _, given, told, before = columns.ANSWER.unpack_from(self._operations, where)
            if before != UNKNOWN:
                raise ValueError(f"operation {op} has ended as {STATUS[before]} before")
            columns.ANSWER.pack_into(
                self._operations, where, at, given if value is ... else digest,
                told if number is None else number, STATUS.index(status),
            )  # fmt: skip
            self._changes += 1
            self._operation_errors.pop(op, None)
            if error:
                self._operation_errors[op] = shortened(error, ERROR_CHARACTERS)

    @contextmanager
    def doing(
        self, action: str, *, client: str, space: str, key: str, number: int = 0, label: str = "",
        value: Content | EllipsisType = ..., expected: Content | EllipsisType = ...,
    ) -> Iterator[Answer]:  # fmt: skip
        """Record an operation from the block's beginning to its end.

        What the block says of its `Answer` counts; without a word it is "ok", and "unknown" when
        an exception leaves it.
        """
        op = self.invoke(
            action, client=client, space=space, key=key, number=number, label=label,
            value=value, expected=expected,
        )  # fmt: skip
        answer = Answer()
        try:
            yield answer
        except BaseException as error:
            self.answered(op, "unknown", error=f"{type(error).__name__}: {error}")
            raise
        self.answered(
            op, answer.status, number=answer.number, value=answer.value, error=answer.error
        )

    @contextmanager
    def doing_all(
        self,
        action: str,
        contents: Mapping[str, Content | EllipsisType],
        *,
        client: str,
        space: str,
    ) -> Iterator[None]:
        """Record operations on several keys that are one request: they begin and end together.

        Args:
            action: the same for each.
            contents: by key; ``...``: the action has none.
            client: who does it.
            space: where the keys are.
        """
        with ExitStack() as operations:
            for key, value in contents.items():
                operations.enter_context(
                    self.doing(action, client=client, space=space, key=key, value=value)
                )
            yield

    @contextmanager
    def listing(
        self, *, client: str, space: str, key: str = "all"
    ) -> Iterator[list[tuple[str, Content]]]:
        """Record one reading of a whole set: each member and content that the block has found."""
        found: list[tuple[str, Content]] = []
        op = self.invoke("list", client=client, space=space, key=key)
        try:
            yield found
        except BaseException as error:
            self.answered(op, "unknown", error=f"{type(error).__name__}: {error}")
            raise
        at = moment(None)
        for member, content in found:
            seen = self.invoke("seen", client=client, space=space, key=member, value=content,
                               number=op, at=at)  # fmt: skip
            self.answered(seen, "ok", at=at)
        self.answered(op, "ok", at=at)

    def _shown(self, content: Content | EllipsisType) -> int:
        """The digest of a content, whose beginning is kept for explanations."""
        if content is ...:
            return NO_VALUE
        data = (
            content
            if content is None or isinstance(content, bytes)
            else (
                str(content).encode("utf-8", "surrogatepass")  # half a character may be read, too
            )
        )
        digest = digest_of(data)
        with self._lock:
            self._keep_shown(digest, preview(data))
        return digest
