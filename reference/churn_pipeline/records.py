"""What the pipeline sends."""

from __future__ import annotations

from dataclasses import dataclass

from reference.churn_pipeline.clients import Headers
from reference.churn_pipeline.validation import ErrorType

ANY_PARTITION = -1
"""Leave the choice of the partition to the producer's partitioner."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """Something to send. ``error_type`` is set for dead letters, None for predictions."""

    topic: str
    key: bytes | None
    value: bytes
    partition: int = ANY_PARTITION
    headers: Headers | None = None
    error_type: ErrorType | None = None

    @property
    def size(self) -> int:
        """Key, value and headers together, in bytes."""
        return size_of(self.key, self.value, self.headers)


def size_of(key: bytes | None, value: bytes | None, headers: Headers | None) -> int:
    """Key, value and headers of a message together, in bytes."""
    return (
        len(key or b"")
        + len(value or b"")
        + sum(len(name.encode()) + len(content or b"") for name, content in headers or ())
    )
