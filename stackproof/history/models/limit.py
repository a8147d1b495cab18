"""Limits: rate limiters and pools, of which only so many may pass in a time.

Actions on whatever is limited, the key: "permit" (number: how many units, 1 where it is 0) and
"refuse".
"""

import numpy as np

from stackproof.history.anomaly import Anomaly, number
from stackproof.history.columns import OK, UNKNOWN, Array
from stackproof.history.looked_for import Check
from stackproof.history.models.expectations import Limit
from stackproof.history.models.view import TICKS_A_MS, ModelBooks, View, ranked


class Books(ModelBooks):
    """The operations on what is limited."""

    of: Limit


def _units(view: View, places: Array) -> Array:
    return np.maximum(view.number[places], 1)


def _up_to(
    view: View, places: Array, time: Array, key: Array, moment: Array, *, at_it: bool = False
) -> Array:
    """The units of all lesser keys, and those of this key before a moment.

    Args:
        view: where the operations are.
        places: the operations that count.
        time: when each of them counts.
        key: of each question.
        moment: of each question.
        at_it: whether what counts at that very moment does so, too.
    """
    order, place = ranked(view.key[places], time, key, moment, at_it=at_it)
    return np.r_[0, np.cumsum(_units(view, places)[order])][place]


def more_than_allowed(books: Books) -> Anomaly:
    """Find windows in which more was certainly permitted than allowed.

    Certain is what was both asked for and granted within the window. Shown is the permit with
    which such a window begins.
    """
    view, of = books.view, books.of
    places = view.did("permit")
    places = places[np.argsort(view.began[places], kind="stable")]
    key, begin = view.key[places], view.began[places]
    within = _up_to(view, places, view.ended[places], key, begin + of.window_ms * TICKS_A_MS)
    within -= _up_to(view, places, begin, key, begin)
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
    refused = view.did("refuse")
    key = view.key[refused]
    # All that may have counted at the refusal's moment.
    before = _up_to(view, places, view.began[places], key, view.ended[refused], at_it=True)
    window = view.began[refused] - of.window_ms * TICKS_A_MS
    gone = _up_to(view, places, view.ended[places], key, window)
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
