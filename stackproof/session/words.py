"""Words of the features that stand for actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import parse

if TYPE_CHECKING:
    from stackproof.systems.launching import RunningSystem

#: How a system may end, as features say it.
ENDINGS: dict[str, Callable[[RunningSystem], None]] = {
    "is stopped": lambda system: system.stop(),
    "crashes": lambda system: system.crash(),
}

#: The same words for an instance of a service.
FAULTS: dict[str, Literal["stop", "crash"]] = {"is stopped": "stop", "crashes": "crash"}


@parse.with_pattern(r"\d+(?:\.\d+)? (?:milli)?seconds?")
def parse_seconds(text: str) -> float:
    """A time limit such as "1 second" or "250 milliseconds", for ``{limit:Seconds}``."""
    number, unit = text.split()
    return float(number) / (1000 if unit.startswith("milli") else 1)


@parse.with_pattern(r"\d+ partitions?")
def parse_partitions(text: str) -> int:
    """A number of partitions, for ``{count:Partitions}``."""
    return int(text.split()[0])


@parse.with_pattern(r"\d+ brokers?")
def parse_brokers(text: str) -> int:
    """A number of brokers, for ``{count:Brokers}``."""
    return int(text.split()[0])


@parse.with_pattern("|".join(ENDINGS))
def parse_ending(text: str) -> str:
    """A way to end, for behave's ``{name:Ending}``."""
    return text


#: Every type of parameter that steps may use, by name.
TYPES: dict[str, Callable[[str], object]] = {
    "Brokers": parse_brokers,
    "Ending": parse_ending,
    "Partitions": parse_partitions,
    "Seconds": parse_seconds,
}
