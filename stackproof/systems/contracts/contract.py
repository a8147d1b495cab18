"""What messages look like, read from JSON Schemas.

Schemas may carry these extension keywords, so that nothing in the suite is tied to
the field names of one system. A field is given by its name or by a JSON pointer
("/customer/id", RFC 6901):

- ``x-identity``: the field that identifies the message's subject.
- ``x-carried``: fields that a transforming system copies unchanged from its input: a list,
  or an object from the output's field to the input's where the two are called differently.
- ``x-original``, ``x-original-encoding``: in a dead letter, the field with the original
  message, and the field that says how it is encoded: "utf-8", "base64", or "json" where the
  original is a JSON value inside of the letter. Instead of a field, one of these three words.
- ``x-omitted``: what the field of ``x-original-encoding`` says in a dead letter that would be
  larger than ``x-max-bytes`` with its original, and comes without it; ``x-source-partition`` and
  ``x-source-offset`` tell where the original is.
- ``x-describes``: "headers" when a dead letter's value is the original itself, byte for byte;
  the schema is then that of its headers, an object of texts.
- ``x-error-type``, ``x-error-text``, ``x-source-topic``, ``x-failed-at``: a dead letter's
  error details.
- ``x-max-bytes``, ``x-max-nesting``: what is larger (key, value and headers together), or nested
  deeper, is invalid.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from stackproof.errors import Trouble
from stackproof.matching import NotJson
from stackproof.systems.contracts.strict import MOST_NESTED, strict_json
from stackproof.systems.places import MISSING, Place

_ERRORS_SHOWN = 3
_ERROR_CHARACTERS = 300
_ENCODINGS = ("utf-8", "base64", "json")


class ContractViolationError(AssertionError):
    """A message is not what its contract says."""


@dataclass(frozen=True)
class Embedded:
    """An original that is a JSON value inside of its dead letter."""

    value: Any


class Contract:
    """One message contract.

    Args:
        file: the JSON Schema.

    Raises:
        Trouble: the file, or one that it refers to, is no JSON Schema of which all is understood.
    """

    def __init__(self, file: Path):
        from stackproof.systems.contracts.schema import load_schema

        self.file = file
        self._loaded = load_schema(file)
        self.schema = self._loaded.content
        #: For who makes values: see `stackproof.systems.contracts.schema.Schema`.
        self.plain, self.parts = self._loaded.plain, self._loaded.parts

    @property
    def title(self) -> str:
        """Name for people."""
        return str(self.schema.get("title", self.file.stem))

    @property
    def most_nested(self) -> int:
        """Levels of arrays and objects that a message may have."""
        return self._positive("x-max-nesting") or MOST_NESTED

    @property
    def most_bytes(self) -> int | None:
        """Above this size a message is too large; None: the contract does not say."""
        return self._positive("x-max-bytes")

    def _positive(self, keyword: str) -> int | None:
        number = self.schema.get(keyword)
        if keyword in self.schema and (type(number) is not int or number < 1):
            raise Trouble(f"{keyword} in the contract {self.file} cannot be {number!r:.100}",
                          "a whole number above 0 is expected", "correct it")  # fmt: skip
        return number

    def place(self, keyword: str) -> Place:
        """The field that an extension keyword names, e.g. ``place("x-identity")``.

        Raises:
            Trouble: the schema has no such keyword, or it names no field.
        """
        named = self.schema.get(keyword)
        if isinstance(named, str) and named:
            return Place(named)
        if named is not None:
            raise Trouble(
                f"{keyword} in the contract {self.file} cannot be {named!r}",
                "it names one field",
                f'write "{keyword}": "<field>", or "/outer/inner" for a nested one',
            )
        raise Trouble(
            f"the contract {self.file} does not say its {keyword}",
            "a step needs to know which field that is",
            f'add "{keyword}": "<field>" to the schema\'s top level',
        )

    @cached_property
    def carried(self) -> dict[Place, Place]:
        """The input's field by the output's, for all that is copied unchanged.

        Raises:
            Trouble: ``x-carried`` is neither a list nor an object of fields.
        """
        named = self.schema.get("x-carried", [])
        pairs = {name: name for name in named} if isinstance(named, list) else named
        if not isinstance(pairs, dict) or not all(isinstance(v, str) for v in pairs.values()):
            raise Trouble(
                f"x-carried in the contract {self.file} cannot be {named!r:.100}",
                "it lists fields, or gives the input's field for each of the output's",
                'e.g. "x-carried": ["id", "at"] or "x-carried": {"/subject/id": "id"}',
            )
        return {Place(output): Place(given) for output, given in pairs.items()}

    @property
    def describes_headers(self) -> bool:
        """Whether the schema is that of a record's headers, its value being the original.

        Raises:
            Trouble: ``x-describes`` says something else.
        """
        what = self.schema.get("x-describes", "value")
        if what not in ("value", "headers"):
            raise Trouble(
                f"x-describes in the contract {self.file} cannot be {what!r}",
                'a contract describes the "value" of a record, or its "headers"',
                "correct it",
            )
        return what == "headers"

    def errors(self, document: Any) -> list[str]:
        """What is wrong with a document; empty when it conforms."""
        return [
            f"{_plain('.'.join(map(str, e.path))) or 'the message'}: {_cut(e.message)}"
            for e in self._violations(document)
        ]

    def broken_keywords(self, document: Any) -> set[str]:
        """Keywords of the schema that a document violates, e.g. {"required"}."""
        return {str(error.validator) for error in self._violations(document)}

    def _violations(self, document: Any) -> list[Any]:
        try:
            found = self._loaded.validator.iter_errors(document)
            return sorted(found, key=lambda error: list(map(str, error.path)))
        except Exception as error:  # a checker of formats or patterns may raise anything
            from jsonschema import ValidationError

            kind = type(error).__name__
            return [ValidationError(f"cannot be judged by its contract: {kind}: {error}")]

    def read(self, value: bytes | None, headers: Mapping[str, bytes] | None = None) -> Any:
        """What the contract describes: the document in a message, or its headers.

        Raises:
            NotJson: the message is no JSON.
        """
        if self.describes_headers:
            return {
                name: text.decode("utf-8", "backslashreplace")
                for name, text in (headers or {}).items()
            }
        return strict_json(value, most_nested=self.most_nested)

    def judged(
        self, value: bytes | None, headers: Mapping[str, bytes] | None = None
    ) -> tuple[Any, str]:
        """The document in a message (None: there is none), and why it does not conform, or ""."""
        try:
            document = self.read(value, headers)
        except NotJson as error:
            return None, f"it is not JSON: {error}: {(value or b'')!r:.100}"
        errors = self.errors(document)
        more = [f"and {len(errors) - _ERRORS_SHOWN} more"] if len(errors) > _ERRORS_SHOWN else []
        return document, "; ".join([*errors[:_ERRORS_SHOWN], *more])

    def parse(
        self, value: bytes | None, headers: Mapping[str, bytes] | None = None
    ) -> dict[str, Any]:
        """Decode a message and check it.

        Raises:
            ContractViolationError: it is not JSON or does not conform.
        """
        document, wrong = self.judged(value, headers)
        if wrong:
            raise ContractViolationError(f"{self.title} violates its contract: {wrong}")
        assert isinstance(document, dict)
        return document

    def original(
        self, dead_letter: Mapping[str, Any], value: bytes | None = None
    ) -> bytes | Embedded | None:
        """The original message of a dead letter, byte for byte; None for a tombstone.

        Args:
            dead_letter: what `parse` returned.
            value: the record's own value.

        Raises:
            ContractViolationError: it cannot be decoded as the letter says.
        """
        if self.describes_headers:
            return value
        found, encoding = self.place("x-original").of(dead_letter), self._encoding(dead_letter)
        if found is MISSING or (found is None and encoding != "json"):
            return None
        if encoding == "json" or (encoding is None and not isinstance(found, str)):
            return Embedded(found)
        if not isinstance(found, str):
            raise ContractViolationError(
                f"the original message is no text but {found!r:.100}, though its encoding is said "
                f'to be {encoding!r}; for originals that are JSON values it is "json"'
            )
        if encoding == "base64":
            try:
                return base64.b64decode(found, validate=True)
            except ValueError as error:
                raise ContractViolationError(f"the original is no base64: {error}") from error
        if encoding not in ("utf-8", None):
            raise ContractViolationError(
                f"the original is encoded as {encoding!r:.100}, which is unknown; "
                f"known: {', '.join(_ENCODINGS)}"
            )
        return found.encode("utf-8", "surrogatepass")

    def omits(self, dead_letter: Mapping[str, Any]) -> bool:
        """Whether a dead letter says that its original was left out (``x-omitted``)."""
        omitted = self.schema.get("x-omitted")
        return omitted is not None and omitted == self._encoding(dead_letter)

    def _encoding(self, dead_letter: Mapping[str, Any]) -> Any:
        """How the original of a letter is encoded; None: it is not said."""
        named = self.schema.get("x-original-encoding")
        if named in _ENCODINGS and named not in self.schema.get("properties", {}):
            return named
        found = None if named is None else self.place("x-original-encoding").of(dead_letter)
        return None if found is MISSING else found


def _plain(text: str) -> str:
    """Without lone surrogates, which JSON allows and no output can show."""
    return text.encode("utf-8", "backslashreplace").decode()


def _cut(text: str) -> str:
    text = _plain(text)
    return text if len(text) <= _ERROR_CHARACTERS else f"{text[:_ERROR_CHARACTERS]}..."
