"""What comes out of a pipeline, understood through its contracts as it arrives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from stackproof.clients.kafka.messages import Message, Received
from stackproof.history import carried_digest, digest_of
from stackproof.systems.contracts import Contract, ContractViolationError, lenient_object
from stackproof.systems.inputs import ORIGINAL_HEADERS
from stackproof.systems.places import MISSING, Place


class Reader(Protocol):
    """An observer of one topic; see `stackproof.clients.kafka.consuming.TopicReader`."""

    records: list[Received]

    def read(self) -> list[Received]:
        """Take what has arrived; all records so far."""

    def drain(self, *, within: float) -> list[Received]:
        """Read up to the present end; all records so far."""


class Makes(Protocol):
    """Makes inputs for a system; see `stackproof.systems.inputs.Inputs`."""

    def valid(self, count: int) -> list[Message]:
        """So many valid ones."""

    def invalid(self, kind: str) -> Message:
        """One with this flaw."""


class Outputs(Protocol):
    """What has come out of a system so far; see `Predictions`."""

    reader: Reader
    received: Counter[str]

    def take(self, record: Received) -> tuple[str, int, int | None]:
        """Understand one record: for the history, see `Reading`."""


class Predictions:
    """The outputs received so far. Each record is understood once, when it arrives.

    Args:
        contract: of the outputs.
        carried: the input's field by the output's, for all that is carried over.

    Attributes:
        received: how often each identity has come out.
        carried: as given.
    """

    reader: Reader

    def __init__(self, contract: Contract, carried: Mapping[Place, Place]):
        self.contract = contract
        self._identity = contract.place("x-identity")
        self.carried = carried
        self.received: Counter[str] = Counter()

    @property
    def records(self) -> list[Received]:
        """All records so far."""
        return self.reader.records

    def take(self, record: Received) -> tuple[str, int, int | None]:
        """Understand one record: for the history, see `Reading`."""
        ident, digest, carried = self._understood(record)
        self.received[ident] += 1
        return ident, digest, carried

    def _understood(self, record: Received) -> tuple[str, int, int | None]:
        # Lenient: whether it conforms to its contract is asserted by a step of its own.
        digest = digest_of(record.value)
        document = lenient_object(record.value)
        identity = self._identity.of(document)
        carried = {place.text: place.of(document) for place in self.carried}
        if identity is MISSING or MISSING in carried.values():
            return record.ident, digest, None
        return str(identity), digest, carried_digest(carried)

    def check(self) -> None:
        """Check every output so far against its contract.

        Raises:
            ContractViolationError: one does not conform.
        """
        for record in self.records:
            self.contract.parse(record.value)

    def wrongly_keyed(self) -> list[str]:
        """Outputs whose key is not their subject's."""
        return [
            f"partition {r.partition} offset {r.offset}: key {r.key!r}, subject {subject!r}"
            for r in self.records
            if (subject := str(self._identity.of(self.contract.parse(r.value)))).encode() != r.key
        ]


@dataclass(frozen=True)
class Letter:
    """A dead letter: its record, and what its contract makes of it, or why it cannot."""

    record: Received
    document: Mapping[str, Any] | None
    problem: ContractViolationError | None = None


class DeadLetters:
    """The dead letters received so far. Each record is understood once, when it arrives.

    Args:
        contract: of the dead letters.
    """

    reader: Reader

    def __init__(self, contract: Contract):
        self.contract = contract
        self._letters: list[Letter] = []

    @property
    def records(self) -> list[Received]:
        """All records so far."""
        return self.reader.records

    def take(self, record: Received) -> tuple[str, int, int | None]:
        """Understand one record: for the history, see `Reading`."""
        try:
            document = self.contract.parse(record.value, record.headers)
            original = self.contract.original(document, record.value)
        except ContractViolationError as problem:
            self._letters.append(Letter(record, None, problem))
            return record.ident, digest_of(record.value), None
        self._letters.append(Letter(record, document))
        return record.ident, digest_of(original), None

    def letters(self) -> list[Mapping[str, Any]]:
        """What the dead letters say.

        Raises:
            ContractViolationError: one does not conform to its contract.
        """
        documents = []
        for letter in self._letters:
            if letter.document is None:
                assert letter.problem is not None
                raise letter.problem
            documents.append(letter.document)
        return documents

    def error_types(self) -> list[str]:
        """Error types, by the system's own names, in order of arrival."""
        place = self.contract.place("x-error-type")
        return [str(place.of(letter)) for letter in self.letters()]

    def counted(self) -> str:
        """How many there are of each error type, for people."""
        if "x-error-type" not in self.contract.schema:
            return f"{len(self._letters)}"
        place = self.contract.place("x-error-type")
        kinds = Counter(
            "not as its contract says"
            if letter.document is None
            else str(place.of(letter.document))
            for letter in self._letters
        )
        return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) or "none"

    def without_origin(self, topic: str) -> list[str]:
        """Dead letters that do not name ``topic`` as their source, or when they failed."""
        source = self.contract.place("x-source-topic")
        failed_at = self.contract.place("x-failed-at")
        letters = self.letters()
        if not letters:
            return ["there is no dead letter"]
        return [
            f"{source} {_shown(source.of(letter))}, {failed_at} {_shown(failed_at.of(letter))}: "
            f"{letter!r:.200}"
            for letter in letters
            if source.of(letter) != topic or failed_at.of(letter) in (MISSING, None, "", 0)
        ]

    def changed_surroundings(self, originals: list[Message]) -> list[str]:
        """Dead letters whose key or headers are not those of any of ``originals``."""
        sent = {(m.key, *sorted(m.headers.items())) for m in originals}
        if not self.records:
            return ["there is no dead letter"]
        return [
            f"key {record.key!r}, headers {dict(record.headers)!r}"
            for record in self.records
            if not sent
            & {
                (record.key, *sorted(headers.items()))
                for headers in (record.headers, _without_own(record.headers))
            }
        ]


def _without_own(headers: Mapping[str, bytes]) -> dict[str, bytes]:
    """Headers without those that a pipeline may add about its own work."""
    return {name: value for name, value in headers.items() if name in ORIGINAL_HEADERS}


def _shown(value: Any) -> str:
    return "missing" if value is MISSING else repr(value)
