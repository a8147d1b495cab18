"""Named places that a scenario has, such as topics, queues, keys, tables: what is done there.

A service offers its own by a module ``places`` in its folder, whose ``PLACES`` is a class of
`Places`. What a place can do is told by its methods: where messages come in is an `Inbox`, where
they can be sent an `Outlet`; what holds rows is `Rows`, what holds one value a `Value`. Everything
that is done there is recorded in the scenario's history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

from stackproof.history import Expectation
from stackproof.services.fixture import Scenario


@dataclass(frozen=True)
class Letter:
    """A message on its way, or as it was found.

    Attributes:
        body: the raw bytes; None: there is no content, as in a tombstone.
        key: None: it has none.
        headers: as texts.
        where: where it was found, for people.
        lane: what has an order of its own, such as a partition.
    """

    body: bytes | None
    key: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    lane: str = ""


class Place(Protocol):
    """What every place has."""

    def expected(self) -> Expectation | None:
        """What the history must show of this place; None: others act there, too."""


@runtime_checkable
class Outlet(Place, Protocol):
    """Messages can be sent there."""

    def publish(self, letter: Letter) -> None:
        """Publish; returns when the server has acknowledged it.

        Raises:
            AssertionError: it has not.
        """


@runtime_checkable
class Inbox(Place, Protocol):
    """Messages come in there."""

    def look(self) -> Sequence[Letter]:
        """All messages since the scenario began, as far as they have come."""

    def look_whole(self, within: float) -> Sequence[Letter]:
        """The same up to its present end, which the server itself has told.

        Raises:
            Exception: the server does not answer, or the end was not reached in these seconds.
        """


@runtime_checkable
class Rows(Place, Protocol):
    """It holds rows."""

    def insert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Put these rows there."""

    def rows(self) -> Sequence[Mapping[str, Any]]:
        """All that are there now, as plain data (`stackproof.matching.read_json`)."""


@runtime_checkable
class Value(Place, Protocol):
    """It holds one value."""

    def put(self, body: bytes) -> None:
        """Put a value there."""

    def value(self) -> Any:
        """What is there now: bytes, or plain data of what has members; None: nothing."""


class Holder(Protocol):
    """A fixture whose scenario puts and gets contents by name, each time recorded."""

    def put(self, name: str, content: bytes, /) -> None:
        """Put a content under a name."""

    def get(self, name: str, /) -> bytes | None:
        """What is there now; None: nothing."""

    def expected(self) -> Expectation:
        """The last content is got."""


class Held:
    """What a fixture holds under one name. See `Value`."""

    def __init__(self, holder: Holder, name: str):
        self._holder, self._name = holder, name

    def put(self, body: bytes) -> None:
        """Put it there."""
        self._holder.put(self._name, body)

    def value(self) -> bytes | None:
        """What is there now; None: nothing."""
        return self._holder.get(self._name)

    def expected(self) -> Expectation:
        """The last content is got."""
        return self._holder.expected()


class Holding:
    """A store in which every name is that of a place, whether anything is there or not.

    See `Places`; services say the noun, make the fixture, and name the fields.
    """

    def __init__(self, holder: Holder):
        self._holder = holder

    def names(self) -> Sequence[str]:
        """None: nothing need be there."""
        return ()

    def fields(self) -> Mapping[str, str]:
        """None, unless a service says some."""
        return {}

    def find(self, name: str) -> Held:
        """The place, whether anything is there or not."""
        return Held(self._holder, name)


class Places(Protocol):
    """The places that a scenario has on its server of one service.

    Attributes:
        noun: what one is called in features, e.g. "topic".
    """

    noun: ClassVar[str]

    def __init__(self, scenario: Scenario) -> None: ...

    def find(self, name: str) -> Place | None:
        """The place that the scenario calls so; None: it has none."""

    def names(self) -> Sequence[str]:
        """What there is, in the scenario's words."""

    def fields(self) -> Mapping[str, str]:
        """How systems under test reach them: ``{}`` fields that begin with the service's name."""
