"""Time without service, from the point of view of a client: gaps between its successes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stackproof.history import History
from stackproof.history.columns import STATUS

Times = np.ndarray[Any, np.dtype[np.float64]]


def acknowledged(history: History, client: str, topic: str) -> list[Times]:
    """When a producer's sends to a topic (real name) were acknowledged, for each partition.

    Each in seconds since the Unix epoch, ascending.
    """
    snapshot = history.snapshot()
    sends = snapshot.sends
    mine = (sends.status == STATUS.index("ok")) & np.isin(
        sends.client, snapshot.codes("clients", (client,))
    )
    mine &= np.isin(sends.topic, snapshot.codes("topics", (topic,)))
    return [
        np.sort(sends.ended[mine & (sends.partition == partition)])
        for partition in np.unique(sends.partition[mine])
    ]


def longest_gap(lanes: Sequence[Times], since: float, until: float) -> float:
    """The longest time between two successes on one lane that touches ``since`` to ``until``.

    Both in seconds since the Unix epoch. Counted from the last success before to the first one
    after; where there is none of them, from or to the end of the window.
    """
    worst = 0.0
    for times in lanes:
        first = max(int(np.searchsorted(times, since, side="right")) - 1, 0)
        last = int(np.searchsorted(times, until, side="left")) + 1
        near = times[first:last]
        before = near[:1] if len(near) and near[0] < since else np.array([since])
        after = near[-1:] if len(near) and near[-1] > until else np.array([until])
        inside = near[(near >= since) & (near <= until)]
        worst = max(worst, float(np.diff(np.concatenate([before, inside, after])).max()))
    return worst


def usual_gap(lanes: Sequence[Times], since: float, until: float) -> float:
    """The longest time between two successes on one lane that both lie in a time span.

    One that begins in it and ends later counts for what comes later.
    """
    inside = [times[(times >= since) & (times <= until)] for times in lanes]
    return max((float(np.diff(times).max()) for times in inside if len(times) > 1), default=0.0)


def without_service(lanes: Sequence[Times], since: float, until: float, usual: float) -> float:
    """The longest gap in a time span beyond the usual one, in seconds; 0 if it is not longer.

    Raises:
        ValueError: there was no success at all, so nothing can be told.
    """
    if not any(len(times) for times in lanes):
        raise ValueError("nothing was ever served")
    return max(0.0, longest_gap(lanes, since, until) - usual)
