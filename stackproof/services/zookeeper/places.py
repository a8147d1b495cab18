"""Znodes of a scenario: what its steps put there, and find there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from stackproof.history import Registers
from stackproof.services.fixture import Scenario
from stackproof.services.zookeeper.fixture import ZooKeeperFixture


class Znodes:
    """See `stackproof.services.places.Places`. Every name is that of a znode."""

    noun: ClassVar[str] = "znode"

    def __init__(self, scenario: Scenario):
        self._fixture = scenario.use(ZooKeeperFixture)

    def names(self) -> Sequence[str]:
        """None: a znode need not be there."""
        return ()

    def fields(self) -> Mapping[str, str]:
        """Where its nodes are, and what names must begin with so that they are removed."""
        return {
            "zookeeper_hosts": self._fixture.hosts(),
            "zookeeper_prefix": f"/{self._fixture.own('system')}",
        }

    def find(self, name: str) -> Znode:
        """The znode, whether it is there or not."""
        return Znode(self._fixture, name)


class Znode:
    """See `stackproof.services.places.Value`."""

    def __init__(self, fixture: ZooKeeperFixture, name: str):
        self._fixture, self._name = fixture, name

    def put(self, body: bytes) -> None:
        """Create it, or set what is in it."""
        self._fixture.put(self._name, body)

    def value(self) -> bytes | None:
        """What is in it now."""
        return self._fixture.get(self._name)

    def expected(self) -> Registers:
        """The last value is read."""
        return self._fixture.expected()


PLACES = Znodes
