"""What is judged about a cache: times to live, and readings against updates. Without a server."""

from types import SimpleNamespace

import pytest

from stackproof.history import Flow, History
from stackproof.history.lanes import points
from stackproof.services.redis.aside import Value, wrong_readings
from stackproof.services.redis.collections import COLLECTIONS
from stackproof.services.redis.expiry import Sighting, Span, violations
from stackproof.services.redis.store import RecordedStore
from stackproof.services.redis.vectors import vectors

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
    found = violations(SET, 2.0, sightings(*looks), late=1.0)
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


def test_vectors_hold_what_a_conversion_would_lose():
    made = vectors(50, 16, seed=1)
    assert len(set(made)) == 50
    assert all(len(vector) == 64 for vector in made)
    assert made == vectors(50, 16, seed=1)
    assert b"\x01\x00\xc0\x7f" in made[0]


@pytest.mark.parametrize("kind", COLLECTIONS)
def test_entries_hold_every_byte(kind):
    text = repr(COLLECTIONS[kind].make(range(300)))
    assert r"\x00\r\n" in text and r"\xff" in text


def test_a_cache_is_one_place_for_writes_and_readings():
    kept = {}
    client = SimpleNamespace(set=lambda key, value: not kept.update({key: value}), get=kept.get)
    history = History()
    store = RecordedStore(client, history, "cache")
    store.write({"a": b"1", "b": b"2"}, "one by one")
    store.read(["a", "b"], "one by one")
    drawn = points(history.snapshot(), [Flow("the cache", "cache", "cache")], 20)
    assert drawn.lanes == (("cache", 0),)
