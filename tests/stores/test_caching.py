"""What is put into a cache, and how that is recorded. Without a server."""

from types import SimpleNamespace

import pytest

from stackproof.history import History, Registers, check
from stackproof.history.lanes import points
from stackproof.services.redis.collections import COLLECTIONS
from stackproof.services.redis.store import RecordedStore
from stackproof.services.vectors import vectors


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


def test_writes_and_readings_are_operations_on_registers():
    kept = {}
    client = SimpleNamespace(set=lambda key, value: not kept.update({key: value}), get=kept.get)
    history = History()
    store = RecordedStore(client, history, "cache")
    store.write({"a": b"1", "b": b"2"}, "one by one")
    store.read(["a", "b", "c"], "one by one")
    of = Registers("the cache", "cache")
    assert check(history, of).conclusive
    drawn = points(history.snapshot(), [], 20)
    assert drawn.lanes == (("cache", "a"), ("cache", "b"), ("cache", "c"))
    kept["a"] = b"2"
    store.read(["a"], "one by one")
    assert [one.name for one in check(history, of).violations] == ["never-written"]
    del kept["b"]
    store.read(["b"], "one by one")
    assert "lost" in [one.name for one in check(history, of).violations]
