"""Limits: rate limiters and pools, of which only so many may pass in a time.

Actions on whatever is limited, the key: "permit" (number: how many units, 1 where it is 0) and
"refuse".
"""

from typing import Literal

import numpy as np

from stackproof.history.anomaly import Anomaly, number
from stackproof.history.columns import OK, UNKNOWN, Array
from stackproof.history.looked_for import Check
from stackproof.history.models.expectations import Limit
from stackproof.history.models.view import TICKS_A_MS, ModelBooks, Packing, View


class Books(ModelBooks):
    """The operations on what is limited."""

    of: Limit


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


def more_than_allowed(books: Books) -> Anomaly:
    """Find windows in which more was certainly permitted than allowed.

    Certain is what was both asked for and granted within the window. Shown is the permit with
    which such a window begins.
    """
    view, of = books.view, books.of
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

    def example(n: int) -> list[tuple[int, str]]:
        place = int(wrong[n])
        same = places[(key == view.key[place]) & (begin >= view.began[place])][: of.most + 1]
        return [(p, "the window begins" if p == place else "") for p in same.tolist()]

    return view.anomaly_among(
        "more-than-allowed", wrong,
        f"up to {worst:,} units in {of.window_ms:,} ms where {of.most:,} are allowed, in "
        f"{number(len(wrong), 'window')}.",
        example,
    )  # fmt: skip


def fewer_than_allowed(books: Books) -> Anomaly:
    """Find refusals though the window before cannot have been full."""
    view, of = books.view, books.of
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
        f"{number(len(wrong), 'refusal')} though the limit was not reached.", (wrong, "refused"),
    )  # fmt: skip


_REGISTER: tuple[Check[Books, Limit], ...] = (
    Check("more-than-allowed", "more units than allowed in some window of time",
          more_than_allowed),
    Check("fewer-than-allowed", "refused though the window cannot have been full",
          fewer_than_allowed, lambda of: of.fair),
)  # fmt: skip
CHECKS = {check.name: check for check in _REGISTER}


def told(books: Books) -> tuple[list[str], str]:
    """Return lines about the operations, and why nothing was proved."""
    permitted, refused = (len(books.view.did(action)) for action in ("permit", "refuse"))
    lines = [f'  of "{books.of.space}": {permitted:,} permitted, {refused:,} refused']
    return lines, "" if permitted else "nothing was permitted"
