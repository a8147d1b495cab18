"""Redis's collections: written, read back, compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from redis import Redis


class Collection(NamedTuple):
    """How one type is written and read.

    Attributes:
        type: what TYPE answers.
        make: entries for numbers; every byte occurs in them.
        write: adds entries to a key, in one command.
        read: all entries of a key, in a form that equals `make`'s.
    """

    type: bytes
    make: Callable[[range], Any]
    write: Callable[[Redis, str, Any], Any]
    read: Callable[[Redis, str], Any]


def _entry(number: int) -> bytes:
    return b"entry %d \x00\r\n" % number + bytes([number % 256])


COLLECTIONS = {
    "hash": Collection(
        b"hash",
        lambda numbers: {b"field %d" % n: _entry(n) for n in numbers},
        lambda client, key, entries: client.hset(key, mapping=entries),
        lambda client, key: client.hgetall(key),
    ),
    "list": Collection(
        b"list",
        lambda numbers: [_entry(n % 256) for n in numbers],  # some more than once: it is no set
        lambda client, key, entries: client.rpush(key, *entries),
        lambda client, key: client.lrange(key, 0, -1),
    ),
    "set": Collection(
        b"set",
        lambda numbers: {_entry(n) for n in numbers},
        lambda client, key, entries: client.sadd(key, *entries),
        lambda client, key: set(client.smembers(key)),
    ),
    "sorted set": Collection(
        b"zset",
        # By score; those of the same score by their bytes.
        lambda numbers: sorted(
            ((_entry(n), (n % 7) / 8 - 0.5) for n in numbers), key=lambda e: (e[1], e[0])
        ),
        lambda client, key, entries: client.zadd(key, dict(reversed(entries))),
        lambda client, key: client.zrange(key, 0, -1, withscores=True),
    ),
}


def read(kind: str, client: Redis, key: str) -> Any:
    """What a key holds, in the form of `Collection.make`; of another type: only its name."""
    collection = COLLECTIONS[kind]
    found_type = client.type(key)
    if found_type == collection.type:
        return collection.read(client, key)
    return f"a {found_type!r} instead of a {collection.type!r}"


def content(entries: Any) -> str:
    """All entries as a text, the same for the same ones."""
    if isinstance(entries, set | dict):
        entries = sorted(entries.items() if isinstance(entries, dict) else entries)
    return repr(entries)


def differences(entries: Any, found: Any) -> list[str]:
    """How what was read differs from the entries written; empty if it does not."""
    if isinstance(found, str):
        return [f"it is {found}"]
    if found == entries:
        return []
    wanted, got = (list(e.items() if isinstance(e, dict) else e) for e in (entries, found))
    told = [f"{entry!r} is missing" for entry in wanted if entry not in got]
    told += [f"{entry!r} was never written" for entry in got if entry not in wanted]
    return told or [f"the order or the number differs: {got!r} instead of {wanted!r}"]
