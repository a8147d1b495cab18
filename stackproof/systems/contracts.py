"""What messages look like, read from JSON Schemas.

Schemas may carry these extension keywords, so that nothing in the suite is tied to
the field names of one system. A field is given by its name or by a JSON pointer
("/customer/id", RFC 6901):

- ``x-identity``: the field that identifies the message's subject.
- ``x-carried``: fields that a transforming system copies unchanged from its input: a list,
  or an object from the output's field to the input's where the two are called differently.
- ``x-original``, ``x-original-encoding``: in a dead letter, the field with the original
  message, and the field that says how it is encoded ("utf-8" or "base64").
- ``x-describes``: "headers" when a dead letter's value is the original itself, byte for byte;
  the schema is then that of its headers, an object of texts.
- ``x-error-type``, ``x-source-topic``, ``x-failed-at``: a dead letter's error details.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import jsonschema

from stackproof.errors import Trouble
from stackproof.systems.places import MISSING, Place

_ERRORS_SHOWN = 3


class ContractViolationError(AssertionError):
    """A message is not what its contract says."""


class Contract:
    """One message contract.

    Args:
        file: the JSON Schema.

    Raises:
        Trouble: the file is no usable JSON Schema.
    """

    def __init__(self, file: Path):
        self.file = file
        try:
            self.schema: dict[str, Any] = json.loads(file.read_text())
            jsonschema.Draft202012Validator.check_schema(self.schema)
        except (OSError, json.JSONDecodeError, jsonschema.SchemaError) as error:
            text = str(error)
            if isinstance(error, jsonschema.SchemaError):
                text = f"it is no JSON Schema: {error.json_path}: {error.message}"
            raise Trouble(f"the contract {file} cannot be used", text, "correct it") from error

    @property
    def title(self) -> str:
        """Name for people."""
        return str(self.schema.get("title", self.file.stem))

    @cached_property
    def _validator(self) -> Any:
        return jsonschema.Draft202012Validator(
            self.schema, format_checker=jsonschema.FormatChecker()
        )

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
        found = sorted(self._validator.iter_errors(document), key=lambda e: list(map(str, e.path)))
        return [f"{'.'.join(map(str, e.path)) or 'the message'}: {e.message}" for e in found]

    def broken_keywords(self, document: Any) -> set[str]:
        """Keywords of the schema that a document violates, e.g. {"required"}."""
        return {str(error.validator) for error in self._validator.iter_errors(document)}

    def parse(
        self, value: bytes | None, headers: Mapping[str, bytes] | None = None
    ) -> dict[str, Any]:
        """Decode a message and check it.

        Raises:
            ContractViolationError: it is no JSON object or does not conform.
        """
        document: Any
        if self.describes_headers:
            document = {
                name: text.decode("utf-8", "backslashreplace")
                for name, text in (headers or {}).items()
            }
        else:
            try:
                document = json.loads(value or b"")
            except ValueError as error:
                raise ContractViolationError(
                    f"{self.title} is not JSON: {error}: {value!r:.200}"
                ) from error
        errors = self.errors(document)
        if errors:
            shown = "\n  ".join(errors[:_ERRORS_SHOWN])
            raise ContractViolationError(f"{self.title} violates its contract:\n  {shown}")
        return document

    def original(self, dead_letter: Mapping[str, Any], value: bytes | None = None) -> bytes | None:
        """The original message of a dead letter, byte for byte; None for a tombstone.

        Args:
            dead_letter: what `parse` returned.
            value: the record's own value.

        Raises:
            ContractViolationError: it cannot be decoded as the letter says.
        """
        if self.describes_headers:
            return value
        text = self.place("x-original").of(dead_letter)
        encoding: Any = "utf-8"
        if "x-original-encoding" in self.schema:
            encoding = self.place("x-original-encoding").of(dead_letter)
        if text is None or text is MISSING:
            return None
        if not isinstance(text, str):
            raise ContractViolationError(f"the original message is no text but {text!r:.100}")
        if encoding == "base64":
            try:
                return base64.b64decode(text, validate=True)
            except binascii.Error as error:
                raise ContractViolationError(f"the original is no base64: {error}") from error
        if encoding not in ("utf-8", None, MISSING):
            raise ContractViolationError(
                f"the original is encoded as {encoding!r}, which is unknown"
            )
        return text.encode("utf-8", "surrogatepass")


def lenient_object(value: bytes | None) -> dict[str, Any]:
    """The JSON object in a message; empty when it is none."""
    try:
        document = json.loads(value or b"")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
