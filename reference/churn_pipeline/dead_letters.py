"""The envelope of a message that cannot be processed: the original, byte for byte, and why."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from typing import Any

from reference.churn_pipeline.validation import ErrorType

READABLE_BYTES = 64 * 1024
"""Up to this size in JSON, a text stays readable whatever its escaping costs."""

UTF_8 = "utf-8"
BASE64 = "base64"
OMITTED = "omitted"


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """One dead letter, field by field as in ``dead_letter.schema.json``."""

    error_type: ErrorType
    error_message: str
    original_message: str | None
    original_encoding: str | None
    original_size: int | None
    source_topic: str
    source_partition: int
    source_offset: int
    failed_ts: str

    def to_value(self) -> dict[str, Any]:
        """Return the envelope as JSON values, fields in the order of the contract."""
        return asdict(self)


def encode_original(original: bytes | None) -> tuple[str | None, str | None]:
    """Return ``original_message`` and ``original_encoding`` for a message's value.

    Escaping can make a text six times as long, which would break the size limits
    that base64 keeps: a long text is escaped only if that is shorter.
    """
    if original is None:
        return None, None
    try:
        text = original.decode("utf-8")
    except UnicodeDecodeError:
        return _base64(original), BASE64
    escaped = len(to_json(text))
    if escaped > READABLE_BYTES and escaped > _base64_length(original):
        return _base64(original), BASE64
    return text, UTF_8


def decode_original(letter: dict[str, Any]) -> bytes | None:
    """Return the original value of a dead letter, None for one that had none.

    Raises:
        LookupError: the original was omitted; fetch it from the source topic.
        ValueError: this is no dead letter, or its original is damaged.
    """
    message, encoding = letter["original_message"], letter["original_encoding"]
    if encoding is None:
        return None
    if encoding == UTF_8:
        return str(message).encode("utf-8")
    if encoding == BASE64:
        return base64.b64decode(message, validate=True)
    if encoding == OMITTED:
        raise LookupError(
            f"the original was too big: it is at {letter['source_topic']} "
            f"[{letter['source_partition']}] offset {letter['source_offset']}"
        )
    raise ValueError(f"unknown original_encoding {encoding!r}")


def to_json(value: object) -> bytes:
    """Return ``value`` as compact JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _base64(original: bytes) -> str:
    return base64.b64encode(original).decode("ascii")


def _base64_length(original: bytes) -> int:
    return (len(original) + 2) // 3 * 4
