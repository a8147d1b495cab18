"""Contents: JSON read without loss, text, bytes; and how each is shown."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NoReturn

from stackproof.texts import printable

_SHOWN = 300
_SHOWN_OF_NUMBER = 40
_BYTE_ORDER_MARK = "\ufeff"
#: More digits than that Python does not read as an integer.
_DIGITS = 4000


class NotJson(ValueError):  # noqa: N818 -- read as a sentence
    """A content is no JSON; the message says where, and why."""


class Exact(float):
    """A number of JSON that is no integer: a float to calculate with, and what was written.

    Attributes:
        exact: its value, not rounded.
        text: as it was written.
    """

    exact: Decimal
    text: str

    @classmethod
    def of(cls, text: str) -> Exact:
        """The number that is written so."""
        made = cls(text)
        made.exact, made.text = Decimal(text), text
        return made

    def __repr__(self) -> str:
        return self.text


def exact(number: int | float) -> Decimal:
    """The value of a number, not rounded."""
    return number.exact if isinstance(number, Exact) else Decimal(number)


def is_number(value: object) -> bool:
    """Whether it is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(one: object, other: object) -> bool:
    """Whether two values of JSON without members are the same, in kind and value.

    1, 1.0 and 1e0 are the same number, as in JSON; no number is rounded.
    """
    if is_number(one) and is_number(other):
        return exact(one) == exact(other)  # type: ignore[arg-type]
    return type(one) is type(other) and one == other


def read_json(data: bytes | str, *, exactly: bool = True, most_nested: int | None = None) -> Any:
    """A content as plain data, by the letter of RFC 8259; members are there once each.

    `json.loads` also takes NaN, UTF-16 and the same name twice, and gives up with other errors
    than ValueError.

    Args:
        data: the content, in UTF-8 where it is bytes.
        exactly: integers are `int`, other numbers `Exact`, and a byte order mark is passed over.
            Otherwise what RFC 8259 leaves to readers is settled as RFC 7493 (I-JSON) does:
            numbers are doubles, and neither one that no double can hold nor a byte order mark is
            taken.
        most_nested: levels of arrays and objects at most; None: as many as can be read.

    Raises:
        NotJson: it is no JSON, or what is said above.
    """
    number, whole = (Exact.of, _integer) if exactly else (_double, _whole_double)
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        if text.startswith(_BYTE_ORDER_MARK) and not exactly:
            raise NotJson("it begins with a byte order mark")
        document = json.loads(
            text.removeprefix(_BYTE_ORDER_MARK), parse_float=number, parse_int=whole,
            parse_constant=_no_number, object_pairs_hook=_members,
        )  # fmt: skip
    except UnicodeDecodeError as error:
        raise NotJson(
            f"byte 0x{error.object[error.start]:02x} at {error.start} is not UTF-8"
        ) from None
    except RecursionError:
        raise _too_deep(most_nested) from None
    except json.JSONDecodeError as error:
        raise NotJson(str(error)) from None
    if most_nested is not None and _deeper_than(document, most_nested):
        raise _too_deep(most_nested)
    return document


def _integer(text: str) -> int | Exact:
    return int(text) if len(text) < _DIGITS else Exact.of(text)


def _double(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        shown = text if len(text) <= _SHOWN_OF_NUMBER else f"{text[:_SHOWN_OF_NUMBER]}..."
        raise NotJson(f"the number {shown} is beyond the range of a double")
    return number


def _whole_double(text: str) -> int:
    _double(text)  # int() refuses very long ones with another error; these are beyond it
    return int(text)


def _no_number(text: str) -> NoReturn:
    raise NotJson(f"{text} is not JSON")


def _members(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise NotJson(f"the name {twice!a:.60} occurs more than once in one object")
    return members


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


def _too_deep(limit: int | None) -> NotJson:
    return NotJson(
        "it is nested " + ("too deeply" if limit is None else f"deeper than {limit} levels")
    )


def as_text(value: Any) -> str:
    """A value within a text: texts as they are, others as JSON writes them."""
    return value if isinstance(value, str) else as_json(value)


def as_json(value: Any) -> str:
    """A value as JSON, numbers as they were written; what is no JSON as it shows itself."""
    if isinstance(value, dict):
        inner = ", ".join(f"{as_json(name)}: {as_json(member)}" for name, member in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(as_json, value))}]"
    if value is None or isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)


def told(value: Any) -> str:
    """A value for people, the beginning of a long one."""
    text = printable(value.decode("utf-8", "backslashreplace") if isinstance(value, bytes)
                     else as_json(value))  # fmt: skip
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"
