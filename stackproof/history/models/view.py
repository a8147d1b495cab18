"""The operations of one expectation as columns, and the questions that several models ask."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from stackproof.history.anomaly import (
    WITNESS_RECORDS,
    Anomaly,
    WitnessRecord,
    found,
    nothing,
    operated,
)
from stackproof.history.columns import (
    ACTIONS,
    FAIL,
    GOLDEN,
    OK,
    STATUS,
    Array,
    Snapshot,
    combined,
)

_TICKS = 1e6
"""A second. What is nearer together than a tick counts as being at one moment: not before."""
TICKS_A_MS = 1000
NEVER = np.int64(1 << 61)
"""Later than any time: an operation without an answer may still take effect."""
BEFORE_ALL = np.int64(-1)
Note = str | Callable[[int], str]


@dataclass(frozen=True)
class View:
    """The operations in some spaces.

    Attributes:
        snapshot: the history.
        rows: their numbers in it; all other columns are of these rows.
        key: of the space and key together.
        action, status, client, value, expected, number, label: as in `Operations`.
        began, ended: times as integers, `NEVER` where there was no answer.
    """

    snapshot: Snapshot
    rows: Array

    @classmethod
    def of(cls, snapshot: Snapshot, spaces: Sequence[str]) -> "View":
        """Return the operations in these spaces."""
        table = snapshot.operations
        wanted = np.zeros(max(len(snapshot.spaces), 1), dtype=bool)
        wanted[snapshot.codes("spaces", tuple(spaces))] = True
        return cls(snapshot, np.flatnonzero(wanted[table.space]))

    def _column(self, name: str) -> Array:
        column: Array = getattr(self.snapshot.operations, name)
        return column if len(column) == len(self.rows) else column[self.rows]

    @cached_property
    def key(self) -> Array:
        """One number for each space and key."""
        if len(self.snapshot.spaces) < 2:
            return self._column("key").astype(np.int64)
        return combined(self._column("space"), self._column("key"))

    @cached_property
    def action(self) -> Array:
        """Codes into `ACTIONS`."""
        return self._column("action")

    @cached_property
    def status(self) -> Array:
        """What became of each."""
        return self._column("status")

    @cached_property
    def client(self) -> Array:
        """Who did it."""
        return self._column("client")

    @cached_property
    def value(self) -> Array:
        """Digests."""
        return self._column("value")

    @cached_property
    def expected(self) -> Array:
        """Digests, of a compare-and-set."""
        return self._column("expected")

    @cached_property
    def number(self) -> Array:
        """As the model says."""
        return self._column("number")

    def with_key(self, digests: Array, places: Array | slice = slice(None)) -> Array:
        """One number for each key and digest; two are the same by chance as rarely as digests."""
        return digests ^ spread(self.key[places])

    @cached_property
    def began(self) -> Array:
        """In ticks since the history's start."""
        return self._ticks(self._column("at"))

    @cached_property
    def ended(self) -> Array:
        """The same; `NEVER` where the answer is missing, or tells that it may still happen."""
        ended = self._column("ended")
        open_ = np.isnan(ended) | (self.status > FAIL)
        ticks = self._ticks(np.where(np.isnan(ended), 0.0, ended))
        return np.where(open_, NEVER, ticks)

    def _ticks(self, times: Array) -> Array:
        return np.rint((times - self.snapshot.start) * _TICKS).astype(np.int64)

    def did(self, *actions: str, status: tuple[int, ...] = (OK,)) -> Array:
        """Return the places of operations with one of these actions and outcomes."""
        if (actions, status) not in self._done:
            wanted = np.zeros((len(ACTIONS), len(STATUS)), dtype=bool)
            wanted[np.ix_([ACTIONS.index(action) for action in actions], status)] = True
            self._done[actions, status] = np.flatnonzero(wanted.ravel()[self._ending])
        return self._done[actions, status]

    @cached_property
    def _ending(self) -> Array:
        """Action and outcome as one number."""
        return self.action * np.uint8(len(STATUS)) + self.status

    @cached_property
    def _done(self) -> dict[tuple[tuple[str, ...], tuple[int, ...]], Array]:
        return {}

    @cached_property
    def keys(self) -> int:
        """How many numbers of keys there may be."""
        return int(self.key.max(initial=-1)) + 1

    def marked(self, places: Array) -> Array:
        """For each key, whether one of these operations is on it."""
        mask = np.zeros(self.keys, dtype=bool)
        mask[self.key[places]] = True
        return mask

    def seconds(self, ticks: Array | int) -> Array | float:
        """Return spans of ticks in seconds."""
        return ticks / _TICKS

    def line(self, place: int, note: str = "", *, context: bool = False) -> WitnessRecord:
        """Return an operation as a line of a counterexample."""
        return operated(self.snapshot, int(self.rows[place]), note, context=context)

    def anomaly(self, name: str, wrong: Array, summary: str, *shown: tuple[Array, Note]) -> Anomaly:
        """Return what was found, or that nothing was.

        Args:
            name: of the anomaly.
            wrong: places of the operations that are wrong.
            summary: in one sentence.
            shown: what shows what is wrong with each of them, in this order: an operation's place
                (-1: none) and a note, or what makes one, given the number within ``wrong``.
        """

        def example(number: int) -> Iterator[tuple[int, str]]:
            for places, note in shown:
                if (place := int(places[number])) >= 0:
                    yield place, note if isinstance(note, str) else note(number)

        return self.anomaly_among(name, wrong, summary, example)

    def anomaly_among(
        self,
        name: str,
        wrong: Array,
        summary: str,
        example: Callable[[int], Iterable[tuple[int, str]]],
    ) -> Anomaly:
        """The same; ``example`` gives places and notes for a number within ``wrong``.

        All but the wrong operation itself are context.
        """
        if not len(wrong):
            return nothing(name)

        def examples() -> Iterator[list[WitnessRecord]]:
            for number, place in enumerate(wrong[:WITNESS_RECORDS].tolist()):
                yield [self.line(p, note, context=p != place) for p, note in example(number)]

        return found(name, "violation", len(wrong), summary, examples())


@dataclass(frozen=True)
class ModelBooks:
    """What the checks of a model are given; each model adds what its own ask for.

    Attributes:
        view: the operations in the expectation's space.
        of: what is expected of them.
    """

    view: View
    of: Any

    @property
    def operations(self) -> int:
        """How many operations are looked at."""
        return len(self.view.rows)


def by_group_and_time(group: Array, time: Array) -> Array:
    """Rows by group, then time, then number.

    Operations are recorded nearly in order, which the sorting of times makes use of; few groups
    are sorted by their digits.
    """
    order = np.argsort(time, kind="stable")
    grouped = group[order]
    if int(grouped.max(initial=0)) < 1 << 16:
        grouped = grouped.astype(np.uint16)
    return np.asarray(order[np.argsort(grouped, kind="stable")])


def ranked(
    group: Array, time: Array, asked: Array, moment: Array, *, at_it: bool = False
) -> tuple[Array, Array]:
    """Rows by group and time, and for each question how many of all come before it there.

    Args:
        group: of each row, integers of 0 or more.
        time: of each row, in ticks.
        asked: the group of each question.
        moment: of each question.
        at_it: whether what is at that very moment comes before it, too.
    """
    rows, questions = (0, len(group)) if at_it else (len(asked), 0)
    parts = [(group, time), (asked, moment)][:: 1 if at_it else -1]
    order = by_group_and_time(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    is_row = (order >= rows) & (order < rows + len(group))
    place = np.empty(len(asked), dtype=np.int64)
    place[order[~is_row] - questions] = np.cumsum(is_row)[~is_row]
    return order[is_row] - rows, place


class Groups:
    """Rows with a group and a time, to be asked what was the greatest before a moment.

    Args:
        group: of each row, integers of 0 or more.
        time: of each row, in ticks.
        value: of each row, integers of 0 or more, or `NEVER`.
    """

    def __init__(self, group: Array, time: Array, value: Array):
        self._group, self._time, self._value = group, time, value

    def greatest_before(self, group: Array, time: Array) -> tuple[Array, Array]:
        """For each question, the greatest value of its group whose time is less, and its row.

        Returns:
            The values (`BEFORE_ALL` where there is none) and the rows (-1 there).

        Raises:
            ValueError: so many groups and so great values do not fit into 63 bits.
        """
        if not len(self._group) or not len(group):
            return np.full(len(group), BEFORE_ALL), np.full(len(group), -1)
        order, place = ranked(self._group, self._time, group, time)
        place -= 1
        # Within each group the running maximum: greater groups are above lesser ones anyway.
        known = np.where(self._value == NEVER, 0, self._value)
        bits = (int(known.max()) + 1).bit_length()
        if int(self._group.max()).bit_length() + bits > 63:
            raise ValueError(f"too many keys with too great values to check: {bits} bits each")
        never = (1 << bits) - 1
        values = np.minimum(self._value[order], never)
        greatest = np.maximum.accumulate((self._group[order].astype(np.int64) << bits) | values)
        there = (place >= 0) & (greatest[place] >> bits == group)
        value = greatest[place] & never
        value = np.where(there, np.where(value == never, NEVER, value), BEFORE_ALL)
        return value, np.where(there, order[_first_of_runs(greatest)[place]], -1)


def repeats(group: Array, time: Array, places: Array) -> tuple[Array, Array]:
    """Places that follow another one of the same group, by time, and for each the one before."""
    order = by_group_and_time(group, time)
    again = np.flatnonzero(group[order][1:] == group[order][:-1]) + 1
    return places[order[again]], places[order[again - 1]]


def spread(numbers: Array) -> Array:
    """Small numbers as ones that differ in all of their 64 bits."""
    return numbers.astype(np.uint64) * np.uint64(GOLDEN)


def firsts(values: Array) -> Array:
    """The places at which sorted values change, the first place among them."""
    return np.flatnonzero(np.r_[True, values[1:] != values[:-1]][: len(values)])


def _first_of_runs(values: Array) -> Array:
    """For each place of ascending values, the first place that has the same."""
    first = np.zeros(len(values), dtype=np.int64)
    starts = firsts(values)
    first[starts] = starts
    return np.maximum.accumulate(first)
