"""What is put into a cache, and how that is recorded. Without a server."""

from types import SimpleNamespace

import pytest

from stackproof.history import Flow, History
from stackproof.history.lanes import points
from stackproof.services.redis.collections import COLLECTIONS
from stackproof.services.redis.store import RecordedStore
from stackproof.services.redis.vectors import vectors


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
