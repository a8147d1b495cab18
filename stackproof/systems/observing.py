"""What comes out of a pipeline, understood through its contracts as it arrives."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from stackproof.errors import NotSupported, step_missing
from stackproof.history import Enclosed, carried_digest, digest_of
from stackproof.matching import NotJson
from stackproof.polling import Died
from stackproof.services.kafka.client.messages import Message, Received
from stackproof.systems.contracts import (
    Contract,
    ContractViolationError,
    Embedded,
    strict_json,
    strict_object,
    value_digest,
)
from stackproof.systems.inputs import ORIGINAL_HEADERS
from stackproof.systems.places import MISSING, Place

_SHOWN = 3


class Reader(Protocol):
    """An observer of one topic; see `stackproof.services.kafka.client.consuming.TopicReader`."""

    records: list[Received]

    def read(self) -> list[Received]:
        """Take what has arrived; all records so far."""

    def drain(self, *, within: float) -> list[Received]:
        """Read up to the present end; all records so far."""


class Makes(Protocol):
    """Makes inputs for a system; see `stackproof.systems.inputs.Inputs`."""

    wrong_fields: dict[bytes, str]

    def valid(self, count: int) -> list[Message]:
        """So many valid ones."""

    def invalid(self, kind: str) -> Message:
        """One with this flaw."""


class Observed:
    """What an observer reads; nobody does before its coming is awaited."""

    #: For people; and a step that awaits it, in the words of features.
    needed: ClassVar[tuple[str, str]]
    _reader: Reader | None = None

    @property
    def reader(self) -> Reader:
        """The observer.

        Raises:
            PremiseNotMet: there is none yet.
        """
        if self._reader is None:
            raise step_missing(*self.needed)
        return self._reader

    @reader.setter
    def reader(self, reader: Reader) -> None:
        self._reader = reader

    @property
    def records(self) -> list[Received]:
        """All records so far."""
        return self.reader.records


class Outputs(Observed, ABC):
    """The outputs received so far. Each record is understood once, when it arrives.

    Attributes:
        received: how often each identity has come out.
        appended: the broker's time of each output's arrival, ms since the epoch.
    """

    needed = (
        "outputs that were awaited",
        "every valid message gets one output within 60 seconds",
    )

    def __init__(self) -> None:
        self.received: Counter[str] = Counter()
        self.appended: dict[str, int] = {}

    def take(self, record: Received) -> tuple[str, int, int | None]:
        """Understand one record: for the history, see `Reading`."""
        ident, digest, carried = self._understood(record)
        self.received[ident] += 1
        self.appended.setdefault(ident, record.timestamp)
        return ident, digest, carried

    @abstractmethod
    def _understood(self, record: Received) -> tuple[str, int, int | None]:
        """Identity, digest of all, digest of what is carried over."""

    @abstractmethod
    def check(self) -> None:
        """Check every output so far against its contract.

        Raises:
            ContractViolationError: some do not conform.
        """

    def not_json(self) -> str:
        """Which of them should be JSON and are not; empty: none."""
        return ""

    @abstractmethod
    def wrongly_keyed(self) -> list[str]:
        """Outputs whose key is not their subject's."""


class JsonOutputs(Outputs):
    """Those that are JSON.

    Args:
        contract: of the outputs.
        carried: the input's field by the output's, for all that is carried over.

    Attributes:
        carried: as given.
    """

    def __init__(self, contract: Contract, carried: Mapping[Place, Place]):
        super().__init__()
        self.contract = contract
        self._identity = contract.place("x-identity")
        self.carried = carried

    def _understood(self, record: Received) -> tuple[str, int, int | None]:
        # Whether it conforms to its contract is asserted by a step of its own.
        digest = digest_of(record.value)
        document = strict_object(record.value)
        identity = self._identity.of(document)
        found = {place.text: place.of(document) for place in self.carried}
        carried = {field: value for field, value in found.items() if value is not MISSING}
        if identity is MISSING:
            return record.ident, digest, carried_digest(carried) if carried else None
        return str(identity), digest, carried_digest(carried)

    def check(self) -> None:
        """Check every output so far against its contract.

        Raises:
            ContractViolationError: some do not conform.
        """
        judged = ((r, self.contract.judged(r.value)[1]) for r in self.records)
        if text := self._told([(r, wrong) for r, wrong in judged if wrong]):
            raise ContractViolationError(text)

    def not_json(self) -> str:
        """Which outputs are not JSON, so that nobody knows whose they are; empty: none."""
        found = []
        for record in self.records:
            try:
                strict_json(record.value, most_nested=self.contract.most_nested)
            except NotJson as error:
                found.append((record, f"it is not JSON: {error}: {record.value!r:.100}"))
        return self._told(found)

    def _told(self, found: list[tuple[Received, str]]) -> str:
        subjects = [self._identity.of(strict_object(record.value)) for record, _ in found]
        lines = [
            (record.ident if subject is MISSING else str(subject), record, wrong)
            for subject, (record, wrong) in zip(subjects, found, strict=True)
        ]
        return _violations(self.contract, lines, len(self.records))

    def wrongly_keyed(self) -> list[str]:
        """Outputs whose key is not their subject's.

        Raises:
            ContractViolationError: some do not conform to their contract.
        """
        self.check()
        subjects = ((r, str(self._identity.of(strict_object(r.value)))) for r in self.records)
        return [
            f"{_position(r)}: key {r.key!r}, subject {subject!r}"
            for r, subject in subjects
            if subject.encode("utf-8", "surrogatepass") != r.key
        ]


@dataclass(frozen=True)
class Letter:
    """A dead letter: its record, what can be read of it, and why it does not conform, or ""."""

    record: Received
    document: Mapping[str, Any]
    wrong: str = ""


class DeadLetters(Observed):
    """The dead letters received so far. Each record is understood once, when it arrives.

    Args:
        contract: of the dead letters.

    Raises:
        Trouble: it does not say where the original is.
    """

    needed = (
        "dead letters that were awaited",
        "exactly these messages are dead-lettered, unchanged, within 15 seconds",
    )

    def __init__(self, contract: Contract):
        self.contract = contract
        if not contract.describes_headers:
            contract.place("x-original")
        self._letters: list[Letter] = []
        self._sent: dict[tuple[str, int], int] = {}

    def expect(self, originals: Iterable[Message]) -> None:
        """Note what is sent, so that an original is recognised that comes as a JSON value."""
        for message in originals:
            with suppress(NotJson):
                value = value_digest(strict_json(message.value))
                self._sent[message.ident, value] = digest_of(message.value)

    def take(self, record: Received) -> tuple[str, int, int | None]:
        """Understand one record: for the history, see `Reading`."""
        document, wrong = self.contract.judged(record.value, record.headers)
        digest = digest_of(record.value)
        if isinstance(document, dict):
            try:
                original = self.contract.original(document, record.value)
                digest = Enclosed.of(self._digest(original, record), _bytes_of(original))
            except ContractViolationError as problem:
                wrong = f"{wrong}; {problem}".removeprefix("; ")
        self._letters.append(Letter(record, document or {}, wrong))
        return record.ident, digest, None

    def _digest(self, original: bytes | Embedded | None, record: Received) -> int:
        """The digest of the bytes that were sent, if the original says the same as they."""
        if not isinstance(original, Embedded):
            return digest_of(original)
        value = value_digest(original.value)
        if (record.ident, value) in self._sent:
            return self._sent[record.ident, value]
        # What is not JSON can only be embedded as a text.
        text = original.value
        if isinstance(text, str):
            return digest_of(text.encode("utf-8", "surrogatepass"))
        return digest_of(None) if text is None else value

    def violations(self) -> str:
        """Which letters do not conform to their contract, why, and what they say; empty: none."""
        found = [
            (letter.record.ident, letter.record, f"{letter.wrong}{self._says(letter)}")
            for letter in self._letters
            if letter.wrong
        ]
        return _violations(self.contract, found, len(self._letters))

    def _says(self, letter: Letter) -> str:
        """What a letter gives as its error, as far as its contract says where."""
        keywords = [k for k in ("x-error-type", "x-error-text") if k in self.contract.schema]
        said = [self.contract.place(keyword).of(letter.document) for keyword in keywords]
        texts = [f"{text!s:.200}" for text in said if text is not MISSING]
        return f"; its error: {': '.join(texts)}" if texts else ""

    def letters(self) -> list[Mapping[str, Any]]:
        """What the dead letters say.

        Raises:
            ContractViolationError: some do not conform to their contract.
        """
        _ = self.reader  # somebody must have looked
        if text := self.violations():
            raise ContractViolationError(text)
        return [letter.document for letter in self._letters]

    def vague_texts(self, fields: Mapping[bytes, str], rules: Mapping[str, str]) -> list[str]:
        """Letters whose text for people does not name the wrong field, or the rule it breaks.

        Args:
            fields: the field that is wrong, by the key of the message that was set aside.
            rules: how the system words the rule, by its own error type.

        Raises:
            ContractViolationError: some do not conform to their contract.
            NotSupported: where the text stands, or how a rule is worded, is not known.
        """
        if "x-error-text" not in self.contract.schema:
            raise NotSupported(
                "the text of an error is not known",
                f"the contract {self.contract.file} does not say its x-error-text",
                'if there is such a field, add "x-error-text": "<field>" to it',
            )
        found = [] if self._letters else ["there is no dead letter"]
        for letter, kind in zip(self._letters, self.error_types(), strict=True):
            if kind not in rules:
                raise NotSupported(
                    f"whether an error's text names the rule is not known for {kind!r:.100}",
                    "the settings do not say how the system words it",
                    "add it to its error_words in stackproof.toml, by the features' name of the "
                    'error: missing_field = "is missing"',
                )
            record, text = (
                letter.record,
                str(self.contract.place("x-error-text").of(letter.document)),
            )
            field, rule = fields.get(record.key or b"", ""), rules[kind]
            if not field or not re.search(rf"(?<!\w){re.escape(field)}(?!\w)", text):
                found.append(f"{record.ident}: the field {field!r} is not in {text!r:.300}")
            if rule not in text:
                found.append(f"{record.ident}: the rule {rule!r} is not in {text!r:.300}")
        return found

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
            "not as its contract says" if letter.wrong else str(place.of(letter.document))
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

    def not_omitted(self, message: Message, partition: int, offset: int) -> str:
        """What is wrong with the letter of a message that it cannot carry; empty: nothing."""
        limit = self.contract.schema["x-max-bytes"]
        mine = [one for one in self._letters if one.record.key == message.key]
        if len(mine) != 1:
            return f"{len(mine)} dead letters for one message"
        (letter,) = mine
        if letter.wrong:
            return letter.wrong
        if letter.record.size > limit:
            return f"the dead letter has {letter.record.size} bytes, its contract allows {limit}"
        if not self.contract.omits(letter.document):
            return f"the dead letter has an original of {len(letter.record.value or b'')} bytes"
        places = [self.contract.place(f"x-source-{what}") for what in ("partition", "offset")]
        told = [place.of(letter.document) for place in places]
        if told != [partition, offset]:
            return f"the dead letter names {told}, its original is at {[partition, offset]}"
        return ""

    def changed_surroundings(self, originals: list[Message]) -> list[str]:
        """Dead letters whose key or headers are not those of any of ``originals``.

        Headers that a pipeline adds about its own work do not matter.
        """
        if not self.records:
            return ["there is no dead letter"]
        found = []
        for record in self.records:
            # The original is the one that it is most like.
            differences = min(
                (_changes(record, m) for m in originals), key=len, default=["it was not sent"]
            )
            if differences:
                found.append(f"{_position(record)}, {record.ident}: {'; '.join(differences)}")
        return found


def _bytes_of(original: bytes | Embedded | None) -> bytes | None:
    """An original as explanations show it."""
    return json.dumps(original.value).encode() if isinstance(original, Embedded) else original


def _changes(record: Received, original: Message) -> list[str]:
    """What of the original's key and headers a record does not carry, expected and actual."""
    found = [] if record.key == original.key else [_expected("key", original.key, record.key)]
    names = {
        **original.headers,
        **dict.fromkeys(n for n in record.headers if n in ORIGINAL_HEADERS),
    }
    return found + [
        _expected(f"header {name!r}", original.headers.get(name), record.headers.get(name))
        for name in dict.fromkeys(names)
        if original.headers.get(name) != record.headers.get(name)
    ]


def _expected(what: str, expected: bytes | None, actual: bytes | None) -> str:
    was = "missing" if actual is None else f"{actual!r:.100}"
    return f"{what} expected {'none' if expected is None else f'{expected!r:.100}'}, was {was}"


class NoDeadLetters(DeadLetters):
    """Those of a system that has none."""

    def __init__(self) -> None:
        self._letters, self._sent = [], {}

    @property
    def reader(self) -> Reader:
        """Nobody reads them.

        Raises:
            NotSupported: always.
        """
        raise NotSupported(
            "the system has no dead letters",
            "its section in stackproof.toml names no contract and no topic for them",
            "name them there if it has some",
        )

    @reader.setter
    def reader(self, reader: Reader) -> None:
        raise AssertionError("nobody reads them")

    def counted(self) -> str:
        """None."""
        return "none"


@contextmanager
def with_reasons(*tell: Callable[[], str]) -> Iterator[None]:
    """Tell what contracts say about the messages when an assertion fails: first, save a death."""
    try:
        yield
    except AssertionError as error:
        texts = [text for told in tell if (text := told())]
        died = any(isinstance(e, Died) for e in (error, error.__cause__))
        error.args = ("\n".join([str(error), *texts] if died else [*texts, str(error)]),)
        raise


def _violations(contract: Contract, found: list[tuple[str, Received, str]], total: int) -> str:
    """Messages that do not conform, by identity and position; empty when there is none."""
    if not found:
        return ""
    lines = [
        f"  {ident:.60}, {_position(record)}: {wrong}" for ident, record, wrong in found[:_SHOWN]
    ]
    more = [f"  and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    head = f"{contract.title}: {len(found)} of {total} violate their contract {contract.file.name}"
    return "\n".join([head, *lines, *more])


def _position(record: Received) -> str:
    return f"{record.topic}/{record.partition}@{record.offset}"


def _shown(value: Any) -> str:
    return "missing" if value is MISSING else repr(value)
