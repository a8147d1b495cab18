"""Objects of a scenario: what its steps put there, and find there."""

from __future__ import annotations

from typing import ClassVar

from stackproof.services.fixture import Scenario
from stackproof.services.places import Holding
from stackproof.services.s3.fixture import ObjectsFixture


class Objects(Holding):
    """See `stackproof.services.places.Places`. Every name is a key in the scenario's bucket."""

    noun: ClassVar[str] = "object"

    def __init__(self, scenario: Scenario):
        super().__init__(scenario.use(ObjectsFixture))


PLACES = Objects
