"""What every check is, whatever its model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from stackproof.history.anomaly import Anomaly
from stackproof.history.expectation import Expectation

Books = TypeVar("Books")
Expected = TypeVar("Expected", bound=Expectation)


@dataclass(frozen=True)
class Check(Generic[Books, Expected]):
    """A check: the anomaly's name, what it means, how to find it, and when it is looked for."""

    name: str
    meaning: str
    find: Callable[[Books], Anomaly]
    applies: Callable[[Expected], bool] = lambda expectation: True


def asked(checks: Mapping[str, Check[Any, Any]], expectation: Expectation) -> list[Check[Any, Any]]:
    """Return the checks that an expectation asks for.

    Raises:
        ValueError: it allows or expects an anomaly that nobody knows, or expects one that is not
            looked for.
    """
    for name in (*expectation.allowed, *expectation.expected):
        if name not in checks:
            raise ValueError(f"unknown anomaly: {name}; known: {', '.join(checks)}")
        if name in expectation.expected and not checks[name].applies(expectation):
            raise ValueError(f"expected, but not looked for: {name}; see the other fields")
    return [check for check in checks.values() if check.applies(expectation)]
