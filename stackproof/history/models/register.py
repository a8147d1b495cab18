"""Keys that hold one value each: caches, rows, objects, nodes, sessions.

Actions: "write" (of no value: a deletion; number: milliseconds to live, 0 for ever), "read",
"compare-and-set", and "expire" (number: milliseconds to live from now on). Values of one key are
unique: then each reading tells which write it saw, and linearizability is decided by the zones of
Gibbons and Korach ("Testing shared memories", SIAM J. Comput. 26, 1997), completely and in linear
time after sorting. Where compare-and-sets are in play, a search decides (`search`).
"""

from functools import cached_property

import numpy as np

from stackproof.history.anomaly import Anomaly, number
from stackproof.history.columns import ACTIONS, FAIL, OK, UNKNOWN, Array, matching
from stackproof.history.digests import digest_of
from stackproof.history.looked_for import Check
from stackproof.history.models.expectations import Registers
from stackproof.history.models.search import linearizable
from stackproof.history.models.view import (
    BEFORE_ALL,
    NEVER,
    TICKS_A_MS,
    Groups,
    ModelBooks,
    by_group_and_time,
    repeats,
)

_WRITE = ACTIONS.index("write")
_ABSENT = np.uint64(digest_of(None))
SEARCH_STEPS = 200_000
"""So many steps a search takes for one key before it gives up."""


class Books(ModelBooks):
    """Each reading with the write that it saw."""

    of: Registers

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

    @property
    def repeated(self) -> bool:
        """Whether a key was given one value twice: which write a reading saw is unknown then."""
        content = self.content[self.writes[self.view.value[self.writes] != _ABSENT]]
        return len(np.unique(content)) < len(content)

    def _seen(self, writes: Array) -> Array:
        """For each reading the place of the write of its value, -1 where nobody wrote it."""
        place = matching(self.content[self.reads], self.content[writes])
        return np.append(writes, -1)[place]

    @cached_property
    def deletions(self) -> Array:
        """Writes of no value: unlike other values, that one may be written several times."""
        return self.writes[self.view.value[self.writes] == _ABSENT]

    @cached_property
    def deleted(self) -> Array:
        """For each operation, whether anybody deleted its key at some time."""
        return self.view.marked(self.deletions)[self.view.key]

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

    @cached_property
    def replaced(self) -> tuple[Array, Array]:
        """Which readings saw what a later value had certainly replaced before, and by which write.

        For each reading whether it did, and the place of that write.
        """
        writes = self.view.did("write", "compare-and-set")
        return self._replaced(writes[self.view.value[writes] != _ABSENT])

    @cached_property
    def removed(self) -> tuple[Array, Array]:
        """The same of deletions."""
        writes = self.view.did("write")
        return self._replaced(writes[self.view.value[writes] == _ABSENT])

    def _replaced(self, kind: Array) -> tuple[Array, Array]:
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
        return view.marked(given[view.number[given] > 0])[view.key]

    @cached_property
    def lives(self) -> tuple[Array, Array]:
        """Readings of keys whose values have times to live, and what gave the value its own.

        Only those of which it is sure: nothing else was set at that time, nor since then.
        """
        view, reads = self.view, self.reads[self.mortal[self.reads]]
        sets = view.did("write", "compare-and-set", "expire", status=(OK, UNKNOWN))
        sets = sets[self.mortal[sets]]
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
        order = by_group_and_time(view.key, np.arange(len(view.key))) if len(keys) else keys
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


def never_written(books: Books) -> Anomaly:
    """Find readings of values that nobody has written."""
    wrong = books.reads[(books.source < 0) & ~books.initial & (books.source_of_failed < 0)]
    return books.view.anomaly_among(
        "never-written", wrong,
        f"{number(len(wrong), 'reading')} of a value that nobody has written.",
        lambda n: _of_key(books, int(wrong[n]), "nobody wrote this"),
    )  # fmt: skip


def failed_write_read(books: Books) -> Anomaly:
    """Find readings of values whose write was certainly refused."""
    chosen = (books.source < 0) & ~books.initial & (books.source_of_failed >= 0)
    wrong = books.reads[chosen]
    return books.view.anomaly(
        "failed-write-read", wrong,
        f"{number(len(wrong), 'reading')} of a value whose write was refused.",
        (books.source_of_failed[chosen], "refused"), (wrong, "and read"),
    )  # fmt: skip


def read_too_early(books: Books) -> Anomaly:
    """Find readings that were answered before the write of their value began."""
    view = books.view
    chosen = (books.source >= 0) & (view.ended[books.reads] < view.began[books.source])
    wrong = books.reads[chosen]
    return view.anomaly(
        "read-too-early", wrong,
        f"{number(len(wrong), 'reading')} of a value before its write began.",
        (wrong, "answered before"), (books.source[chosen], "this began"),
    )  # fmt: skip


def stale_read(books: Books) -> Anomaly:
    """Find readings of values that had been replaced before the reading began."""
    return _replaced(
        books, "stale-read", books.replaced, books.source >= 0,
        "of a value that had been replaced before", "replaced by then",
    )  # fmt: skip


def lost(books: Books) -> Anomaly:
    """Find readings that found nothing though a value had been written and nobody deleted it."""
    return _replaced(
        books, "lost", books.replaced, books.initial,
        "that found nothing though a value had been written before", "written by then",
    )  # fmt: skip


def resurrected(books: Books) -> Anomaly:
    """Find readings of values that had been deleted before the reading began."""
    return _replaced(
        books, "resurrected", books.removed, books.source >= 0,
        "of a value that had been deleted before", "deleted by then",
    )  # fmt: skip


def _replaced(
    books: Books, name: str, replaced: tuple[Array, Array], among: Array, what: str, note: str
) -> Anomaly:
    view, (chosen, by) = books.view, replaced
    chosen = chosen & among
    rows, by = books.reads[chosen], by[chosen]
    age = view.began[rows] - view.ended[by]
    worst = float(view.seconds(age.max())) if len(age) else 0.0
    return view.anomaly(
        name, rows,
        f"{number(len(rows), 'reading')} {what}, up to {worst * 1000:,.1f} ms before.",
        (books.source[chosen], "the value that was read"), (by, note), (rows, "read all the same"),
    )  # fmt: skip


def expired_early(books: Books) -> Anomaly:
    """Find readings that found nothing though the value's time to live was not over."""
    view, (reads, by) = books.view, books.lives
    life = view.number[by] * TICKS_A_MS
    early = (life == 0) | (view.ended[reads] < view.began[by] + life)
    return _of_life(
        books, "expired-early", (view.value[reads] == _ABSENT) & early, "gone too early"
    )


def outlived(books: Books) -> Anomaly:
    """Find readings of values whose time to live was over."""
    view, (reads, by) = books.view, books.lives
    life = view.number[by] * TICKS_A_MS
    over = view.began[reads] > view.ended[by] + life + books.of.late_ms * TICKS_A_MS
    return _of_life(books, "outlived", (view.value[reads] != _ABSENT) & (life > 0) & over,
                    "still there")  # fmt: skip


def _of_life(books: Books, name: str, wrong: Array, note: str) -> Anomaly:
    view, (reads, by) = books.view, books.lives
    reads, by = reads[wrong], by[wrong]

    def given(n: int) -> str:
        life = int(view.number[by[n]])
        return f"set for {life / 1000:g} s" if life else "set for ever"

    def seen(n: int) -> str:
        since = float(view.seconds(view.ended[reads[n]] - view.began[by[n]]))
        return f"{note}, {since:.3f} s later"

    return view.anomaly(
        name, reads, f"{number(len(reads), 'reading')}: {note} by the value's time to live.",
        (by, given), (reads, seen),
    )  # fmt: skip


def lost_update(books: Books) -> Anomaly:
    """Find two compare-and-sets that both replaced the same value: the first one is lost."""
    view = books.view
    done = view.did("compare-and-set")
    done = done[~(books.deleted[done] & (view.expected[done] == _ABSENT))]
    replaced = view.with_key(view.expected[done], done)
    wrong, first = repeats(replaced, view.began[done], done)
    return view.anomaly(
        "lost-update", wrong,
        f"{number(len(wrong), 'compare-and-set')} of a value that another one had already "
        "replaced.",
        (first, "replaced it"), (wrong, "replaced the same value"),
    )  # fmt: skip


def not_linearizable(books: Books) -> Anomaly:
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
    low, high = view.ended.copy(), view.began.copy()
    reads = counts[books.reads] & (books.source >= 0)
    np.minimum.at(low, books.source[reads], view.ended[books.reads[reads]])
    np.maximum.at(high, books.source[reads], view.began[books.reads[reads]])
    # What was there before everything has a zone as well, that of the last reading of it.
    initial = books.reads[counts[books.reads] & books.initial]
    initial = initial[np.argsort(view.began[initial])]
    last = np.full(view.keys, -1)
    last[view.key[initial]] = initial
    initial = last[last >= 0]
    low[initial] = BEFORE_ALL
    zones = np.r_[writes[counts[writes]], initial]
    wrong += zones[_overlapping(view.key[zones], low[zones], high[zones])].tolist()
    places = np.array(sorted(wrong), dtype=np.int64)
    return view.anomaly_among(
        "not-linearizable", places,
        f"{number(len(places), 'value')} whose writing and readings fit into no order of single "
        "moments.",
        lambda n: _of_key(books, int(places[n]), "no order has a place for this value"),
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
    order = by_group_and_time(key[forward], low[forward])
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


_REGISTER: tuple[Check[Books, Registers], ...] = (
    Check("never-written", "a value was read that nobody has written", never_written),
    Check("failed-write-read", "a value was read whose write was refused", failed_write_read),
    Check("read-too-early", "a value was read before its write began", read_too_early),
    Check("lost", "nothing was read, though a value had been written before and nobody deleted it",
          lost, _current),
    Check("stale-read", "a value was read that had been replaced before the reading began",
          stale_read, _current),
    Check("resurrected", "a value was read that had been deleted before the reading began",
          resurrected, _current),
    Check("expired-early", "nothing was read before the value's time to live was over",
          expired_early, _current),
    Check("outlived", "a value was read after its time to live was over", outlived, _current),
    Check("lost-update", "two compare-and-sets have both replaced the same value", lost_update),
    Check("not-linearizable",
          "no order of single moments explains what was written and read", not_linearizable,
          _strict),
)  # fmt: skip
CHECKS = {check.name: check for check in _REGISTER}


def told(books: Books) -> tuple[list[str], str]:
    """Return lines about the operations, and why nothing was proved."""
    view, of = books.view, books.of
    keys = int(np.count_nonzero(view.marked(np.arange(len(view.rows)))))
    lines = [
        f'  on "{of.space}": {number(len(view.rows), "operation")} on {number(keys, "key")}',
        f"  {number(len(books.writes), 'write')}, {number(len(books.reads), 'reading')}",
    ]
    if not len(books.writes) or not len(books.reads):
        return lines, "nothing was written and read that could be checked"
    left = books.undecided if _strict(of) else []
    return lines, f"the search for an order was given up for {', '.join(left[:3])}" if left else ""
