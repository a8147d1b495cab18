"""Messages read as contracts ask for it: JSON by the letter, numbers as doubles."""

from __future__ import annotations

from typing import Any

from stackproof.history import carried_digest
from stackproof.matching import NotJson, read_json

#: Levels of arrays and objects that a message may have, unless its contract says otherwise.
MOST_NESTED = 128


def strict_json(value: bytes | None, *, most_nested: int = MOST_NESTED) -> Any:
    """The JSON value in a message; see `read_json`.

    Raises:
        NotJson: it is none, or nested deeper than ``most_nested`` levels.
    """
    if not value:
        raise NotJson("there is no value" if value is None else "the value is empty")
    return read_json(value, exactly=False, most_nested=most_nested)


def strict_object(value: bytes | None) -> dict[str, Any]:
    """The JSON object in a message; empty when it is none."""
    try:
        document = strict_json(value)
    except NotJson:
        return {}
    return document if isinstance(document, dict) else {}


def value_digest(document: Any) -> int:
    """Equal for JSON values that say the same: 1 and 1.0, fields in any order."""
    return int(carried_digest({"": document}))
