"""Limits: rate limiters and pools, of which only so many may pass in a time.

Actions on whatever is limited, the key: "permit" (number: how many units, 1 where it is 0) and
"refuse".
"""

from typing import Literal

import numpy as np

from stackproof.history.anomaly import Anomaly, number
from stackproof.history.columns import OK, UNKNOWN, Array, Snapshot
from stackproof.history.models.expectations import Limit
from stackproof.history.models.view import TICKS_A_MS, Packing, View


def _units(view: View, places: Array) -> Array:
    return np.maximum(view.number[places], 1)


class _Sums:
    """Sums of units up to a moment, by key."""

    def __init__(self, key: Array, time: Array, units: Array):
        self._packing = Packing.of(key, time)
        packed = self._packing.pack(key, time)
        order = np.argsort(packed)
        self._sorted = packed[order]
        self._sums = np.r_[0, np.cumsum(units[order])]

    def up_to(self, key: Array, time: Array, *, side: Literal["left", "right"]) -> Array:
        """The units of all lesser keys, and of this key before a moment ("right": and at it)."""
        packed = self._packing.pack(key, time)
        return self._sums[np.searchsorted(self._sorted, packed, side=side)]


def more_than_allowed(view: View, of: Limit) -> Anomaly:
    """Find windows in which more was certainly permitted than allowed.

    Certain is what was both asked for and granted within the window. Shown is the permit with
    which such a window begins.
    """
    places = view.did("permit")
    places = places[np.argsort(view.began[places], kind="stable")]
    key, units = view.key[places], _units(view, places)
    granted = _Sums(key, view.ended[places], units)
    asked = _Sums(key, view.began[places], units)
    begin = view.began[places]
    within = granted.up_to(key, begin + of.window_ms * TICKS_A_MS, side="left")
    within = within - asked.up_to(key, begin, side="left")
    wrong = places[within > of.most]
    worst = int(within.max(initial=0))

    def example(place: int) -> list[tuple[int, str]]:
        same = places[(key == view.key[place]) & (begin >= view.began[place])][: of.most + 1]
        return [(p, "the window begins" if p == place else "") for p in same.tolist()]

    return view.anomaly(
        "more-than-allowed", wrong,
        lambda count: f"up to {worst:,} units in {of.window_ms:,} ms where {of.most:,} are "
                      f"allowed, in {number(count, 'window')}.",
        example,
    )  # fmt: skip


def fewer_than_allowed(view: View, of: Limit) -> Anomaly:
    """Find refusals though the window before cannot have been full."""
    places = view.did("permit", status=(OK, UNKNOWN))
    key, units = view.key[places], _units(view, places)
    refused = view.did("refuse")
    begun = _Sums(key, view.began[places], units)
    ended = _Sums(key, view.ended[places], units)
    # All that may have counted at the refusal's moment.
    before = begun.up_to(view.key[refused], view.ended[refused], side="right")
    gone = ended.up_to(
        view.key[refused], view.began[refused] - of.window_ms * TICKS_A_MS, side="left"
    )
    wrong = refused[before - gone + _units(view, refused) <= of.most]
    return view.anomaly(
        "fewer-than-allowed", wrong,
        lambda count: f"{number(count, 'refusal')} though the limit was not reached.",
        lambda place: [(place, "refused")],
    )  # fmt: skip


CHECKS = {
    "more-than-allowed": (more_than_allowed, lambda of: True),
    "fewer-than-allowed": (fewer_than_allowed, lambda of: of.fair),
}


def books_of(snapshot: Snapshot, of: Limit) -> View:
    """Return the operations that the expectation is about."""
    return View.of(snapshot, (of.space,))


def told(view: View, of: Limit) -> tuple[int, list[str], str]:
    """Return how many operations there were, lines about them, and why nothing was proved."""
    permitted, refused = len(view.did("permit")), len(view.did("refuse"))
    lines = [f'  of "{of.space}": {permitted:,} permitted, {refused:,} refused']
    unproved = "" if permitted else "nothing was permitted"
    return len(view.rows), lines, unproved
