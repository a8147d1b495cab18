"""Objects of a scenario: what its steps put there, and find there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from stackproof.history import Registers
from stackproof.services.fixture import Scenario
from stackproof.services.s3.fixture import ObjectsFixture


class Objects:
    """See `stackproof.services.places.Places`. Every name is a key in the scenario's bucket."""

    noun: ClassVar[str] = "object"

    def __init__(self, scenario: Scenario):
        self._objects = scenario.use(ObjectsFixture)

    def names(self) -> Sequence[str]:
        """None: an object need not be there."""
        return ()

    def find(self, name: str) -> Object:
        """The object, whether it is there or not."""
        return Object(self._objects, name)


class Object:
    """See `stackproof.services.places.Value`."""

    def __init__(self, objects: ObjectsFixture, key: str):
        self._objects = objects
        self._key = key

    def put(self, body: bytes) -> None:
        """Upload it in one request."""
        self._objects.took(self._key, body)
        self._objects.bucket.put(self._key, body)

    def value(self) -> bytes | None:
        """Download it; None: it is not there."""
        return self._objects.bucket.get(self._key)

    def expected(self) -> Registers:
        """The last upload is downloaded, unless somebody else uploads there."""
        return self._objects.expected()


PLACES = Objects
