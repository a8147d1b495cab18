"""The operations of one expectation as columns, and the questions that several models ask."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from stackproof.history.anomaly import (
    WITNESS_RECORDS,
    Anomaly,
    WitnessRecord,
    found,
    nothing,
    operated,
)
from stackproof.history.columns import ACTIONS, FAIL, OK, Array, Snapshot, combined

_TICKS = 1e7
"""A second; times since 1970 have a resolution of 2.4e-7 s, so none are thrown together."""
NEVER = np.int64(1 << 61)
"""Later than any time: an operation without an answer may still take effect."""
BEFORE_ALL = np.int64(-1)


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
        codes = [ACTIONS.index(action) for action in actions]
        mask = np.isin(self.action, codes) & np.isin(self.status, status)
        return np.flatnonzero(mask)

    def seconds(self, ticks: Array | int) -> Array | float:
        """Return spans of ticks in seconds."""
        return ticks / _TICKS

    def line(self, place: int, note: str = "", *, context: bool = False) -> WitnessRecord:
        """Return an operation as a line of a counterexample."""
        return operated(self.snapshot, int(self.rows[place]), note, context=context)

    def anomaly(
        self,
        name: str,
        wrong: Array,
        summary: Callable[[int], str],
        example: Callable[[int], Iterable[tuple[int, str]]],
    ) -> Anomaly:
        """Return what was found, or that nothing was.

        Args:
            name: of the anomaly.
            wrong: places of the operations that are wrong.
            summary: in one sentence, given how many there are.
            example: places of operations that show what is wrong with one, each with a note; the
                wrong one itself is among them, the others are context.
        """
        if not len(wrong):
            return nothing(name)

        def examples() -> Iterator[list[WitnessRecord]]:
            for place in wrong[:WITNESS_RECORDS].tolist():
                yield [self.line(p, note, context=p != place) for p, note in example(place)]

        return found(name, "violation", len(wrong), summary(len(wrong)), examples())


class Groups:
    """Rows sorted by group and time, to be asked what was the greatest before a moment.

    Args:
        group: of each row, integers of 0 or more.
        time: of each row, in ticks.
        value: of each row, integers.
    """

    def __init__(self, group: Array, time: Array, value: Array):
        order = np.lexsort((time, group))
        self.order = order
        self._group, self._time = group[order], time[order]
        value = value[order]
        starts = np.flatnonzero(np.r_[True, self._group[1:] != self._group[:-1]])[: len(order)]
        segment = np.zeros(len(order), dtype=np.int64)
        segment[starts[1:]] = 1
        segment = np.cumsum(segment)
        # Within each segment the running maximum: later segments are lifted above earlier ones.
        ranked, rank = np.unique(value, return_inverse=True)
        lifted = np.maximum.accumulate(segment * max(len(ranked), 1) + rank)
        self._greatest = ranked[lifted - segment * max(len(ranked), 1)]
        self._first_with = _first_of_runs(lifted)

    def greatest_before(self, group: Array, time: Array) -> tuple[Array, Array]:
        """For each question, the greatest value of its group whose time is less, and its row.

        Returns:
            The values (`BEFORE_ALL` where there is none) and the rows (-1 there).
        """
        if not len(self.order):
            return np.full(len(group), BEFORE_ALL), np.full(len(group), -1)
        place = search(self._group, self._time, group, time) - 1
        there = (place >= 0) & (self._group[place] == group)
        value = np.where(there, self._greatest[place], BEFORE_ALL)
        return value, np.where(there, self.order[self._first_with[place]], -1)


def _first_of_runs(values: Array) -> Array:
    """For each place of ascending values, the first place that has the same."""
    new = np.r_[True, values[1:] != values[:-1]][: len(values)]
    return np.maximum.accumulate(np.where(new, np.arange(len(values)), 0))


def search(
    group: Array,
    time: Array,
    of_group: Array,
    of_time: Array,
    *,
    side: Literal["left", "right"] = "left",
) -> Array:
    """`numpy.searchsorted` by group and time; both are integers of 0 or more."""
    groups, times = np.r_[group, of_group].astype(np.int64), np.r_[time, of_time]
    high = int(times.max(initial=0))
    if (int(groups.max(initial=0)) + 1) * (high + 1) >= 1 << 62:
        times = np.unique(times, return_inverse=True)[1]
        groups = np.unique(groups, return_inverse=True)[1]
        high = int(times.max(initial=0))
    key = groups * (high + 1) + times
    return np.searchsorted(key[: len(group)], key[len(group) :], side=side)
