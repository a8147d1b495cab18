"""What sinks are handed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass(frozen=True)
class Event:
    """Something that has happened in a program.

    Attributes:
        event_id: unique.
        execution_id: of the run of the program.
        module_name, method_name: where it happened.
        event_type: e.g. "call", "return", "error".
        operation: what was being done.
        data: anything that JSON can hold.
        tags: words by name.
        timestamp: when, in ISO 8601.
    """

    event_id: str
    execution_id: str
    module_name: str
    method_name: str
    event_type: str
    operation: str
    data: Any
    tags: Any
    timestamp: str

    @classmethod
    def of(cls, given: Event | Mapping[str, Any]) -> Self | Event:
        """An event, of whatever form.

        Raises:
            ValueError: a field is missing or unknown, or a value is none that JSON can hold.
        """
        if isinstance(given, Event):
            return given
        known = {field.name for field in fields(cls)}
        if wrong := known ^ set(given):
            raise ValueError(f"an event has exactly these fields: {sorted(known)}; {sorted(wrong)}")
        return cls(**given)

    def as_json(self) -> str:
        """All of it.

        Raises:
            ValueError: a value is none that JSON can hold.
        """
        return to_json(asdict(self))


def to_json(value: Any) -> str:
    """A value as JSON.

    Raises:
        ValueError: it is none that JSON can hold.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"it cannot be written as JSON: {error}") from error
