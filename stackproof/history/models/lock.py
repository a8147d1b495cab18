"""Locks and leaders: who holds what, and who writes by which right.

Actions on a lock, the key: "acquire" (number: its fencing token, 0 for none), "release", and "use":
something was done that only the holder may do (number: the token it showed).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stackproof.history.anomaly import Anomaly, number
from stackproof.history.columns import OK, UNKNOWN, Array, Snapshot, combined
from stackproof.history.models.expectations import Locks
from stackproof.history.models.view import NEVER, TICKS_A_MS, Groups, View


@dataclass(frozen=True)
class Books:
    """The operations on locks, and for how long each was held for certain."""

    view: View
    of: Locks

    @cached_property
    def acquired(self) -> Array:
        """Acquisitions that were granted, by lock and time."""
        places = self.view.did("acquire")
        return places[np.lexsort((self.view.ended[places], self.view.key[places]))]

    @cached_property
    def until(self) -> Array:
        """For each acquisition, until when it held for certain: its release or its lease's end."""
        view, places = self.view, self.acquired
        until = np.full(len(places), NEVER)
        if self.of.lease_ms:
            until = view.began[places] + self.of.lease_ms * TICKS_A_MS
        # The first release by the same client that begins after the acquisition was answered.
        made = view.did("release", status=(OK, UNKNOWN))
        who = combined(
            np.r_[view.key[places], view.key[made]], np.r_[view.client[places], view.client[made]]
        )
        # Time runs backwards here: the greatest before is the first after.
        last = int(view.began.max(initial=0)) + 1
        left = last - view.began[made]
        asked = Groups(who[len(places) :], left, left)
        first, row = asked.greatest_before(who[: len(places)], last - view.ended[places] + 1)
        return np.where(row >= 0, np.minimum(until, last - first), until)


def two_holders(books: Books, of: Locks) -> Anomaly:
    """Find acquisitions that were granted while somebody else held the lock for certain."""
    view, places, until = books.view, books.acquired, books.until
    since = view.ended[places]
    held = np.flatnonzero(since < until)
    asked = Groups(view.key[places[held]], since[held], until[held])
    reach, row = asked.greatest_before(view.key[places], since)
    wrong = np.flatnonzero((row >= 0) & (reach > since) & (since < until))
    other = {int(places[i]): int(places[held[row[i]]]) for i in wrong}
    return view.anomaly(
        "two-holders", places[wrong],
        lambda count: f"{number(count, 'time')} a lock was granted while another client held it.",
        lambda place: [(other[place], "holds it"), (place, "was granted it as well")],
    )  # fmt: skip


def token_not_rising(books: Books, of: Locks) -> Anomaly:
    """Find fencing tokens that are not greater than that of an earlier acquisition."""
    view = books.view
    places = books.acquired[view.number[books.acquired] > 0]
    asked = Groups(view.key[places], view.ended[places], view.number[places])
    greatest, row = asked.greatest_before(view.key[places], view.began[places])
    wrong = np.flatnonzero((row >= 0) & (greatest >= view.number[places]))
    other = {int(places[i]): int(places[row[i]]) for i in wrong}
    return view.anomaly(
        "token-not-rising", places[wrong],
        lambda count: f"{number(count, 'fencing token')} not greater than one of before.",
        lambda place: [(other[place], f"token {view.number[other[place]]}"),
                       (place, f"token {view.number[place]}")],
    )  # fmt: skip


def late_write(books: Books, of: Locks) -> Anomaly:
    """Find uses with an old token that were accepted after one with a newer token had been."""
    view = books.view
    places = view.did("use")
    asked = Groups(view.key[places], view.ended[places], view.number[places])
    greatest, row = asked.greatest_before(view.key[places], view.began[places])
    wrong = np.flatnonzero((row >= 0) & (greatest > view.number[places]))
    other = {int(places[i]): int(places[row[i]]) for i in wrong}
    return view.anomaly(
        "late-write", places[wrong],
        lambda count: f"{number(count, 'write')} with an old fencing token accepted.",
        lambda place: [(other[place], f"token {view.number[other[place]]}"),
                       (place, f"token {view.number[place]}, accepted later")],
    )  # fmt: skip


CHECKS = {
    "two-holders": (two_holders, lambda of: True),
    "token-not-rising": (token_not_rising, lambda of: True),
    "late-write": (late_write, lambda of: True),
}


def books_of(snapshot: Snapshot, of: Locks) -> Books:
    """Return the operations that the expectation is about."""
    return Books(View.of(snapshot, (of.space,)), of)


def told(books: Books, of: Locks) -> tuple[int, list[str], str]:
    """Return how many operations there were, lines about them, and why nothing was proved."""
    view = books.view
    clients = len(np.unique(view.client[books.acquired]))
    lines = [
        f'  in "{of.space}": {number(len(books.acquired), "acquisition")} '
        f"by {number(clients, 'client')}, {number(len(view.did('use')), 'use')}",
    ]
    unproved = "" if len(books.acquired) > 1 else "nobody competed for a lock"
    return len(view.rows), lines, unproved
