"""Locks and leaders: who holds what, and who writes by which right.

Actions on a lock, the key: "acquire" (number: its fencing token, 0 for none), "release", and "use":
something was done that only the holder may do (number: the token it showed).
"""

from functools import cached_property

import numpy as np

from stackproof.history.anomaly import Anomaly, number
from stackproof.history.columns import OK, UNKNOWN, Array, combined
from stackproof.history.looked_for import Check
from stackproof.history.models.expectations import Locks
from stackproof.history.models.view import NEVER, TICKS_A_MS, Groups, ModelBooks


class Books(ModelBooks):
    """The operations on locks, and for how long each was held for certain."""

    of: Locks

    @property
    def acquired(self) -> Array:
        """Acquisitions that were granted."""
        return self.view.did("acquire")

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


def two_holders(books: Books) -> Anomaly:
    """Find acquisitions that were granted while somebody else held the lock for certain."""
    view, places, until = books.view, books.acquired, books.until
    since = view.ended[places]
    held = np.flatnonzero(since < until)
    asked = Groups(view.key[places[held]], since[held], until[held])
    reach, row = asked.greatest_before(view.key[places], since)
    chosen = (row >= 0) & (reach > since) & (since < until)
    wrong = places[chosen]
    return view.anomaly(
        "two-holders", wrong,
        f"{number(len(wrong), 'time')} a lock was granted while another client held it.",
        (places[held[row[chosen]]], "holds it"), (wrong, "was granted it as well"),
    )  # fmt: skip


def token_not_rising(books: Books) -> Anomaly:
    """Find fencing tokens that are not greater than that of an earlier acquisition."""
    places = books.acquired[books.view.number[books.acquired] > 0]
    return _overtaken(
        books, "token-not-rising", places, "fencing token", "not greater than one of before", by=0
    )


def late_write(books: Books) -> Anomaly:
    """Find uses with an old token that were accepted after one with a newer token had been."""
    return _overtaken(
        books, "late-write", books.view.did("use"),
        "write", "with an old fencing token accepted", ", accepted later", by=1,
    )  # fmt: skip


def _overtaken(
    books: Books, name: str, places: Array, noun: str, what: str, note: str = "", *, by: int
) -> Anomaly:
    """Find operations whose token an earlier one's exceeds by at least ``by``."""
    view = books.view
    asked = Groups(view.key[places], view.ended[places], view.number[places])
    greatest, row = asked.greatest_before(view.key[places], view.began[places])
    chosen = (row >= 0) & (greatest >= view.number[places] + by)
    wrong = places[chosen]
    other = places[row[chosen]]
    return view.anomaly(
        name, wrong, f"{number(len(wrong), noun)} {what}.",
        (other, lambda n: f"token {view.number[other[n]]}"),
        (wrong, lambda n: f"token {view.number[wrong[n]]}{note}"),
    )  # fmt: skip


_REGISTER: tuple[Check[Books, Locks], ...] = (
    Check("two-holders", "granted while another client held it for certain", two_holders),
    Check("token-not-rising", "a fencing token that is not greater than an earlier one",
          token_not_rising),
    Check("late-write", "accepted with an old token after one with a newer token", late_write),
)  # fmt: skip
CHECKS = {check.name: check for check in _REGISTER}


def told(books: Books) -> tuple[list[str], str]:
    """Return lines about the operations, and why nothing was proved."""
    view = books.view
    clients = len(np.unique(view.client[books.acquired]))
    lines = [
        f'  in "{books.of.space}": {number(len(books.acquired), "acquisition")} '
        f"by {number(clients, 'client')}, {number(len(view.did('use')), 'use')}",
    ]
    return lines, "" if len(books.acquired) > 1 else "nobody competed for a lock"
