"""Members that are there or not: documents, vectors, rows, listings.

Actions on a member, the key: "add" (value: its content), "remove"; "list", one reading of the
whole set (key: anything), and "seen" for each member in it (value: its content; number: the
operation of the listing, from the same client). A member that is added again has a new content.
"""

from functools import cached_property

import numpy as np

from stackproof.history.anomaly import Anomaly, number
from stackproof.history.columns import OK, UNKNOWN, Array, combined, matching
from stackproof.history.looked_for import Check
from stackproof.history.models.expectations import Members
from stackproof.history.models.view import BEFORE_ALL, NEVER, Groups, ModelBooks, repeats


class Books(ModelBooks):
    """The operations on a set."""

    of: Members

    @cached_property
    def adds(self) -> Array:
        """Those that may have taken effect."""
        return self.view.did("add", status=(OK, UNKNOWN))

    @cached_property
    def removes(self) -> Array:
        """Those that may have taken effect."""
        return self.view.did("remove", status=(OK, UNKNOWN))

    @cached_property
    def listings(self) -> Array:
        """Those of the reader that were answered, in the order of their beginnings."""
        lists = self.view.did("list")
        if self.of.reader:
            codes = self.view.snapshot.codes("clients", (self.of.reader,))
            lists = lists[np.isin(self.view.client[lists], codes)]
        return lists[np.argsort(self.view.began[lists], kind="stable")]

    @cached_property
    def _seen(self) -> tuple[Array, Array]:
        """Members in listings that were answered, and for each the place of its listing."""
        place = np.full(len(self.view.snapshot.operations) + 1, -1)
        place[self.view.rows[self.listings]] = self.listings
        seen = self.view.did("seen")
        listing = place[np.clip(self.view.number[seen], -1, len(place) - 1)]
        return seen[listing >= 0], listing[listing >= 0]

    @property
    def seen(self) -> Array:
        """Members in listings that were answered."""
        return self._seen[0]

    @property
    def listing(self) -> Array:
        """For each of `seen` the place of its listing."""
        return self._seen[1]

    @cached_property
    def again(self) -> tuple[Array, Array]:
        """Members that one listing has once more, and for each the place of the one before."""
        place = combined(self.view.key[self.seen], self.listing)
        return repeats(place, self.view.began[self.seen], self.seen)

    @cached_property
    def last(self) -> int:
        """The place of the last listing, or -1."""
        return int(self.listings[-1]) if len(self.listings) else -1

    @cached_property
    def in_last(self) -> Array:
        """For each member whether it is in the last listing."""
        return self.view.marked(self.seen[self.listing == self.last])

    @cached_property
    def added(self) -> Array:
        """For each member whether it was or may have been added."""
        return self.view.marked(self.adds)

    @cached_property
    def removed(self) -> Array:
        """The same of removals."""
        return self.view.marked(self.removes)

    def content(self, places: Array) -> Array:
        """One integer for each member and content."""
        return self.view.with_key(self.view.value[places], places)

    @cached_property
    def adding(self) -> Array:
        """For each of `seen` the last adding of its content, as a place in `adds`, or -1."""
        return matching(self.content(self.seen), self.content(self.adds))


def lost(books: Books) -> Anomaly:
    """Find members that were added, that nobody removed, and that the last listing lacks."""
    view = books.view
    adds = view.did("add")
    adds = adds[view.ended[adds] < view.began[books.last]] if books.last >= 0 else adds[:0]
    wrong = adds[~books.in_last[view.key[adds]] & ~books.removed[view.key[adds]]]
    _, first = np.unique(view.key[wrong], return_index=True)
    wrong = wrong[np.sort(first)]
    return view.anomaly(
        "lost", wrong, f"{number(len(wrong), 'member')} that the last listing lacks.",
        (wrong, "added"), (np.full(len(wrong), books.last), "the last listing"),
    )  # fmt: skip


def unexpected(books: Books) -> Anomaly:
    """Find members that nobody has added."""
    view = books.view
    wrong = books.seen[~books.added[view.key[books.seen]]]
    return view.anomaly(
        "unexpected", wrong,
        f"{number(len(wrong), 'time')} a member was listed that nobody has added.",
        (wrong, "never added"),
    )  # fmt: skip


def twice(books: Books) -> Anomaly:
    """Find members that one listing has more than once."""
    wrong, before = books.again
    return books.view.anomaly(
        "twice", wrong,
        f"{number(len(wrong), 'time')} a member was listed again by the same listing.",
        (before, "listed"), (wrong, "and again"),
    )  # fmt: skip


def corrupted(books: Books) -> Anomaly:
    """Find members with a content that nobody has given them."""
    view, seen = books.view, books.seen
    wrong = seen[books.added[view.key[seen]] & (books.adding < 0)]
    adding = np.zeros(view.keys, dtype=np.int64)
    adding[view.key[books.adds]] = books.adds
    return view.anomaly(
        "corrupted", wrong,
        f"{number(len(wrong), 'time')} a member was listed with another content.",
        (adding[view.key[wrong]], "added"), (wrong, "listed otherwise"),
    )  # fmt: skip


def stale(books: Books) -> Anomaly:
    """Find members that were listed after they had been removed, or with a content of before.

    Sure only where the removal, or the adding of another content, began after the adding of what
    was listed was answered, and was answered before the listing began.
    """
    view = books.view
    # Of all that happened to the member, at least its adding and one thing more.
    times = np.bincount(view.key[np.r_[books.adds, books.removes]], minlength=view.keys)
    known = (books.adding >= 0) & (times[view.key[books.seen]] > 1)
    seen, listing = books.seen[known], books.listing[known]
    # The last adding of the same content tells since when it may be there.
    made = books.adds
    contents = matching(books.content(made), books.content(made))
    asked = Groups(contents, view.began[made], view.ended[made])
    since, row = asked.greatest_before(books.adding[known], view.ended[seen] + 1)
    done = np.r_[view.did("remove"), view.did("add")]
    done = done[view.ended[done] < NEVER]
    later = Groups(view.key[done], view.ended[done], view.began[done])
    began, by = later.greatest_before(view.key[seen], view.began[listing])
    chosen = (row >= 0) & (by >= 0) & (began > np.where(row >= 0, since, BEFORE_ALL))
    wrong = seen[chosen]
    return view.anomaly(
        "stale", wrong,
        f"{number(len(wrong), 'time')} a member was listed as it had been before.",
        (done[by[chosen]], "removed, or replaced"), (wrong, "listed all the same"),
    )  # fmt: skip


def not_visible(books: Books) -> Anomaly:
    """Find members that a listing lacks though their adding had been answered before it began."""
    view = books.view
    adds = view.did("add")
    adds = adds[~books.removed[view.key[adds]]]
    first = np.full(view.keys, -1)
    first[view.key[adds[::-1]]] = adds[::-1]
    adds = first[first >= 0]
    began = view.began[books.listings]
    ought = len(began) - np.searchsorted(began, view.ended[adds], side="right")
    since = np.full(view.keys, NEVER)
    since[view.key[adds]] = view.ended[adds]
    once = np.ones(len(view.rows), dtype=bool)
    once[books.again[0]] = False
    late = once[books.seen] & (view.began[books.listing] > since[view.key[books.seen]])
    times = np.bincount(view.key[books.seen[late]], minlength=view.keys)[view.key[adds]]
    wrong = adds[times < ought]
    return view.anomaly(
        "not-visible", wrong,
        f"{number(len(wrong), 'member')} that a listing lacks which began after the adding was "
        "answered.",
        (wrong, "added"),
    )  # fmt: skip


_REGISTER: tuple[Check[Books, Members], ...] = (
    Check("lost", "added, and not in the last listing", lost, lambda of: of.settled),
    Check("unexpected", "listed, and nobody has added it", unexpected),
    Check("twice", "more than once in one listing", twice),
    Check("corrupted", "listed with a content that nobody gave it", corrupted),
    Check("stale", "listed after it had been removed, or with an earlier content", stale,
          lambda of: of.visible == "at once"),
    Check("not-visible", "not in a listing that began after the adding was answered",
          not_visible, lambda of: of.visible == "at once"),
)  # fmt: skip
CHECKS = {check.name: check for check in _REGISTER}


def until_visible(books: Books) -> Array:
    """Seconds from each adding's answer to the end of the first listing that has the member."""
    view = books.view
    first = np.full(books.view.keys, NEVER)
    np.minimum.at(first, view.key[books.seen], view.ended[books.listing])
    adds = view.did("add")
    came = adds[first[view.key[adds]] < NEVER]
    return np.maximum(view.seconds(first[view.key[came]] - view.ended[came]), 0.0)


def told(books: Books) -> tuple[list[str], str]:
    """Return lines about the operations, and why nothing was proved."""
    lines = [
        f'  on "{books.of.space}": {number(len(books.adds), "adding")}, '
        f"{number(len(books.removes), 'removal')}, {number(len(books.listings), 'listing')}"
        + (f" by {books.of.reader}" if books.of.reader else ""),
    ]
    if len(spans := until_visible(books)):
        lines.append(f"  visible after {spans.max():.3f} s at worst")
    if not len(books.adds):
        return lines, "nothing was added"
    return lines, "" if len(books.listings) else "the set was never listed"
