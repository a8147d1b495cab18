"""Keys of a scenario in etcd: what its steps put there, and find there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from stackproof.history import Registers
from stackproof.services.etcd.fixture import EtcdFixture
from stackproof.services.fixture import Scenario


class Keys:
    """See `stackproof.services.places.Places`. Every name is that of a key."""

    noun: ClassVar[str] = "key"

    def __init__(self, scenario: Scenario):
        self._fixture = scenario.use(EtcdFixture)

    def names(self) -> Sequence[str]:
        """None: a key need not be there."""
        return ()

    def fields(self) -> Mapping[str, str]:
        """Where its nodes are, and what names must begin with so that they are removed."""
        return {
            "etcd_endpoints": self._fixture.urls(),
            "etcd_prefix": self._fixture.own("system/"),
        }

    def find(self, name: str) -> Key:
        """The key, whether it is there or not."""
        return Key(self._fixture, name)


class Key:
    """See `stackproof.services.places.Value`."""

    def __init__(self, fixture: EtcdFixture, name: str):
        self._fixture, self._name = fixture, name

    def put(self, body: bytes) -> None:
        """Put it, without a lease."""
        self._fixture.put(self._name, body)

    def value(self) -> bytes | None:
        """Its value, as the majority has it."""
        return self._fixture.get(self._name)

    def expected(self) -> Registers:
        """The last value is read."""
        return self._fixture.expected()


PLACES = Keys
