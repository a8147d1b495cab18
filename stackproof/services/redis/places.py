"""Keys of a scenario: what its steps put there, and find there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from stackproof.history import Registers
from stackproof.services.fixture import Scenario
from stackproof.services.redis.client import url
from stackproof.services.redis.fixture import RedisFixture


class Keys:
    """See `stackproof.services.places.Places`. Every name is that of a key."""

    noun: ClassVar[str] = "key"

    def __init__(self, scenario: Scenario):
        self._fixture = scenario.use(RedisFixture)

    def names(self) -> Sequence[str]:
        """None: a key need not be there."""
        return ()

    def fields(self) -> Mapping[str, str]:
        """Its URL with user and password, whom to trust by TLS, and what keys must begin with."""
        endpoint = self._fixture.endpoint
        return {
            "redis_url": url(endpoint),
            "redis_ca_file": endpoint.access.ca_file,
            "redis_prefix": self._fixture.prefix,
        }

    def find(self, name: str) -> Key:
        """The key, whether it is there or not."""
        return Key(self._fixture, name)


class Key:
    """See `stackproof.services.places.Value`."""

    def __init__(self, fixture: RedisFixture, name: str):
        self._fixture = fixture
        self._own = fixture.own(name)

    def put(self, body: bytes) -> None:
        """SET, for ever."""
        with self._fixture.store.doing("write", self._own, body):
            self._fixture.client.set(self._own, body)

    def value(self) -> Any:
        """A string's bytes; of a hash its fields, of a list or a set its entries, as texts."""
        kind = self._fixture.client.type(self._own).decode()
        if kind in _COLLECTIONS:
            return _COLLECTIONS[kind](self._fixture.client, self._own)
        with self._fixture.store.doing("read", self._own) as answer:
            answer.value = found = self._fixture.client.get(self._own)
        return found

    def expected(self) -> Registers:
        """The last value is read, unless somebody else writes there."""
        return self._fixture.expected()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


_COLLECTIONS: dict[str, Callable[[Any, str], Any]] = {
    "hash": lambda client, key: {_text(n): _text(v) for n, v in client.hgetall(key).items()},
    "list": lambda client, key: [_text(entry) for entry in client.lrange(key, 0, -1)],
    "set": lambda client, key: sorted(_text(entry) for entry in client.smembers(key)),
    "zset": lambda client, key: [_text(entry) for entry in client.zrange(key, 0, -1)],
}

PLACES = Keys
