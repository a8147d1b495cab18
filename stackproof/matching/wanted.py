"""What a value may be instead of one value: any UUID, one of several, a text like a pattern."""

from __future__ import annotations

import random
import re
import string
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from stackproof.errors import Trouble
from stackproof.matching.payloads import exact, is_number, same, told

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_DATE = r"\d{4}-\d\d-\d\d"
_CLOCK = r"[Tt ]\d\d:\d\d:\d\d"
_OFFSET = r"(?:[Zz]|[+-]\d\d:\d\d)"
_TIME = rf"{_DATE}{_CLOCK}(?:\.\d+)?{_OFFSET}"
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"


@dataclass(frozen=True)
class Wanted:
    """What is accepted in the place of a value.

    Attributes:
        words: as the feature says it.
        accepts: whether a value (`ABSENT` where there is none) will do.
        pattern: the same within a text.
        remember: the name by which what was found is used again; empty: it is not.
    """

    words: str
    accepts: Callable[[Any], bool] = field(compare=False)
    pattern: str = ".*"
    remember: str = ""

    def __repr__(self) -> str:
        return self.words


class Absent:
    """No value: the member is not there."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = Absent()


@dataclass(frozen=True)
class Kind:
    """A kind of value: how it is recognised, and how one is made."""

    accepts: Callable[[Any], bool]
    make: Callable[[random.Random], Any]
    pattern: str = ".*"


def _text(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def instant(text: object) -> tuple[datetime, Decimal] | None:
    """The moment that a text of RFC 3339 names: whole seconds, and the rest; None: it is none."""
    if not isinstance(text, str) or not re.fullmatch(_TIME, text, re.ASCII):
        return None
    whole = re.sub(r"\.\d+", "", text)
    try:
        moment = datetime.fromisoformat(whole.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    found = re.search(r"\.\d+", text)
    return moment, Decimal(f"0{found[0]}" if found else 0)


def _is_date(value: Any) -> bool:
    return _text(_DATE)(value) and instant(f"{value}T00:00:00Z") is not None


def _made_time(chance: random.Random) -> str:
    return datetime.fromtimestamp(chance.randrange(10**9, 2 * 10**9), UTC).isoformat()


KINDS = {
    "UUID": Kind(
        _text(_UUID), lambda c: str(uuid.UUID(int=c.getrandbits(128), version=4)), _UUID
    ),
    "number": Kind(is_number, lambda c: c.randrange(1, 10**6), _NUMBER),
    "text": Kind(
        lambda v: isinstance(v, str), lambda c: "".join(c.choices(string.ascii_lowercase, k=12))
    ),
    "time": Kind(lambda v: instant(v) is not None, _made_time, _TIME),
    "date": Kind(_is_date, lambda c: _made_time(c)[:10], _DATE),
    "boolean": Kind(lambda v: isinstance(v, bool), lambda c: c.random() < 0.5, "true|false"),
    "list": Kind(lambda v: isinstance(v, list), lambda c: []),
    "object": Kind(lambda v: isinstance(v, dict), lambda c: {}),
}  # fmt: skip


def any_of(kind: str, remember: str) -> Wanted:
    """Any value of a kind.

    Raises:
        Trouble: there is no such kind.
    """
    if kind not in KINDS:
        raise Trouble(f"{{any {kind}}} means nothing", "no kind of value is called so",
                      f"any of these: {', '.join(KINDS)}")  # fmt: skip
    found = KINDS[kind]
    return Wanted(f"any {kind}", found.accepts, found.pattern, remember)


def anything(remember: str) -> Wanted:
    """Whatever is there, null too."""
    return Wanted("anything", lambda value: value is not ABSENT, remember=remember)


def missing() -> Wanted:
    """Nothing there, not even null."""
    return Wanted("no such field", lambda value: value is ABSENT)


def like(pattern: str, remember: str) -> Wanted:
    """A text that a regular expression fits from beginning to end.

    Raises:
        Trouble: it is no regular expression.
    """
    try:
        compiled = re.compile(pattern, re.DOTALL)
    except re.error as error:
        raise Trouble(f"/{pattern}/ is no regular expression", str(error), "correct it") from None
    return Wanted(
        f"a text like /{pattern}/",
        lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None,
        pattern, remember,
    )  # fmt: skip


def one_of(values: list[Any], remember: str) -> Wanted:
    """One of these values."""
    words = f"one of {', '.join(map(told, values))}"
    return Wanted(words, lambda value: any(same(value, one) for one in values), remember=remember)


def moment(text: str, remember: str) -> Wanted:
    """A time that names the same moment, in whatever offset.

    Raises:
        Trouble: the text is no time.
    """
    wanted = instant(text)
    if wanted is None:
        raise Trouble(f"{text!r} is no time", "a date, a time and an offset are needed",
                      "write it like 2026-01-31T12:00:00Z")  # fmt: skip
    return Wanted(f"the time {text}", lambda value: instant(value) == wanted, remember=remember)


def between(least: Any, most: Any, remember: str) -> Wanted:
    """A number from ``least`` to ``most``, both included."""
    low, high = exact(least), exact(most)
    return Wanted(
        f"a number from {told(least)} to {told(most)}",
        lambda value: is_number(value) and low <= exact(value) <= high, _NUMBER, remember,
    )  # fmt: skip
