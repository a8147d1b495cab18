"""Inputs for a system, valid and invalid, generated from its contract.

Reproducible: the same seed gives the same inputs. Every valid input is checked
against the contract before it is used, so that a mistake here cannot pass for one
of the system.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import rstr

from stackproof.clients.kafka.messages import Message
from stackproof.errors import Trouble
from stackproof.history import carried_digest
from stackproof.systems.contracts import Contract
from stackproof.systems.labels import INVALID, VALID

#: Headers that every generated message has.
ORIGINAL_HEADERS = ("trace-id", "origin")
_CHECKED = 100  # one structure for all: the first ones tell whether the generator fits
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Inputs:
    """Generates messages for one contract.

    Args:
        contract: of the system's input.
        carried: fields whose values the system must carry over.
        seed: makes the sequence reproducible.
    """

    def __init__(self, contract: Contract, carried: list[str], seed: int):
        self._contract = contract
        self._identity = contract.keyword("x-identity")
        self._carried = carried
        self._dice = random.Random(seed)
        self._text = rstr.Rstr(self._dice)
        self._moment = _EPOCH + timedelta(seconds=self._dice.randrange(10**6))
        self._used: set[Any] = set()
        self._made = 0

    # -- valid ---------------------------------------------------------------
    def document(self) -> dict[str, Any]:
        """A valid document with an identity that was not used before."""
        schema = self._contract.schema
        for _ in range(1000):
            document = {
                name: self._value(name, definition)
                for name, definition in schema.get("properties", {}).items()
            }
            if document[self._identity] not in self._used:
                break
        else:
            raise Trouble(
                f"no unused {self._identity} is left to generate",
                f"the contract allows few values, {len(self._used)} are used",
                "widen the field's pattern in the contract",
            )
        self._used.add(document[self._identity])
        self._made += 1
        if self._made <= _CHECKED and (errors := self._contract.errors(document)):
            raise Trouble(
                f"no valid input can be generated from {self._contract.file}",
                f"the generator does not understand a part of it: {errors[0]}",
                "simplify that field's schema",
            )
        return document

    def valid(self, count: int) -> list[Message]:
        """``count`` valid messages, keyed by their identity."""
        return [self._message(self.document()) for _ in range(count)]

    def _message(self, document: dict[str, Any]) -> Message:
        return Message(
            key=str(document[self._identity]).encode(),
            value=json.dumps(document).encode(),
            label=VALID,
            carried=carried_digest({name: document.get(name) for name in self._carried}),
            headers=self._headers(),
        )

    def _value(self, name: str, schema: dict[str, Any]) -> Any:
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._dice.choice(schema["enum"])
        kind = schema.get("type", "string")
        if isinstance(kind, list):
            kind = next(k for k in kind if k != "null")
        low, high = _range(schema)
        if kind == "integer":
            return self._dice.randint(int(low), int(high))
        if kind == "number":
            return round(self._dice.uniform(low, high), 2)
        if kind == "boolean":
            return self._dice.random() < 0.5
        if kind == "string" and schema.get("format") == "date-time":
            self._moment += timedelta(milliseconds=self._dice.randint(1, 1000))
            return self._moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if kind == "string" and "pattern" in schema:
            return self._text.xeger(schema["pattern"].removeprefix("^").removesuffix("$"))
        if kind == "string":
            length = max(schema.get("minLength", 0), min(12, schema.get("maxLength", 12)))
            return self._text.letters(length)
        raise Trouble(
            f"no value can be generated for the field {name!r} of {self._contract.file}",
            f"fields of type {kind!r} are not generated",
            "simplify the contract",
        )

    # -- invalid -------------------------------------------------------------
    def invalid(self, kind: str) -> Message:
        """One message of a kind of `kinds`, keyed like a valid one.

        Raises:
            Trouble: the kind is unknown, or the contract has nothing to violate that way.
        """
        if kind not in _KINDS:
            raise Trouble(
                f"no invalid message of kind {kind!r} can be made",
                f"the kinds are: {', '.join(kinds())}",
                "correct the feature",
            )
        document = self.document()
        key = str(document[self._identity]).encode()
        value = _KINDS[kind](self, document)
        return Message(key=key, value=value, label=INVALID, headers=self._headers())

    def _headers(self) -> dict[str, bytes]:
        values = (f"{self._dice.getrandbits(64):016x}".encode(), b"acceptance")
        return dict(zip(ORIGINAL_HEADERS, values, strict=True))

    def _field(self, wanted: Callable[[str, dict[str, Any]], bool], what: str) -> str:
        # Never the identity or what is carried: other checks need them whole.
        spared = {self._identity, *self._carried}
        for name, schema in self._contract.schema.get("properties", {}).items():
            if name not in spared and wanted(name, schema):
                return name
        raise Trouble(
            f"the contract {self._contract.file} has no field {what}",
            "so this kind of invalid message does not exist for it",
            "leave this example out for this system",
        )

    def _not_json(self, document: dict[str, Any]) -> bytes:
        return json.dumps(document).encode()[:-2]

    def _not_text(self, document: dict[str, Any]) -> bytes:
        return b"\xff\xfe\x00" + json.dumps(document).encode()[:40]

    def _not_an_object(self, document: dict[str, Any]) -> bytes:
        return json.dumps(list(document.items())).encode()

    def _wrong_type(self, document: dict[str, Any]) -> bytes:
        name = self._field(
            lambda _, s: s.get("type") in ("integer", "number") and "enum" not in s,
            "with a number",
        )
        return json.dumps({**document, name: "twelve"}).encode()

    def _missing_field(self, document: dict[str, Any]) -> bytes:
        required = self._contract.schema.get("required", [])
        name = self._field(lambda n, _: n in required, "that is required")
        return json.dumps({k: v for k, v in document.items() if k != name}).encode()

    def _out_of_range(self, document: dict[str, Any]) -> bytes:
        name = self._field(lambda _, s: "maximum" in s, "with a maximum")
        high = self._contract.schema["properties"][name]["maximum"]
        return json.dumps({**document, name: high + 1}).encode()

    def _not_allowed(self, document: dict[str, Any]) -> bytes:
        name = self._field(lambda _, s: "enum" in s, "with listed values")
        values = self._contract.schema["properties"][name]["enum"]
        other: Any = "none of these" if isinstance(values[0], str) else max(values) + 1
        return json.dumps({**document, name: other}).encode()

    def _unknown_field(self, document: dict[str, Any]) -> bytes:
        if self._contract.schema.get("additionalProperties", True) is not False:
            self._field(lambda *_: False, "set closed (additionalProperties: false)")
        return json.dumps({**document, "shoeSize": 43}).encode()

    def _bad_format(self, document: dict[str, Any]) -> bytes:
        properties = self._contract.schema.get("properties", {})
        dated = [n for n, s in properties.items() if s.get("format") == "date-time"]
        if not dated:
            self._field(lambda *_: False, "with a date")
        return json.dumps({**document, dated[0]: "the day before yesterday"}).encode()

    def _too_large(self, document: dict[str, Any]) -> bytes:
        # Blanks between tokens are valid JSON: nothing but the size is wrong.
        limit = int(self._contract.schema.get("x-max-bytes", 65_536))
        text = json.dumps(document)
        return (text[:-1] + " " * limit + "}").encode()


_KINDS: dict[str, Callable[[Inputs, dict[str, Any]], bytes | None]] = {
    "that is not JSON": Inputs._not_json,
    "that is not text": Inputs._not_text,
    "that is not an object": Inputs._not_an_object,
    "with a value of the wrong type": Inputs._wrong_type,
    "with a missing field": Inputs._missing_field,
    "with a value out of range": Inputs._out_of_range,
    "with a value that is not allowed": Inputs._not_allowed,
    "with an unknown field": Inputs._unknown_field,
    "with a malformed date": Inputs._bad_format,
    "that is empty": lambda *_: b"",
    "that is null": lambda *_: None,
    "that is too large": Inputs._too_large,
}


def kinds() -> list[str]:
    """The kinds of invalid messages, as features call them."""
    return list(_KINDS)


def _range(schema: dict[str, Any]) -> tuple[float, float]:
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    high = schema.get("maximum", schema.get("exclusiveMaximum", max(low, 0) + 1000))
    if "exclusiveMinimum" in schema:
        low += 1 if schema.get("type") == "integer" else 0.01
    if "exclusiveMaximum" in schema:
        high -= 1 if schema.get("type") == "integer" else 0.01
    return low, high
