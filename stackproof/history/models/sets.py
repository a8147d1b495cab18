"""Members that are there or not: documents, vectors, rows, listings.

Actions on a member, the key: "add" (value: its content), "remove"; "list", one reading of the
whole set (key: anything), and "seen" for each member in it (value: its content; number: the
operation of the listing, from the same client). A member that is added again has a new content.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stackproof.history.anomaly import Anomaly, number
from stackproof.history.columns import OK, UNKNOWN, Array, Snapshot, among, combined
from stackproof.history.models.expectations import Members
from stackproof.history.models.view import BEFORE_ALL, NEVER, Groups, View


@dataclass(frozen=True)
class Books:
    """The operations on a set."""

    view: View

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
        """Those that were answered, in the order of their beginnings."""
        lists = self.view.did("list")
        return lists[np.argsort(self.view.began[lists], kind="stable")]

    @cached_property
    def seen(self) -> Array:
        """Members in listings that were answered."""
        seen = self.view.did("seen")
        return seen[self.listing_of[seen] >= 0]

    @cached_property
    def listing_of(self) -> Array:
        """For each operation the place of the listing that its number names, or -1."""
        place = np.full(len(self.view.snapshot.operations) + 1, -1)
        place[self.view.rows[self.listings]] = self.listings
        number_ = np.clip(self.view.number, -1, len(place) - 1)
        return place[number_]

    @cached_property
    def keys(self) -> int:
        """How many numbers of members there may be."""
        return int(self.view.key.max(initial=-1)) + 1

    @cached_property
    def last(self) -> int:
        """The place of the last listing, or -1."""
        return int(self.listings[-1]) if len(self.listings) else -1

    @cached_property
    def in_last(self) -> Array:
        """For each member whether it is in the last listing."""
        mask = np.zeros(self.keys, dtype=bool)
        mask[self.view.key[self.seen[self.listing_of[self.seen] == self.last]]] = True
        return mask

    @cached_property
    def content(self) -> Array:
        """One integer for each member and content."""
        return self.view.with_key(self.view.value)


def lost(books: Books, of: Members) -> Anomaly:
    """Find members that were added, that nobody removed, and that the last listing lacks."""
    view = books.view
    adds = view.did("add")
    adds = adds[view.ended[adds] < view.began[books.last]] if books.last >= 0 else adds[:0]
    removed = np.zeros(books.keys, dtype=bool)
    removed[view.key[books.removes]] = True
    wrong = adds[~books.in_last[view.key[adds]] & ~removed[view.key[adds]]]
    _, first = np.unique(view.key[wrong], return_index=True)
    return view.anomaly(
        "lost", wrong[np.sort(first)],
        lambda count: f"{number(count, 'member')} that the last listing lacks.",
        lambda place: [(place, "added"), (books.last, "the last listing")],
    )  # fmt: skip


def unexpected(books: Books, of: Members) -> Anomaly:
    """Find members that nobody has added."""
    view = books.view
    added = np.zeros(books.keys, dtype=bool)
    added[view.key[books.adds]] = True
    wrong = books.seen[~added[view.key[books.seen]]]
    return view.anomaly(
        "unexpected", wrong,
        lambda count: f"{number(count, 'time')} a member was listed that nobody has added.",
        lambda place: [(place, "never added")],
    )  # fmt: skip


def twice(books: Books, of: Members) -> Anomaly:
    """Find members that one listing has more than once."""
    view, seen = books.view, books.seen
    place = combined(view.key[seen], books.listing_of[seen])
    order = np.argsort(place, kind="stable")
    again = np.flatnonzero(np.diff(place[order]) == 0) + 1
    first = dict(zip(seen[order[again]].tolist(), seen[order[again - 1]].tolist(), strict=True))
    return view.anomaly(
        "twice", seen[order[again]],
        lambda count: f"{number(count, 'time')} a member was listed again by the same listing.",
        lambda place: [(first[place], "listed"), (place, "and again")],
    )  # fmt: skip


def corrupted(books: Books, of: Members) -> Anomaly:
    """Find members with a content that nobody has given them."""
    view = books.view
    added = np.zeros(books.keys, dtype=bool)
    added[view.key[books.adds]] = True
    seen = books.seen
    wrong = seen[added[view.key[seen]] & ~among(books.content[seen], books.content[books.adds])]
    adding = np.zeros(books.keys, dtype=np.int64)
    adding[view.key[books.adds]] = books.adds
    return view.anomaly(
        "corrupted", wrong,
        lambda count: f"{number(count, 'time')} a member was listed with another content.",
        lambda place: [(int(adding[view.key[place]]), "added"), (place, "listed otherwise")],
    )  # fmt: skip


def stale(books: Books, of: Members) -> Anomaly:
    """Find members that were listed after they had been removed, or with a content of before.

    Sure only where the removal, or the adding of another content, began after the adding of what
    was listed was answered, and was answered before the listing began.
    """
    view, seen = books.view, books.seen
    # The last adding of the same content tells since when it may be there.
    made = books.adds
    contents = np.unique(books.content[np.r_[made, seen]], return_inverse=True)[1]
    asked = Groups(contents[: len(made)], view.began[made], view.ended[made])
    since, row = asked.greatest_before(contents[len(made) :], view.ended[seen] + 1)
    done = np.r_[view.did("remove"), view.did("add")]
    done = done[view.ended[done] < NEVER]
    later = Groups(view.key[done], view.ended[done], view.began[done])
    listing = books.listing_of[seen]
    began, by = later.greatest_before(view.key[seen], view.began[listing])
    wrong = (row >= 0) & (by >= 0) & (began > np.where(row >= 0, since, BEFORE_ALL))
    replaced = dict(zip(seen[wrong].tolist(), done[by[wrong]].tolist(), strict=True))
    return view.anomaly(
        "stale", seen[wrong],
        lambda count: f"{number(count, 'time')} a member was listed as it had been before.",
        lambda place: [(replaced[place], "removed, or replaced"), (place, "listed all the same")],
    )  # fmt: skip


def not_visible(books: Books, of: Members) -> Anomaly:
    """Find members that a listing lacks though their adding had been answered before it began."""
    view = books.view
    adds = view.did("add")
    removed = np.zeros(books.keys, dtype=bool)
    removed[view.key[books.removes]] = True
    adds = adds[~removed[view.key[adds]]]
    _, first = np.unique(view.key[adds], return_index=True)
    adds = adds[first]
    began = view.began[books.listings]
    ought = len(began) - np.searchsorted(began, view.ended[adds], side="right")
    since = np.full(books.keys, NEVER)
    since[view.key[adds]] = view.ended[adds]
    late = books.seen[view.began[books.listing_of[books.seen]] > since[view.key[books.seen]]]
    place = np.unique(combined(view.key[late], books.listing_of[late]), return_index=True)[1]
    times = np.bincount(view.key[late[place]], minlength=books.keys)[view.key[adds]]
    wrong = adds[times < ought]
    return view.anomaly(
        "not-visible", wrong,
        lambda count: f"{number(count, 'member')} that a listing lacks which began after the "
                      "adding was answered.",
        lambda place: [(place, "added")],
    )  # fmt: skip


CHECKS = {
    "lost": (lost, lambda of: of.settled),
    "unexpected": (unexpected, lambda of: True),
    "twice": (twice, lambda of: True),
    "corrupted": (corrupted, lambda of: True),
    "stale": (stale, lambda of: of.visible == "at once"),
    "not-visible": (not_visible, lambda of: of.visible == "at once"),
}


def until_visible(books: Books) -> list[float]:
    """Seconds from each adding's answer to the end of the first listing that has the member."""
    view = books.view
    first = np.full(books.keys, NEVER)
    np.minimum.at(first, view.key[books.seen], view.ended[books.listing_of[books.seen]])
    adds = view.did("add")
    came = adds[first[view.key[adds]] < NEVER]
    return list(np.maximum(view.seconds(first[view.key[came]] - view.ended[came]), 0.0))


def books_of(snapshot: Snapshot, of: Members) -> Books:
    """Return the operations that the expectation is about."""
    return Books(View.of(snapshot, (of.space,)))


def told(books: Books, of: Members) -> tuple[int, list[str], str]:
    """Return how many operations there were, lines about them, and why nothing was proved."""
    lines = [
        f'  on "{of.space}": {number(len(books.adds), "adding")}, '
        f"{number(len(books.removes), 'removal')}, {number(len(books.listings), 'listing')}",
    ]
    if spans := until_visible(books):
        lines.append(f"  visible after {max(spans):.3f} s at worst")
    if not len(books.adds):
        return len(books.view.rows), lines, "nothing was added"
    unproved = "" if len(books.listings) else "the set was never listed"
    return len(books.view.rows), lines, unproved
