"""One trouble: how it is provoked, and what must be said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.troubles.sandbox import Outcome, Sandbox

Provoke = Callable[[Sandbox], Outcome]


@dataclass(frozen=True)
class Case:
    """A known trouble.

    Attributes:
        name: of the function that provokes it, with dashes.
        title: as the documentation calls it.
        area: heading of the documentation under which it stands.
        says: regular expression for the message's first line.
        code: the exit code.
        provoke: makes it happen and returns what was printed.
        why: regular expressions, all of which the cause must match.
        remedy: regular expression for what to do; empty for what the suite mends itself.
        missing: says why it cannot be provoked on this machine, or nothing.
        times: how often the message may be printed.
    """

    name: str
    title: str
    area: str
    says: str
    code: int
    provoke: Provoke
    why: tuple[str, ...]
    remedy: str
    missing: Callable[[], str]
    times: int


CASES: dict[str, Case] = {}


def trouble(
    area: str,
    title: str,
    says: str,
    *why: str,
    remedy: str = r"\w",
    code: int = 2,
    missing: Callable[[], str] = lambda: "",
    times: int = 1,
) -> Callable[[Provoke], Provoke]:
    """Enter the decorated function into `CASES`."""

    def enter(provoke: Provoke) -> Provoke:
        name = provoke.__name__.replace("_", "-")
        assert name not in CASES, name
        CASES[name] = Case(name, title, area, says, code, provoke, why, remedy, missing, times)
        return provoke

    return enter
