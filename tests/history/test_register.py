"""Readings against updates, and times to live."""

import pytest

from stackproof.history.register import (
    Sighting,
    Span,
    Value,
    lifetime_violations,
    wrong_readings,
)

SET = Span(10.0, 10.2)


def sightings(*looks):
    return [Sighting(Span(at, at + 0.1), there) for at, there in looks]


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        ([(10.5, True), (12.3, False)], ""),
        ([(10.5, True), (11.95, False)], ""),  # it may have been set before its answer came
        ([(10.5, True), (11.8, False)], "gone 1.900 s after"),
        ([(10.5, True), (12.6, True), (12.8, False)], ""),  # late, within what is tolerated
        ([(10.5, True), (13.3, True)], "still there 3.100 s after"),
        ([(12.3, False)], "never seen"),
    ],
)
def test_times_to_live(looks, told):
    found = lifetime_violations(SET, 2.0, sightings(*looks), late=1.0)
    assert "; ".join(found).startswith(told) and bool(found) == bool(told)


def value(content, began, ended, name="n"):
    return Value(name, content, Span(began, ended))


UPDATES = [value(b"0", 0, 1), value(b"1", 2, 3), value(b"2", 4, 5), value(b"x", 0, 1, "other")]


@pytest.mark.parametrize(
    ("reading", "told"),
    [
        (value(b"0", 1.5, 1.6), ""),
        (value(b"0", 2.9, 3.5), ""),  # it began before the update was complete
        (value(b"1", 2.1, 2.2), ""),  # it saw an update that was under way
        (value(b"0", 3.1, 3.2), "100.0 ms after an update to b'1'"),
        (value(b"0", 6.0, 6.1), "3000.0 ms after an update to b'1'"),
        (value(b"2", 3.0, 3.9), "before it was written"),
        (value(b"3", 6.0, 6.1), "which nobody wrote"),
        (value(b"x", 6.0, 6.1), "which nobody wrote"),
    ],
)
def test_readings(reading, told):
    found = wrong_readings(UPDATES, [value(b"2", 6, 7), reading])
    assert len(found) == bool(told)
    assert told in "".join(found)
