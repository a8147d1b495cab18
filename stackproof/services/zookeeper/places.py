"""Znodes of a scenario: what its steps put there, and find there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from stackproof.services.fixture import Scenario
from stackproof.services.places import Holding
from stackproof.services.zookeeper.fixture import ZooKeeperFixture


class Znodes(Holding):
    """See `stackproof.services.places.Places`. Every name is that of a znode."""

    noun: ClassVar[str] = "znode"

    def __init__(self, scenario: Scenario):
        self._fixture = scenario.use(ZooKeeperFixture)
        super().__init__(self._fixture)

    def fields(self) -> Mapping[str, str]:
        """Where its nodes are, and what names must begin with so that they are removed."""
        return {
            "zookeeper_hosts": self._fixture.hosts(),
            "zookeeper_prefix": f"/{self._fixture.own('system')}",
        }


PLACES = Znodes
