"""Documents that conform to a JSON Schema, reproducible from a seed.

Own code, because the libraries were looked at (November 2026) and none fits: see
docs/systems.md. What is generated is checked against the schema by whoever uses it,
so that a keyword which is not understood here leads to a message, never to a wrong input.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import rstr

from stackproof.errors import Trouble
from stackproof.systems.places import Place

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_OPTIONAL = 0.8  # how often a field is there that need not be
_MOST_ITEMS = 3  # more than what is demanded
_DEEP = 6  # from here on only what is demanded: schemas may refer to themselves
_DEEPEST = 12
_TYPES_BY_KEYWORD = {
    "properties": "object", "required": "object", "items": "array", "prefixItems": "array",
    "minItems": "array", "minimum": "number", "maximum": "number", "multipleOf": "number",
    "exclusiveMinimum": "number", "exclusiveMaximum": "number",
}  # fmt: skip


class Generator:
    """Generates values for the parts of one schema.

    Args:
        schema: the whole schema, in the words of the newest draft.
        seed: makes the sequence reproducible.
        parts: what ``$ref`` refer to, by name; see `stackproof.systems.contracts.schema`.
        demanded: places that every document must have, though the schema may not demand it.
        name: of the schema, for messages.
    """

    def __init__(
        self,
        schema: Mapping[str, Any],
        seed: int,
        *,
        parts: Mapping[str, Any],
        demanded: list[Place],
        name: str,
    ):
        self._root = schema
        self._parts = parts
        self._name = name
        self._demanded = demanded
        self.dice = random.Random(seed)
        self._text = rstr.Rstr(self.dice)
        self._moment = _EPOCH + timedelta(seconds=self.dice.randrange(10**6))

    def document(self) -> Any:
        """A value for the whole schema."""
        return self.value(self._root, ())

    def value(self, schema: Any, path: tuple[str, ...]) -> Any:
        """A value for a part of the schema, which stands at ``path``.

        Raises:
            Trouble: the schema allows nothing that can be generated.
        """
        if len(path) > _DEEPEST:
            raise self._cannot(path, "it is nested without end")
        schema = self.resolved(schema)
        for keyword in ("oneOf", "anyOf"):
            if schema.get(keyword):
                chosen = self.dice.choice([s for s in schema[keyword] if s is not False])
                rest = {k: v for k, v in schema.items() if k != keyword}
                return self.value(_merged(rest, self.resolved(chosen)), path)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.dice.choice(schema["enum"])
        kind = self._kind(schema)
        if kind == "object":
            return self._object(schema, path)
        if kind == "array":
            return self._array(schema, path)
        if kind in ("integer", "number"):
            return self._number(schema, path, whole=kind == "integer")
        if kind == "boolean":
            return self.dice.random() < 0.5
        if kind == "null":
            return None
        if kind == "string":
            return self._string(schema)
        raise self._cannot(path, f"fields of type {kind!r} are not generated")

    def resolved(self, schema: Any) -> dict[str, Any]:
        """A schema with its ``$ref`` followed and its ``allOf`` merged in."""
        if schema is True:
            return {}
        if not isinstance(schema, Mapping):
            raise self._cannot((), f"{schema!r} allows nothing")
        merged = dict(schema)
        for _ in range(_DEEPEST):
            if "$ref" not in merged:
                break
            referred = self._parts[merged.pop("$ref")]
            if referred is False:
                raise self._cannot((), "False allows nothing")
            merged = _merged(merged, {} if referred is True else dict(referred))
        for part in merged.pop("allOf", []):
            if isinstance(part, Mapping) and "if" in part:
                continue  # conditions are left to the check of the whole
            merged = _merged(merged, self.resolved(part))
        return merged

    def _kind(self, schema: Mapping[str, Any]) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            # Null is rightly there, but says nothing: rather something.
            kind = next((k for k in kind if k != "null"), "null")
        if kind is None:
            kind = next((t for k, t in _TYPES_BY_KEYWORD.items() if k in schema), "string")
        return str(kind)

    def _object(self, schema: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        required = schema.get("required", [])
        made = {}
        for name, part in schema.get("properties", {}).items():
            here = (*path, name)
            wanted = name in required or any(place.touches(here) for place in self._demanded)
            optional = len(path) < _DEEP and self.dice.random() < _OPTIONAL
            if part is not False and (wanted or optional):
                made[name] = self.value(part, here)
        for name in required:
            if name not in made:
                made[name] = self.value(schema.get("additionalProperties", {}), (*path, name))
        return made

    def _array(self, schema: Mapping[str, Any], path: tuple[str, ...]) -> list[Any]:
        first = schema.get("prefixItems", [])
        least = max(schema.get("minItems", 0), len(first))
        most = max(least, min(schema.get("maxItems", least + _MOST_ITEMS), least + _MOST_ITEMS))
        most = most if len(path) < _DEEP else least
        rest = schema.get("items", {})
        count = len(first) if rest is False else self.dice.randint(max(least, min(1, most)), most)
        items: list[Any] = []
        for index in range(count):
            part = first[index] if index < len(first) else rest
            for _ in range(50):
                item = self.value(part, (*path, str(index)))
                if not schema.get("uniqueItems") or item not in items:
                    items.append(item)
                    break
        return items

    def _number(self, schema: Mapping[str, Any], path: tuple[str, ...], *, whole: bool) -> Any:
        low, high = _range(schema, whole=whole)
        step = schema.get("multipleOf")
        if step:
            first, last = -(-low // step), high // step
            if first > last:
                raise self._cannot(path, f"no multiple of {step} lies between {low} and {high}")
            number = self.dice.randint(int(first), int(last)) * step
            return int(number) if whole else round(number, 9)
        if low > high:
            raise self._cannot(path, f"no number lies between {low} and {high}")
        if whole:
            return self.dice.randint(int(-(-low // 1)), int(high // 1))
        number = round(self.dice.uniform(low, high), 2)
        return number if low <= number <= high else (low + high) / 2

    def _string(self, schema: Mapping[str, Any]) -> str:
        form = schema.get("format")
        least, most = schema.get("minLength", 0), schema.get("maxLength", 10**6)
        dice = self.dice
        self._moment += timedelta(milliseconds=dice.randint(1, 1000))
        if "pattern" in schema and form != "date-time":
            return self._matching(schema["pattern"])
        if form == "date-time":
            return self._moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if form == "date":
            return (self._moment - timedelta(days=dice.randrange(9000))).date().isoformat()
        if form == "time":
            return self._moment.time().isoformat(timespec="seconds") + "Z"
        if form == "uuid":
            return str(uuid.UUID(int=dice.getrandbits(128), version=4))
        if form in ("email", "idn-email"):
            return f"{self._text.letters(8).lower()}@example.org"
        if form in ("hostname", "idn-hostname"):
            return f"{self._text.letters(8).lower()}.example.org"
        if form in ("uri", "url", "iri", "uri-reference"):
            return f"https://example.org/{self._text.letters(8).lower()}"
        if form == "ipv4":
            return f"192.0.2.{dice.randrange(1, 255)}"
        if form == "ipv6":
            return f"2001:db8::{dice.randrange(1, 0xFFFF):x}"
        if form == "duration":
            return f"PT{dice.randrange(1, 10**6)}S"
        if form == "json-pointer":
            return f"/{self._text.letters(8)}"
        if form == "relative-json-pointer":
            return f"{dice.randrange(3)}/{self._text.letters(8)}"
        if form == "uri-template":
            return f"https://example.org/{{{self._text.letters(8)}}}"
        return self._text.letters(max(least, min(12, most)))

    def _matching(self, pattern: str) -> str:
        try:
            return str(self._text.xeger(pattern.removeprefix("^").removesuffix("$")))
        except Exception as error:  # rstr says in many ways what it does not know
            why = f"no text can be made for the pattern {pattern!r:.100}: {error!r:.100}"
            raise self._cannot((), why) from error

    def _cannot(self, path: tuple[str, ...], why: str) -> Trouble:
        where = f"the field {'/'.join(path)!r} of " if path else ""
        return Trouble(
            f"no value can be generated for {where}{self._name}",
            why,
            'simplify that part of the contract, or give samples: samples = "valid.jsonl"',
        )


def _range(schema: Mapping[str, Any], *, whole: bool) -> tuple[Any, Any]:
    """The smallest and the largest number, both included."""
    step = 1 if whole else 0.01
    lows = [schema["minimum"]] if "minimum" in schema else []
    highs = [schema["maximum"]] if "maximum" in schema else []
    if "exclusiveMinimum" in schema:
        lows.append(schema["exclusiveMinimum"] + step)
    if "exclusiveMaximum" in schema:
        highs.append(schema["exclusiveMaximum"] - step)
    high = min(highs) if highs else None
    low = max(lows) if lows else (0 if high is None or high >= 0 else high - 1000)
    return low, max(low, 0) + 1000 if high is None else high


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Both schemas at once, as far as that can be said by one."""
    merged = {**one}
    for key, value in other.items():
        if key not in merged:
            merged[key] = value
        elif key == "required":
            merged[key] = list(dict.fromkeys([*merged[key], *value]))
        elif key == "properties":
            merged[key] = {
                name: _merged(merged[key][name], part)
                if isinstance(part, Mapping) and isinstance(merged[key].get(name), Mapping)
                else part
                for name, part in {**merged[key], **value}.items()
            }
        elif key in ("minimum", "exclusiveMinimum", "minLength", "minItems"):
            merged[key] = max(merged[key], value)
        elif key in ("maximum", "exclusiveMaximum", "maxLength", "maxItems"):
            merged[key] = min(merged[key], value)
        elif key == "enum":
            merged[key] = [v for v in merged[key] if v in value]
        elif key in ("allOf", "oneOf", "anyOf"):
            merged[key] = value
        else:
            merged[key] = value
    return merged
