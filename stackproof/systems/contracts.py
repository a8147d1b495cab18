"""What messages look like, read from JSON Schemas.

Schemas may carry these extension keywords, so that nothing in the suite is tied to
the field names of one system:

- ``x-identity``: the field that identifies the message's subject.
- ``x-carried``: fields that a transforming system copies unchanged from its input.
- ``x-original``, ``x-original-encoding``: in a dead letter, the field with the original
  message, and the field that says how it is encoded ("utf-8" or "base64").
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
            text = getattr(error, "message", str(error))
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

    def keyword(self, name: str) -> str:
        """The field that an extension keyword names, e.g. ``keyword("x-identity")``.

        Raises:
            Trouble: the schema has no such keyword.
        """
        try:
            return self.schema[name]
        except KeyError:
            raise Trouble(
                f"the contract {self.file} does not say its {name}",
                "a step needs to know which field that is",
                f'add "{name}": "<field>" to the schema\'s top level',
            ) from None

    @property
    def carried(self) -> list[str]:
        """Fields copied unchanged from the input; the identity at least."""
        return list(self.schema.get("x-carried", [self.keyword("x-identity")]))

    def errors(self, document: Any) -> list[str]:
        """What is wrong with a document; empty when it conforms."""
        found = sorted(self._validator.iter_errors(document), key=lambda e: list(map(str, e.path)))
        return [f"{'.'.join(map(str, e.path)) or 'the message'}: {e.message}" for e in found]

    def parse(self, value: bytes | None) -> dict[str, Any]:
        """Decode a message and check it.

        Raises:
            ContractViolationError: it is no JSON object or does not conform.
        """
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

    def original(self, dead_letter: Mapping[str, Any]) -> bytes | None:
        """The original message inside a dead letter, byte for byte; None for a tombstone.

        Raises:
            ContractViolationError: it cannot be decoded as the letter says.
        """
        text = dead_letter.get(self.keyword("x-original"))
        encoding = dead_letter.get(self.schema.get("x-original-encoding", ""), "utf-8")
        if text is None:
            return None
        if not isinstance(text, str):
            raise ContractViolationError(f"the original message is no text but {text!r:.100}")
        if encoding == "base64":
            try:
                return base64.b64decode(text, validate=True)
            except binascii.Error as error:
                raise ContractViolationError(f"the original is no base64: {error}") from error
        if encoding not in ("utf-8", None):
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
