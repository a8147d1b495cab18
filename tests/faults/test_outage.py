"""Time without service is the longest gap that touches the fault, beyond the usual one."""

from __future__ import annotations

import numpy as np
import pytest

from stackproof.faults.outage import acknowledged, longest_gap, usual_gap, without_service
from stackproof.history import History


def lane(*times: float) -> np.ndarray:
    return np.array(times, dtype=float)


@pytest.mark.parametrize(
    ("lanes", "expected"),
    [
        ([lane(9, 10, 11, 15, 16, 25)], 9),  # the one that begins within the span
        ([lane(1, 9, 10, 11, 15, 19, 21)], 4),  # what was before it does not count
        ([lane(3, 19, 20)], 16),  # from the last success before the fault
        ([lane(11, 12)], 8),  # nothing comes any more: up to the end of the span
        ([lane(18, 19, 30)], 11),  # nothing was before: from the beginning of the span, or later
        ([lane(10, 12, 14, 16, 18, 20), lane(10, 13, 19, 20)], 6),  # the worse of two partitions
        ([lane(1, 2)], 18),
    ],
)
def test_the_longest_gap_that_touches_the_time_span(lanes, expected):
    assert longest_gap(lanes, 10, 20) == expected


def test_what_is_usual_is_taken_off_and_nothing_at_all_is_no_answer():
    assert without_service([lane(9, 14, 20)], 10, 20, usual=1.5) == 4.5
    assert without_service([lane(9, 14, 20)], 10, 20, usual=7) == 0
    with pytest.raises(ValueError, match="nothing was ever served"):
        without_service([lane(), lane()], 10, 20, usual=0)


def test_the_outage_itself_is_not_usual():
    # The fault begins at 10; 9.9 is the last success before it, 13 the first one after.
    times = [lane(8, 8.5, 9.6, 9.9, 13, 13.2), lane(7, 7.1)]
    usual = usual_gap(times, 8, 10)
    assert usual == pytest.approx(1.1)
    assert without_service(times[:1], 10, 15, usual) == pytest.approx(2.0)
    assert usual_gap([lane(9)], 8, 10) == 0


def test_acknowledgements_are_told_apart_by_partition():
    history = History("test")

    def send(client: str, status: str, partition: int, at: float, topic: str = "t") -> None:
        op = history.send(client=client, topic=topic, ident=f"{at}", digest=1, at=at - 0.5)
        history.complete(op, status, partition=partition, offset=int(at), at=at)

    send("producer", "ok", 1, 12)
    send("producer", "ok", 0, 11)
    send("producer", "ok", 0, 10)
    send("producer", "unknown", 0, 13)
    send("another", "ok", 0, 14)
    send("producer", "ok", 0, 15, topic="u")
    assert [times.tolist() for times in acknowledged(history, "producer", "t")] == [[10, 11], [12]]
