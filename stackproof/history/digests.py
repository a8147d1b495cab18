"""Digests: 64 bits that stand for the content of a message.

A history keeps digests instead of contents, so that a million messages of any
size fit into memory and two contents compare in one machine instruction.
"""

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any


def _digest(data: bytes, person: bytes = b"") -> int:
    return int.from_bytes(blake2b(data, digest_size=8, person=person).digest(), "big")


SHOWN = 60
"""So many characters of a carried value are remembered."""
_PREVIEWED = 100
_NO_CONTENT = _digest(b"", person=b"no content")


def digest_of(data: bytes | None) -> int:
    """Return the 64-bit digest of a message's raw bytes.

    `None` (a message without content, such as a Kafka tombstone) has a digest of
    its own, different from that of the empty message.
    """
    return _NO_CONTENT if data is None else _digest(data)


def preview(data: bytes | None) -> str:
    """The beginning of a message or a value, for people."""
    if data is None:
        return "(null)"
    text = data[:_PREVIEWED].decode("utf-8", "backslashreplace")
    return f"{text}... ({len(data)} bytes)" if len(data) > _PREVIEWED else text


class Enclosed(int):
    """The digest of a content that travels inside another one, such as a dead letter's original.

    Attributes:
        content: the bytes that explanations show; None: none.
    """

    content: bytes | None

    @classmethod
    def of(cls, digest: int, content: bytes | None) -> "Enclosed":
        """Return a digest with its content."""
        made = cls(digest)
        made.content = content
        return made


class Carried(int):
    """The digest of what must be carried over; it remembers the values.

    Attributes:
        values: each value as JSON, by field; of a long one its beginning, size and digest.
    """

    values: Mapping[str, str]

    @classmethod
    def of(cls, digest: int, values: Mapping[str, str]) -> "Carried":
        """Return a digest with its values."""
        made = cls(digest)
        made.values = values
        return made


def carried_digest(mapping: Mapping[str, Any]) -> Carried:
    """Return the 64-bit digest of what a transforming system must carry over unchanged.

    Two mappings that say the same have the same digest, whatever program wrote
    them: the order of keys does not matter, nor does 1 against 1.0 (the idea of
    RFC 8785, the JSON Canonicalization Scheme).

    Raises:
        TypeError: a value has no form in JSON.
    """
    plain = _plain(mapping)
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    shown = {str(field): _shown(json.dumps(value)) for field, value in plain.items()}
    return Carried.of(_digest(text.encode("ascii")), shown)


def _shown(text: str) -> str:
    if len(text) <= SHOWN:
        return text
    return f"{text[:SHOWN]}... ({len(text):,} characters, digest {_digest(text.encode()):016x})"


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
