"""Events that sinks are handed, and what of them can be found where they arrive."""

from __future__ import annotations

import itertools
import json
import random
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from stackproof.systems.places import MISSING, Place

Event = dict[str, Any]
IDENT = "event_id"
#: The fields of an event, in the order in which they are told.
FIELDS = (
    IDENT, "execution_id", "module_name", "method_name", "event_type", "operation", "data", "tags",
    "timestamp",
)  # fmt: skip
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_TYPES, _OPERATIONS = ("call", "return", "error"), ("create", "read", "update", "delete")


def made(seed: int) -> Iterator[Event]:
    """Distinct events without an end, of all kinds of contents; the same for the same seed."""
    chance = random.Random(seed)
    names = ("Zoë", "王", "O'Neil")
    execution = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    for number in itertools.count(1):
        yield {
            IDENT: str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "execution_id": execution,
            "module_name": chance.choice(("shop.orders", "shop.payments", "shop.größen")),
            "method_name": chance.choice(("place", "cancel", "refund")),
            "event_type": chance.choice(_TYPES),
            "operation": chance.choice(_OPERATIONS),
            "data": {
                "number": number,
                "amount": chance.randrange(1, 1_000_000) / 100,
                "customer": {"name": chance.choice(names), "new": number % 7 == 0},
                "lines": [chance.randrange(1000) for _ in range(chance.randrange(4))],
                "note": chance.choice((None, "", 'a "quoted" note\nin two lines')),
            },
            "tags": {"team": "shop", "round": str(number % 10)},
            "timestamp": (_BEGAN + timedelta(milliseconds=number)).isoformat(),
        }


def document(fields: Mapping[str, str]) -> Any:
    """What a message of texts by name holds: the JSON of a whole event in one, or those fields."""
    for text in fields.values():
        found = parsed(text)
        if isinstance(found, dict) and len(found) > 1 and len(fields) < len(FIELDS) // 2:
            return found
    return dict(fields)


def parsed(text: str) -> Any:
    """A text as JSON; as it is where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


class Reading:
    """Finds an event in what has arrived.

    Args:
        places: where a field stands, by its name: a name or a JSON pointer; "": nowhere.
    """

    def __init__(self, places: Mapping[str, str]):
        self._places = {name: Place(places.get(name, name)) for name in FIELDS}
        self._carried = [name for name in FIELDS if self._places[name].text]

    def ident(self, found: Any) -> str:
        """Which event it is; empty: it has no ID."""
        ident = self._places[IDENT].of(found)
        return "" if ident is MISSING else str(ident)

    def content(self, found: Any) -> str:
        """The fields that sinks of this kind carry, in one text that is the same for the same."""
        fields = {name: self._places[name].of(found) for name in self._carried}
        return _shown({
            name: parsed(value) if name in ("data", "tags") and isinstance(value, str) else value
            for name, value in fields.items() if value is not MISSING
        })  # fmt: skip

    def expected(self, event: Event) -> str:
        """The same of an event as it was handed over."""
        return _shown({name: event[name] for name in self._carried})


def _shown(fields: Mapping[str, Any]) -> str:
    return json.dumps(_plain(fields), ensure_ascii=False, sort_keys=True)


def _plain(value: Any) -> Any:
    """A value of JSON; 1.0 is 1, as other languages write it."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value
