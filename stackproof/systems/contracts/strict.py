"""JSON by the letter of RFC 8259, and what it leaves to readers settled as RFC 7493 (I-JSON) does.

`json.loads` also takes NaN, UTF-16 and the same name twice, and gives up with other errors
than ValueError.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

from stackproof.history import carried_digest

#: Levels of arrays and objects that a message may have, unless its contract says otherwise.
MOST_NESTED = 128
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SHOWN = 40


class NotJsonError(ValueError):
    """These bytes are no JSON text."""


def strict_json(value: bytes | None, *, most_nested: int = MOST_NESTED) -> Any:
    """The JSON value in a message.

    Raises:
        NotJsonError: not one JSON text in UTF-8; or one with a byte order mark, NaN or
            Infinity, the same name twice in one object, a number that no double can hold,
            or nested deeper than ``most_nested`` levels.
    """
    if not value:
        raise NotJsonError("there is no value" if value is None else "the value is empty")
    if value.startswith(_BYTE_ORDER_MARK):
        raise NotJsonError("it begins with a byte order mark")
    try:
        document = json.loads(
            value.decode("utf-8"),
            parse_constant=_refuse_constant,
            parse_float=_number,
            parse_int=_whole_number,
            object_pairs_hook=_without_duplicates,
        )
    except UnicodeDecodeError as error:
        raise NotJsonError(
            f"byte 0x{value[error.start]:02x} at {error.start} is not UTF-8"
        ) from error
    except json.JSONDecodeError as error:
        raise NotJsonError(str(error)) from error
    except RecursionError:
        raise _too_deep(most_nested) from None
    if _deeper_than(document, most_nested):
        raise _too_deep(most_nested)
    return document


def strict_object(value: bytes | None) -> dict[str, Any]:
    """The JSON object in a message; empty when it is none."""
    try:
        document = strict_json(value)
    except NotJsonError:
        return {}
    return document if isinstance(document, dict) else {}


def value_digest(document: Any) -> int:
    """Equal for JSON values that say the same: 1 and 1.0, fields in any order."""
    return int(carried_digest({"": document}))


def _refuse_constant(name: str) -> NoReturn:
    raise NotJsonError(f"{name} is not JSON")


def _number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        raise NotJsonError(f"the number {shown} is beyond the range of a double")
    return number


def _whole_number(text: str) -> int:
    _number(text)  # int() refuses very long ones with another error; these are beyond it
    return int(text)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise NotJsonError(f"the name {twice!a:.60} occurs more than once in one object")
    return found


def _deeper_than(document: Any, limit: int) -> bool:
    level = [document]
    for _ in range(limit):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)


def _children(item: Any) -> Iterator[Any]:
    if isinstance(item, dict):
        yield from item.values()
    elif isinstance(item, list):
        yield from item


def _too_deep(limit: int) -> NotJsonError:
    return NotJsonError(f"it is nested deeper than {limit} levels")
