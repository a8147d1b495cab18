"""Keys that hold one value each: caches, rows, objects, nodes, sessions.

Actions: "write" (of no value: a deletion; number: milliseconds to live, 0 for ever), "read",
"compare-and-set", and "expire" (number: milliseconds to live from now on). Values of one key are
unique: then each reading tells which write it saw, and linearizability is decided by the zones of
Gibbons and Korach ("Testing shared memories", SIAM J. Comput. 26, 1997), completely and in linear
time after sorting. Where compare-and-sets are in play, a search decides (`search`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stackproof.history.anomaly import Anomaly, number
from stackproof.history.columns import ACTIONS, FAIL, OK, UNKNOWN, Array, Snapshot
from stackproof.history.digests import digest_of
from stackproof.history.models.expectations import Registers
from stackproof.history.models.search import linearizable
from stackproof.history.models.view import BEFORE_ALL, NEVER, TICKS_A_MS, Groups, View, firsts

_WRITE = ACTIONS.index("write")
_ABSENT = np.uint64(digest_of(None))
SEARCH_STEPS = 200_000
"""So many steps a search takes for one key before it gives up."""


@dataclass(frozen=True)
class Books:
    """The operations of an expectation, each reading with the write that it saw."""

    view: View

    @cached_property
    def writes(self) -> Array:
        """Writes and compare-and-sets that have or may have taken effect."""
        return self.view.did("write", "compare-and-set", status=(OK, UNKNOWN))

    @cached_property
    def reads(self) -> Array:
        """Readings that were answered."""
        return self.view.did("read")

    @cached_property
    def content(self) -> Array:
        """One integer for each key and value."""
        return self.view.with_key(self.view.value)

    @cached_property
    def by_content(self) -> Array:
        """All operations, those of one key and value beside each other."""
        return np.argsort(self.content)

    def _seen(self, writes: Array) -> Array:
        """For each reading the place of the write of its value, -1 where nobody wrote it."""
        order = self.by_content
        if not len(order):
            return np.full(0, -1)
        of_write = np.full(len(order), -1)
        of_write[writes] = writes
        starts = firsts(self.content[order])
        write = np.maximum.reduceat(of_write[order], starts)
        sizes = np.diff(np.r_[starts, len(order)])
        of_all = np.empty(len(order), dtype=np.int64)
        of_all[order] = np.repeat(write, sizes)
        return of_all[self.reads]

    @cached_property
    def deletions(self) -> Array:
        """Writes of no value: unlike other values, that one may be written several times."""
        return self.writes[self.view.value[self.writes] == _ABSENT]

    @cached_property
    def deleted(self) -> Array:
        """For each operation, whether anybody deleted its key at some time."""
        keys = np.zeros(int(self.view.key.max(initial=0)) + 1, dtype=bool)
        keys[self.view.key[self.deletions]] = True
        return keys[self.view.key]

    @cached_property
    def source(self) -> Array:
        """For each reading, the place of the write that it saw, or -1.

        Where it found nothing, the last one of the deletions that it may have seen.
        """
        view, seen = self.view, self._seen(self.writes)
        absent = np.flatnonzero(view.value[self.reads] == _ABSENT)
        rows, made = self.reads[absent], self.deletions
        asked = Groups(view.key[made], view.began[made], view.ended[made])
        _, row = asked.greatest_before(view.key[rows], view.ended[rows] + 1)
        seen[absent] = np.where(row >= 0, made[row], -1) if len(made) else -1
        return seen

    @cached_property
    def source_of_failed(self) -> Array:
        """For each reading, the place of a failed write of that value, or -1."""
        return self._seen(self.view.did("write", "compare-and-set", status=(FAIL,)))

    @cached_property
    def initial(self) -> Array:
        """Whether each reading found nothing, and nobody had to delete it for that."""
        return (self.source < 0) & (self.view.value[self.reads] == _ABSENT)

    def replaced(self, kind: Array) -> tuple[Array, Array]:
        """Which readings saw a value that a later write had certainly replaced before.

        Args:
            kind: places of the writes that may have replaced it.

        Returns:
            For each reading whether it did, and the place of the write that replaced the value.
        """
        view = self.view
        done = kind[(view.ended[kind] < NEVER) & (view.status[kind] == OK)]
        asked = Groups(view.key[done], view.ended[done], view.began[done])
        began, row = asked.greatest_before(view.key[self.reads], view.began[self.reads])
        seen = np.where(self.source >= 0, view.ended[self.source], BEFORE_ALL)
        # A value that nobody wrote was there before all others.
        certain = ((self.source >= 0) | self.initial) & ~self.mortal[self.reads]
        by = done[row] if len(done) else row
        return certain & (row >= 0) & (began > seen), by

    @cached_property
    def mortal(self) -> Array:
        """For each operation, whether values of its key have ever had a time to live."""
        view = self.view
        given = view.did("write", "compare-and-set", "expire", status=(OK, UNKNOWN))
        keys = np.zeros(int(view.key.max(initial=0)) + 1, dtype=bool)
        keys[view.key[given[view.number[given] > 0]]] = True
        return keys[view.key]

    @cached_property
    def lives(self) -> tuple[Array, Array]:
        """Readings of keys whose values have times to live, and what gave the value its own.

        Only those of which it is sure: nothing else was set at that time, nor since then.
        """
        view, reads = self.view, self.reads[self.mortal[self.reads]]
        sets = view.did("write", "compare-and-set", "expire", status=(OK, UNKNOWN))
        done = sets[view.ended[sets] < NEVER]
        if not len(done):
            return reads[:0], reads[:0]
        key, began = view.key, view.began
        asked = Groups(key[done], view.ended[done], began[done])
        since, row = asked.greatest_before(key[reads], began[reads])
        latest, _ = Groups(key[sets], began[sets], began[sets]).greatest_before(
            key[reads], view.ended[reads]
        )
        before, _ = Groups(key[sets], began[sets], view.ended[sets]).greatest_before(
            key[reads], since
        )
        by = done[row]
        removed = (view.action[by] == _WRITE) & (view.value[by] == _ABSENT)
        sure = (row >= 0) & (latest == since) & (before <= since) & ~removed
        return reads[sure], by[sure]

    @cached_property
    def searched(self) -> dict[int, tuple[int, bool | None]]:
        """Of each key with compare-and-sets or deletions: an operation, and what a search found."""
        view = self.view
        swaps = view.did("compare-and-set", status=(OK, FAIL, UNKNOWN))
        asked = np.r_[swaps, self.deletions]
        keys = np.unique(view.key[asked[~self.mortal[asked]]])
        order = np.argsort(view.key, kind="stable")
        found = {}
        for key in keys.tolist():
            left, right = np.searchsorted(view.key[order], [key, key + 1])
            places = order[left:right]
            found[key] = int(places[0]), linearizable(view, places, steps=SEARCH_STEPS)
        return found

    @property
    def undecided(self) -> list[str]:
        """Keys with compare-and-sets for which the search was given up."""
        view = self.view
        swapped = set(view.key[view.did("compare-and-set", status=(OK, UNKNOWN))].tolist())
        return [
            view.line(place).ident
            for key, (place, fits) in self.searched.items() if fits is None and key in swapped
        ]  # fmt: skip


def never_written(books: Books, of: Registers) -> Anomaly:
    """Find readings of values that nobody has written."""
    wrong = books.reads[(books.source < 0) & ~books.initial & (books.source_of_failed < 0)]
    return books.view.anomaly(
        "never-written", wrong,
        lambda count: f"{number(count, 'reading')} of a value that nobody has written.",
        lambda place: _of_key(books, place, "nobody wrote this"),
    )  # fmt: skip


def failed_write_read(books: Books, of: Registers) -> Anomaly:
    """Find readings of values whose write was certainly refused."""
    chosen = (books.source < 0) & ~books.initial & (books.source_of_failed >= 0)
    write = dict(zip(books.reads[chosen].tolist(), books.source_of_failed[chosen].tolist(),
                     strict=True))  # fmt: skip
    return books.view.anomaly(
        "failed-write-read", books.reads[chosen],
        lambda count: f"{number(count, 'reading')} of a value whose write was refused.",
        lambda place: [(write[place], "refused"), (place, "and read")],
    )  # fmt: skip


def read_too_early(books: Books, of: Registers) -> Anomaly:
    """Find readings that were answered before the write of their value began."""
    view = books.view
    chosen = (books.source >= 0) & (view.ended[books.reads] < view.began[books.source])
    write = dict(zip(books.reads[chosen].tolist(), books.source[chosen].tolist(), strict=True))
    return view.anomaly(
        "read-too-early", books.reads[chosen],
        lambda count: f"{number(count, 'reading')} of a value before its write began.",
        lambda place: [(place, "answered before"), (write[place], "this began")],
    )  # fmt: skip


def stale_read(books: Books, of: Registers) -> Anomaly:
    """Find readings of values that had been replaced before the reading began."""
    writes = books.view.did("write", "compare-and-set")
    return _replaced(
        books, "stale-read", writes[books.view.value[writes] != _ABSENT],
        "of a value that had been replaced before", "replaced by then", books.source >= 0,
    )  # fmt: skip


def lost(books: Books, of: Registers) -> Anomaly:
    """Find readings that found nothing though a value had been written and nobody deleted it."""
    writes = books.view.did("write", "compare-and-set")
    return _replaced(
        books, "lost", writes[books.view.value[writes] != _ABSENT],
        "that found nothing though a value had been written before", "written by then",
        books.initial,
    )  # fmt: skip


def resurrected(books: Books, of: Registers) -> Anomaly:
    """Find readings of values that had been deleted before the reading began."""
    writes = books.view.did("write")
    return _replaced(
        books, "resurrected", writes[books.view.value[writes] == _ABSENT],
        "of a value that had been deleted before", "deleted by then", books.source >= 0,
    )  # fmt: skip


def expired_early(books: Books, of: Registers) -> Anomaly:
    """Find readings that found nothing though the value's time to live was not over."""
    view, (reads, by) = books.view, books.lives
    life = view.number[by] * TICKS_A_MS
    early = (life == 0) | (view.ended[reads] < view.began[by] + life)
    return _of_life(
        books, "expired-early", (view.value[reads] == _ABSENT) & early, "gone too early"
    )


def outlived(books: Books, of: Registers) -> Anomaly:
    """Find readings of values whose time to live was over."""
    view, (reads, by) = books.view, books.lives
    life = view.number[by] * TICKS_A_MS
    over = view.began[reads] > view.ended[by] + life + of.late_ms * TICKS_A_MS
    return _of_life(books, "outlived", (view.value[reads] != _ABSENT) & (life > 0) & over,
                    "still there")  # fmt: skip


def _of_life(books: Books, name: str, wrong: Array, note: str) -> Anomaly:
    view, (reads, by) = books.view, books.lives
    given = dict(zip(reads.tolist(), by.tolist(), strict=True))

    def example(place: int) -> list[tuple[int, str]]:
        life = int(view.number[given[place]])
        since = float(view.seconds(view.ended[place] - view.began[given[place]]))
        told = f"for {life / 1000:g} s" if life else "for ever"
        return [(given[place], f"set {told}"), (place, f"{note}, {since:.3f} s later")]

    return view.anomaly(
        name, reads[wrong],
        lambda count: f"{number(count, 'reading')}: {note} by the value's time to live.", example,
    )  # fmt: skip


def _replaced(books: Books, name: str, kind: Array, what: str, note: str, among: Array) -> Anomaly:
    view = books.view
    chosen, by = books.replaced(kind)
    chosen &= among
    rows = books.reads[chosen]
    write = dict(zip(rows.tolist(), by[chosen].tolist(), strict=True))
    source = dict(zip(rows.tolist(), books.source[chosen].tolist(), strict=True))
    age = view.began[rows] - view.ended[by[chosen]]
    worst = float(view.seconds(age.max())) if len(age) else 0.0

    def example(place: int) -> Iterator[tuple[int, str]]:
        if source[place] >= 0:
            yield source[place], "the value that was read"
        yield write[place], note
        yield place, "read all the same"

    return view.anomaly(
        name, rows,
        lambda count: f"{number(count, 'reading')} {what}, up to {worst * 1000:,.1f} ms before.",
        example,
    )  # fmt: skip


def lost_update(books: Books, of: Registers) -> Anomaly:
    """Find two compare-and-sets that both replaced the same value: the first one is lost."""
    view = books.view
    done = view.did("compare-and-set")
    done = done[~(books.deleted[done] & (view.expected[done] == _ABSENT))]
    replaced = view.with_key(view.expected[done], done)
    order = np.lexsort((view.began[done], replaced))
    again = np.flatnonzero(replaced[order][1:] == replaced[order][:-1]) + 1
    first = dict(zip(done[order[again]].tolist(), done[order[again - 1]].tolist(), strict=True))
    return view.anomaly(
        "lost-update", done[order[again]],
        lambda count: f"{number(count, 'compare-and-set')} of a value that another one had "
                      "already replaced.",
        lambda place: [(first[place], "replaced it"), (place, "replaced the same value")],
    )  # fmt: skip


def not_linearizable(books: Books, of: Registers) -> Anomaly:
    """Find values whose writing and readings cannot be put into one order.

    A value's zone reaches from the first end to the last beginning of its write and readings.
    Where the first end comes first, the value must have been there throughout (a forward zone);
    no two of these may overlap, and no other zone may lie within one.
    """
    view = books.view
    seen = np.zeros(len(view.rows), dtype=bool)
    seen[books.source[books.source >= 0]] = True
    # What is wrong with one reading alone is told as such; a write that nobody has answered and
    # nobody saw need not have happened.
    writes = books.writes[(view.status[books.writes] == OK) | seen[books.writes]]
    counts = np.zeros(len(view.rows), dtype=bool)
    counts[writes] = True
    counts[books.reads] = (books.source >= 0) | books.initial
    counts &= ~books.mortal
    if books.searched:
        counts &= ~np.isin(view.key, list(books.searched))
    wrong = [place for place, fits in books.searched.values() if fits is False]
    places = books.by_content[counts[books.by_content]]
    starts = firsts(books.content[places])
    if len(starts):
        low = np.minimum.reduceat(view.ended[places], starts)
        high = np.maximum.reduceat(view.began[places], starts)
        written = view.action[places] == _WRITE
        low[~np.logical_or.reduceat(written, starts)] = BEFORE_ALL  # it was there before
        first = places[starts]
        wrong += first[_overlapping(view.key[first], low, high)].tolist()
    return view.anomaly(
        "not-linearizable", np.array(sorted(wrong), dtype=np.int64),
        lambda count: f"{number(count, 'value')} whose writing and readings fit into no order "
                      "of single moments.",
        lambda place: _of_key(books, place, "no order has a place for this value"),
    )  # fmt: skip


def _overlapping(key: Array, low: Array, high: Array) -> Array:
    """Which zones overlap a forward one as they must not; a forward zone has low < high."""
    forward = np.flatnonzero(low < high)
    wrong = np.zeros(len(key), dtype=bool)
    if not len(forward):
        return wrong
    asked = Groups(key[forward], low[forward], high[forward])
    # A zone that begins within another one of its key: forward ones must not, others must not
    # end within it as well.
    start = np.minimum(low, high)
    reach, _ = asked.greatest_before(key, start)
    end = np.maximum(low, high)
    is_forward = low < high
    wrong |= is_forward & (reach > start)
    wrong |= ~is_forward & (reach > end)
    # Two forward zones that begin at one moment overlap as well.
    order = np.lexsort((low[forward], key[forward]))
    same = (np.diff(key[forward][order]) == 0) & (np.diff(low[forward][order]) == 0)
    wrong[forward[order[1:]][same]] = True
    return wrong


def _of_key(books: Books, place: int, note: str) -> list[tuple[int, str]]:
    """An operation among those of its key around it."""
    view = books.view
    same = np.flatnonzero(view.key == view.key[place])
    at = int(np.searchsorted(same, place))
    return [(p, note if p == place else "") for p in same[max(0, at - 3) : at + 4].tolist()]


def _strict(of: Registers) -> bool:
    return of.consistency == "linearizable"


def _current(of: Registers) -> bool:
    return of.consistency != "eventual"


CHECKS = {
    "never-written": (never_written, lambda of: True),
    "failed-write-read": (failed_write_read, lambda of: True),
    "read-too-early": (read_too_early, lambda of: True),
    "lost": (lost, _current),
    "stale-read": (stale_read, _current),
    "resurrected": (resurrected, _current),
    "expired-early": (expired_early, _current),
    "outlived": (outlived, _current),
    "lost-update": (lost_update, lambda of: True),
    "not-linearizable": (not_linearizable, _strict),
}


def books_of(snapshot: Snapshot, of: Registers) -> Books:
    """Return the operations that the expectation is about."""
    return Books(View.of(snapshot, (of.space,)))


def told(books: Books, of: Registers) -> tuple[int, list[str], str]:
    """Return how many operations there were, lines about them, and why nothing was proved."""
    view = books.view
    lines = [
        f'  on "{of.space}": {number(len(view.rows), "operation")} '
        f"on {number(len(np.unique(view.key)), 'key')}",
        f"  {number(len(books.writes), 'write')}, {number(len(books.reads), 'reading')}",
    ]
    if not len(books.writes) or not len(books.reads):
        return len(view.rows), lines, "nothing was written and read that could be checked"
    left = books.undecided if _strict(of) else []
    unproved = f"the search for an order was given up for {', '.join(left[:3])}" if left else ""
    return len(view.rows), lines, unproved
