"""Messages as the suite publishes and receives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Message:
    """A message to publish, kept on disk by the broker.

    Attributes:
        ident: its message ID, by which the history recognises it.
        body: the raw bytes.
        label: its class.
        expires_after: milliseconds after which the broker sets it aside; None: never.
    """

    ident: str
    body: bytes
    label: str = ""
    expires_after: int | None = None


@dataclass(frozen=True)
class Death:
    """Why a message was set aside, as the broker's header ``x-death`` tells."""

    reason: str
    queue: str
    count: int


@dataclass(frozen=True)
class Delivery:
    """A message as a consumer was handed it.

    Attributes:
        tag: what it is acknowledged by, on the channel that it came on.
        redelivered: the broker says that it has been delivered before.
        headers: as the broker sent them.
    """

    ident: str
    body: bytes
    tag: int
    redelivered: bool
    headers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def deaths(self) -> Sequence[Death]:
        """Every time it was set aside, the latest first."""
        return [
            Death(str(d.get("reason")), str(d.get("queue")), int(d.get("count", 0)))
            for d in self.headers.get("x-death") or ()
        ]
