"""Messages as the suite sends and receives them, and topics as it asks for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from stackproof.history import digest_of


@dataclass(frozen=True)
class TopicSpec:
    """A topic asked for; ``config`` holds topic settings by their Kafka names."""

    name: str
    partitions: int = 1
    config: Mapping[str, str] = field(default_factory=dict)
    replicas: int = -1


@dataclass(frozen=True)
class Message:
    """A message to publish.

    Attributes:
        key: identifies it through the system; also chooses its partition. None: it has none.
        value: the raw bytes; None is a tombstone.
        label: its class, e.g. "valid".
        carried: digest of what a transforming system must carry over; None: nothing.
        headers: sent along.
        partition: where to; None: where its key leads.
    """

    key: bytes | None
    value: bytes | None
    label: str = ""
    carried: int | None = None
    headers: Mapping[str, bytes] = field(default_factory=dict)
    partition: int | None = None

    @property
    def ident(self) -> str:
        """By what the history recognises it."""
        return identity(self.key, self.value)


@dataclass(frozen=True)
class Received:
    """A record as a consumer was handed it; ``timestamp`` in milliseconds since the epoch."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def ident(self) -> str:
        """By what the history recognises it."""
        return identity(self.key, self.value)

    @property
    def size(self) -> int:
        """Key, value and headers together, in bytes."""
        headers = sum(len(name.encode()) + len(value) for name, value in self.headers.items())
        return len(self.key or b"") + len(self.value or b"") + headers

    def as_message(self) -> Message:
        """A message to hand it on with: its key and value."""
        return Message(self.key or b"", self.value)


def identity(key: bytes | None, value: bytes | None) -> str:
    """The key as text; without a key, the value's digest."""
    if key is None:
        return f"no key, content {digest_of(value):016x}"
    return key.decode("utf-8", "backslashreplace")


#: What an output means: digest of its content, digest of what it carried, its ident.
#: The default reads a plain delivery.
Reading = Callable[[Received], tuple[str, int, int | None]]


def as_delivered(record: Received) -> tuple[str, int, int | None]:
    """A record that should arrive as it was sent: its key, its bytes."""
    return record.ident, digest_of(record.value), None
