"""Making a valid document invalid, in one way and in no other."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stackproof.errors import NotSupported
from stackproof.systems.contracts import Contract
from stackproof.systems.contracts.strict import MOST_NESTED
from stackproof.systems.inputs.generating import Generator
from stackproof.systems.places import Place
from stackproof.values import unknown_key

_STRANGER = "shoeSize"
_BEYOND = 1000
#: More levels than parsers accept that have a limit: .NET 64, serde 128, PHP 512, Jackson and
#: Python 1,000, Go 10,000.
_MANY_LEVELS = 12_000
_AROUND = 1024  # bytes for key, headers and the field's name, which some limits count too

#: A document in which a field was changed: where, and the whole.
Change = tuple[tuple[str, ...], Any]
#: A field of a document: where it stands, and its schema.
Field = tuple[tuple[str, ...], dict[str, Any]]


@dataclass(frozen=True)
class Spoiled:
    """An invalid message: its bytes, and the field that is wrong (empty: no certain one)."""

    value: bytes | None
    field: str = ""


class Flaws:
    """Spoils documents of one contract.

    Args:
        contract: which the documents fulfil before.
        generator: knows the contract's parts.
        spared: places that stay as they are, because other checks need them whole.
        not_applicable: kinds that the system does not have, with the reasons.
    """

    def __init__(
        self,
        contract: Contract,
        generator: Generator,
        *,
        spared: list[Place],
        not_applicable: Mapping[str, str],
    ):
        self._contract = contract
        self._generator = generator
        self._spared = spared
        self._not_applicable = not_applicable

    def check(self, kind: str) -> None:
        """See whether messages of that kind may be asked for.

        Raises:
            NotSupported: the system does not have such messages.
            Trouble: the kind is unknown.
        """
        if kind not in _KINDS:
            raise unknown_key(kind, _KINDS, "a feature, as a kind of invalid message")
        if kind in self._not_applicable:
            raise NotSupported(
                f"messages {kind!r} do not apply to this system", self._not_applicable[kind],
                "stackproof.toml says so, under not_applicable",
            )  # fmt: skip

    def spoil(self, document: Any, kind: str) -> Spoiled:
        """A message of that kind, made from a valid document.

        Raises:
            NotSupported: the contract, or the system, has no such messages.
            Trouble: the kind is unknown.
        """
        self.check(kind)
        made = _KINDS[kind](self, document)
        return made if isinstance(made, Spoiled) else Spoiled(made)

    # -- not even a document -------------------------------------------------
    def _not_json(self, document: Any) -> bytes:
        return json.dumps(document).encode()[:-2]

    def _not_text(self, document: Any) -> bytes:
        return b"\xff\xfe\x00" + json.dumps(document).encode()[:40]

    def _not_an_object(self, document: Any) -> bytes:
        if not isinstance(document, dict):
            raise self._none("its messages are no objects")
        return json.dumps(list(document.items())).encode()

    def _too_large(self, document: Any) -> bytes:
        limit = self._contract.most_bytes
        if limit is None:
            raise self._none("it says no limit (x-max-bytes)")
        # Blanks between tokens are valid JSON: nothing but the size is wrong.
        text = json.dumps(document)
        return (text[:-1] + " " * limit + text[-1]).encode()

    # -- JSON to lenient parsers only ----------------------------------------
    def _duplicate(self, document: Any) -> Spoiled:
        if not isinstance(document, dict):
            raise self._none("its messages are no objects")
        free = [n for n in document if not any(p.touches((n,)) for p in self._spared)]
        name = (free or list(document))[-1]
        return Spoiled(_added(document, name, json.dumps(document[name])), name)

    def _nan(self, document: Any) -> Spoiled:
        return self._number(document, "NaN")

    def _number_too_large(self, document: Any) -> Spoiled:
        return self._number(document, "1e400")

    def _number(self, document: Any, literal: str) -> Spoiled:
        """The literal in the place of a number, or of a field that nobody knows."""
        mark = "<a number>"
        for path, schema in self._fields(document):
            if schema.get("type") in ("number", "integer"):
                text = json.dumps(_changed(document, path, mark))
                return Spoiled(text.replace(f'"{mark}"', literal).encode(), _named(path))
        return Spoiled(_added(document, _STRANGER, literal), _STRANGER)

    def _too_deep(self, document: Any) -> Spoiled:
        levels = _MANY_LEVELS
        if self._contract.most_bytes is not None:
            room = self._contract.most_bytes - len(json.dumps(document)) - _AROUND
            levels = min(levels, room // 2)  # a bracket at each end
        if "x-max-nesting" in self._contract.schema:
            levels = self._contract.most_nested
        elif levels < MOST_NESTED:
            raise self._none("it would be too large (x-max-bytes) before; say x-max-nesting")
        return Spoiled(_added(document, _STRANGER, "[" * levels + "]" * levels), _STRANGER)

    # -- against the contract ------------------------------------------------
    def _wrong_type(self, document: Any) -> Spoiled:
        def numbers_first(field: Field) -> int:
            return 0 if field[1].get("type") in ("integer", "number") else 1

        def spoiled() -> Iterator[Change]:
            for path, schema in sorted(self._fields(document), key=numbers_first):
                others: tuple[Any, ...] = ("twelve", 12, True, [], {})
                for other in others:
                    if "enum" not in schema and "const" not in schema:
                        yield path, _changed(document, path, other)

        return self._first(spoiled(), {"type"}, "it has no field of a certain type")

    def _missing_field(self, document: Any) -> Spoiled:
        changed = ((path, _without(document, path)) for path, _ in self._fields(document))
        return self._first(changed, {"required"}, "it demands no field that may be missing")

    def _unknown_field(self, document: Any) -> Spoiled:
        objects = [(), *(p for p, _ in self._fields(document, whole=True))]
        changed = (
            ((*path, _STRANGER), _changed(document, (*path, _STRANGER), 43))
            for path in objects
            if isinstance(_at(document, path), dict)
        )
        return self._first(
            changed, {"additionalProperties", "unevaluatedProperties"},
            "none of its objects is closed (additionalProperties: false)",
        )  # fmt: skip

    def _out_of_range(self, document: Any) -> Spoiled:
        def spoiled() -> Iterator[Change]:
            for path, schema in self._fields(document):
                for bound in ("maximum", "exclusiveMaximum"):
                    if bound in schema:
                        step = schema.get("multipleOf", 1)
                        yield path, _changed(document, path, schema[bound] + step)
                for bound in ("minimum", "exclusiveMinimum"):
                    if bound in schema:
                        step = schema.get("multipleOf", 1)
                        yield path, _changed(document, path, schema[bound] - step)

        bounds = {"maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum"}
        return self._first(spoiled(), bounds, "it has no number with a bound")

    def _not_allowed(self, document: Any) -> Spoiled:
        def spoiled() -> Iterator[Change]:
            for path, schema in self._fields(document):
                allowed = [schema["const"]] if "const" in schema else schema.get("enum", [])
                if all(isinstance(v, str) for v in allowed) and allowed:
                    yield path, _changed(document, path, "none of these")
                elif allowed:
                    numbers = [v for v in allowed if isinstance(v, int | float)]
                    yield path, _changed(document, path, max(numbers, default=0) + _BEYOND)

        return self._first(spoiled(), {"enum", "const"}, "it lists no values that are allowed")

    def _bad_format(self, document: Any) -> Spoiled:
        changed = (
            (path, _changed(document, path, "the day before yesterday"))
            for path, schema in self._fields(document, spare_carried=False)
            if schema.get("format") in ("date-time", "date")
        )
        return self._first(changed, {"format"}, "it has no date", besides={"pattern", "maxLength"})

    # -- helpers -------------------------------------------------------------
    def _fields(
        self, document: Any, *, whole: bool = False, spare_carried: bool = True
    ) -> Iterator[Field]:
        """The fields that the document has, from the outside to the inside.

        Args:
            whole: also those that must not be changed, because something is added to them.
            spare_carried: leave out what the system carries over; its identity in any case.
        """
        spared = self._spared if spare_carried else self._spared[:1]

        def visit(value: Any, schema: Any, path: tuple[str, ...]) -> Iterator[Field]:
            if not isinstance(schema, Mapping):
                return
            resolved = self._generator.resolved(schema)
            if path and (whole or not any(place.touches(path) for place in spared)):
                yield path, resolved
            if isinstance(value, dict):
                for name, part in resolved.get("properties", {}).items():
                    if name in value:
                        yield from visit(value[name], part, (*path, name))
            elif isinstance(value, list) and value:
                yield from visit(value[0], resolved.get("items", {}), (*path, "0"))

        found = list(visit(document, self._contract.plain, ()))
        yield from sorted(found, key=lambda field: len(field[0]))

    def _first(
        self,
        spoiled: Iterator[Change],
        meant: set[str],
        otherwise: str,
        besides: set[str] = frozenset(),  # type: ignore[assignment]
    ) -> Spoiled:
        """The first of the spoiled documents that is wrong in this way, and in no other."""
        for path, document in spoiled:
            broken = self._contract.broken_keywords(document)
            if broken & meant and broken <= meant | besides:
                return Spoiled(json.dumps(document).encode(), _named(path))
        raise self._none(otherwise)

    def _none(self, why: str) -> NotSupported:
        return NotSupported(
            f"the contract {self._contract.file} knows no such invalid message",
            f"{why}, so this kind does not exist for it",
            "nothing is wrong; the scenario proves nothing for this system and counts as not run",
        )


_KINDS: dict[str, Callable[[Flaws, Any], Spoiled | bytes | None]] = {
    "that is not JSON": Flaws._not_json,
    "that is not text": Flaws._not_text,
    "that is not an object": Flaws._not_an_object,
    "with a value of the wrong type": Flaws._wrong_type,
    "with a missing field": Flaws._missing_field,
    "with a value out of range": Flaws._out_of_range,
    "with a value that is not allowed": Flaws._not_allowed,
    "with an unknown field": Flaws._unknown_field,
    "with a malformed date": Flaws._bad_format,
    "that is empty": lambda *_: b"",
    "that is null": lambda *_: None,
    "that is too large": Flaws._too_large,
    "with a duplicate field": Flaws._duplicate,
    "with NaN for a number": Flaws._nan,
    "with a number beyond a double": Flaws._number_too_large,
    "that is nested too deeply": Flaws._too_deep,
}


def kinds() -> list[str]:
    """The kinds of invalid messages, as features call them."""
    return list(_KINDS)


def _named(path: tuple[str, ...]) -> str:
    """The name of the field at a path; items of arrays have none of their own."""
    return next((part for part in reversed(path) if not part.isdigit()), "")


def _added(document: Any, name: str, literal: str) -> bytes:
    """An object as JSON with one more field."""
    return f"{json.dumps(document)[:-1]}, {json.dumps(name)}: {literal}}}".encode()


def _at(document: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        document = document[int(part) if isinstance(document, list) else part]
    return document


def _changed(document: Any, path: tuple[str, ...], value: Any) -> Any:
    changed = copy.deepcopy(document)
    holder = _at(changed, path[:-1])
    holder[int(path[-1]) if isinstance(holder, list) else path[-1]] = value
    return changed


def _without(document: Any, path: tuple[str, ...]) -> Any:
    changed = copy.deepcopy(document)
    holder = _at(changed, path[:-1])
    del holder[int(path[-1]) if isinstance(holder, list) else path[-1]]
    return changed
