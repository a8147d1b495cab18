"""Keys of a scenario in etcd: what its steps put there, and find there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from stackproof.services.etcd.fixture import EtcdFixture
from stackproof.services.fixture import Scenario
from stackproof.services.places import Holding


class Keys(Holding):
    """See `stackproof.services.places.Places`. Every name is that of a key."""

    noun: ClassVar[str] = "key"

    def __init__(self, scenario: Scenario):
        self._fixture = scenario.use(EtcdFixture)
        super().__init__(self._fixture)

    def fields(self) -> Mapping[str, str]:
        """Where its nodes are, and what names must begin with so that they are removed."""
        return {
            "etcd_endpoints": self._fixture.urls(),
            "etcd_prefix": self._fixture.own("system/"),
        }


PLACES = Keys
