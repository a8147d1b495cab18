"""What is expected of a history: the ground of flows and of every other model's expectations."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self


@dataclass(frozen=True)
class Expectation:
    """What must hold of some of the operations in a history.

    Each model has a subclass, with fields of its own; those named `allowed` and `expected` hold
    names of anomalies: the first are no violations, the second must be found.

    Attributes:
        name: how explanations call it, in the words of the feature.
    """

    model: ClassVar[str]
    name: str

    def allows(self, anomaly: str) -> str:
        """Return why an anomaly of this name is no violation, in a few words; "" if it is one."""
        if anomaly in self.names("expected"):
            return "expected"
        return "allowed" if anomaly in self.names("allowed") else ""

    def names(self, which: str) -> tuple[str, ...]:
        """The anomalies that are "allowed" or "expected"."""
        return tuple(getattr(self, which, ()))

    def as_dict(self) -> dict[str, Any]:
        """Return the expectation as plain data for JSON."""
        return {"model": self.model, **asdict(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build an expectation of this class from what `as_dict` returned.

        Raises:
            ValueError: a field is unknown or missing, or its value has no meaning.
        """
        given = {key: value for key, value in data.items() if key != "model"}
        known = [field.name for field in fields(cls)]
        if unknown := sorted(set(given) - set(known)):
            raise ValueError(
                f"unknown in a {cls.__name__}: {', '.join(unknown)}; known: {', '.join(known)}"
            )
        try:
            return cls(**given)
        except TypeError as error:
            raise ValueError(f"not a {cls.__name__}: {error}") from None

    def normalise(self, *sequences: str) -> None:
        """Make tuples of lists (as they come from JSON) and of single texts."""
        for name in sequences:
            value = getattr(self, name)
            if isinstance(value, str):
                object.__setattr__(self, name, (value,))
            elif value is not None:
                object.__setattr__(self, name, tuple(value))
