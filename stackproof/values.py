"""How texts of any layer are read: flags, numbers, choices; and what is said of wrong ones."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from stackproof.errors import Trouble

FILE_NAME = "stackproof.toml"

COMMAND_LINE = "command line"
DEFAULT = "default"

N = TypeVar("N", int, float)
T = TypeVar("T")


def flag(text: str) -> bool:
    """Yes or no."""
    lowered = text.strip().lower()
    if lowered in ("1", "true", "yes", "on"):
        return True
    if lowered in ("0", "false", "no", "off"):
        return False
    raise ValueError("yes or no is expected")


def positive(text: str) -> float:
    """A number above 0."""
    return number(float, text, lambda n: 0 < n < 1e6, "a number above 0 and below a million")


def count(text: str) -> int:
    """A whole number from 0 on."""
    return number(int, text, lambda n: n >= 0, "a whole number from 0 on")


def fraction(text: str) -> float:
    """A fraction from 0 to 1."""
    return number(float, text, lambda n: 0 <= n <= 1, "a fraction from 0 to 1")


def number(kind: Callable[[str], N], text: str, fits: Callable[[N], bool], expected: str) -> N:
    """Read a number that ``fits``, or say what was ``expected``."""
    try:
        number = kind(text)
    except ValueError:
        raise ValueError(f"{expected} is expected") from None
    if not fits(number):
        raise ValueError(f"{expected} is expected")
    return number


def one_of(*choices: str) -> Callable[[str], str]:
    """A reader that accepts one of ``choices``, whatever its case."""
    by_lower = {choice.lower(): choice for choice in choices}

    def parse(text: str) -> str:
        lowered = text.strip().lower()
        if lowered not in by_lower:
            near = difflib.get_close_matches(lowered, by_lower, n=1)
            hint = f"; did you mean {by_lower[near[0]]!r}?" if near else ""
            raise ValueError(f"one of {', '.join(choices)} is expected{hint}")
        return by_lower[lowered]

    return parse


def value(table: Mapping[str, Any], key: str, parse: Callable[[str], T], default: T) -> T:
    """The value of ``key`` in a table, read by ``parse``."""
    try:
        return parse(text(table[key])) if key in table else default
    except ValueError as error:
        raise ValueError(f"{key} cannot be {table[key]!r}: {error}") from None


def table(table: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The table below ``key``; empty when there is none."""
    inner = table.get(key, {})
    if not isinstance(inner, dict):
        raise TypeError(f"{key} cannot be {inner!r}: names with values are expected")
    return inner


def from_one(text: str) -> int:
    """A whole number from 1 on."""
    return number(int, text, lambda n: n >= 1, "a whole number from 1 on")


def flat(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names with dots: TOML makes tables of them unless they are quoted."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{rest}", inner) for rest, inner in flat(value))
        else:
            yield name, value


def text(value: Any) -> str:
    """A value of TOML as one would write it into a variable."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def unknown_key(key: str, known: Any, where: str) -> Trouble:
    """What is said of a key that nobody knows: the nearest one that somebody does."""
    return Trouble(
        f"{key!r} is no setting",
        f"it stands in: {where}",
        did_you_mean(key, known, f"known: {', '.join(sorted(known))}"),
    )


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """The remedy for a word that nobody knows: the nearest one known, or ``otherwise``."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else otherwise
