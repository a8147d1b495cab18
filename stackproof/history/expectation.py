"""What is expected of a history: the ground of flows and of every other model's expectations."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Self


@dataclass(frozen=True)
class Expectation:
    """What must hold of some of the operations in a history; each model has a subclass.

    Attributes:
        name: how explanations call it, in the words of the feature.
        allowed: names of anomalies that are no violations.
        expected: names of anomalies that must be found (and so are allowed): what a scenario
            provokes. Where one is missing, the verdict is not conclusive.
    """

    model: ClassVar[str]
    name: str
    allowed: tuple[str, ...] = field(default=(), kw_only=True)
    expected: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        """Normalise lists (as they come from JSON) to tuples."""
        self.normalise("allowed", "expected")

    def allows(self, anomaly: str, count: int) -> str:
        """Return why an anomaly is no violation, in a few words; "" if it is one.

        Args:
            anomaly: its name.
            count: how often it was found.
        """
        if anomaly in self.expected:
            return "expected"
        return "allowed" if anomaly in self.allowed else ""

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
        known = [one.name for one in fields(cls)]
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
