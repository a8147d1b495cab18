"""What became of messages that were sent, with any broker."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Sent:
    """The outcome of publishing.

    Attributes:
        ok: messages that the broker has acknowledged (confirmed).
        failed: those that it has certainly not taken.
        unknown: those without an answer.
        errors: how often each was told.
    """

    ok: int = 0
    failed: int = 0
    unknown: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        text = f"{self.ok} acknowledged, {self.failed} failed, {self.unknown} unknown"
        for error, count in self.errors.most_common(3):
            text += f"\n  {count} x {error}"
        return text
