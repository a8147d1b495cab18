"""Words of steps about stores and queues. Known before any scenario, so no client is loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import parse

#: Kinds of collections in Redis, and ways to write keys.
COLLECTIONS = ("hash", "list", "set", "sorted set")
Way = Literal["one by one", "in one batch", "in one pipeline"]
WAYS: tuple[Way, ...] = get_args(Way)
THE_SAME = "the same consumer"


@parse.with_pattern("|".join(sorted(COLLECTIONS, reverse=True)))
def _collection(text: str) -> str:
    return text


@parse.with_pattern("|".join(WAYS))
def _way(text: str) -> str:
    return text


@parse.with_pattern(r"\d+ customers?")
def _customers(text: str) -> int:
    return int(text.split()[0])


@parse.with_pattern(f"{THE_SAME}|another consumer")
def _consumer(text: str) -> str:
    return text


#: Isolation levels of the SQL standard.
LEVELS = ("read uncommitted", "read committed", "repeatable read", "serializable")


@parse.with_pattern("|".join(LEVELS))
def _isolation(text: str) -> str:
    return text


#: Types of parameters that steps about caching use besides those of every step.
CACHING: dict[str, Callable[[str], object]] = {
    "Collection": _collection,
    "Customers": _customers,
    "Way": _way,
}
#: The same of steps about queues.
QUEUES: dict[str, Callable[[str], object]] = {"Consumer": _consumer}
#: The same of steps about databases.
DATABASE: dict[str, Callable[[str], object]] = {"Isolation": _isolation}
