"""Contents: JSON read without loss, text, bytes; and how each is shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NoReturn

from stackproof.texts import printable

_SHOWN = 300
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


def read_json(data: bytes | str) -> Any:
    """A content as plain data: numbers exactly, members once each.

    A byte order mark is passed over. Integers are `int`, other numbers `Exact`.

    Raises:
        NotJson: it is no JSON (NaN and Infinity are none), or has a member twice.
    """
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data.removeprefix("\ufeff")
        return json.loads(
            text, parse_float=Exact.of, parse_int=_integer, parse_constant=_no_number,
            object_pairs_hook=_members,
        )  # fmt: skip
    except UnicodeDecodeError as error:
        raise NotJson(f"byte {error.start} is not UTF-8") from None
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    except ValueError as error:
        raise NotJson(str(error)) from None


def _integer(text: str) -> int | Exact:
    return int(text) if len(text) < _DIGITS else Exact.of(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number in JSON")


def _members(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the member {twice!r} is there twice")
    return members


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
