"""The binary form of vectors in messages, and what becomes of them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""Shape (count, dimension)."""

INPUT_MAGIC = b"VEC1"
OUTPUT_MAGIC = b"VECN"
_HEADER = struct.Struct("<4sII")
_FLOAT = np.dtype("<f4")


class ErrorType(StrEnum):
    """Why a message is set aside."""

    NOT_DECODABLE = "not_decodable"
    WRONG_DIMENSION = "wrong_dimension"
    NOT_FINITE = "not_finite"
    ZERO_VECTOR = "zero_vector"
    TOO_LARGE = "too_large"


class PoisonError(Exception):
    """A message that cannot be processed."""

    def __init__(self, error_type: ErrorType, reason: str) -> None:
        super().__init__(f"{error_type}: {reason}")
        self.error_type = error_type
        self.reason = reason


def decode(value: bytes | None, dimension: int) -> Vectors:
    """The vectors in a message.

    Raises:
        PoisonError: it is not in the form of README.md, or of another dimension.
    """
    if value is None or len(value) < _HEADER.size:
        size = "no" if value is None else len(value)
        raise PoisonError(ErrorType.NOT_DECODABLE, f"{size} bytes hold no header")
    magic, count, own = _HEADER.unpack_from(value)
    if magic != INPUT_MAGIC or count == 0:
        raise PoisonError(ErrorType.NOT_DECODABLE, f"begins with {magic!r}, {count} vectors")
    if len(value) != _HEADER.size + count * own * _FLOAT.itemsize:
        raise PoisonError(
            ErrorType.NOT_DECODABLE, f"{len(value)} bytes do not hold {count} vectors of {own}"
        )
    if own != dimension:
        raise PoisonError(ErrorType.WRONG_DIMENSION, f"dimension {own} instead of {dimension}")
    return np.frombuffer(value, _FLOAT, offset=_HEADER.size).reshape(count, own)


def transformed(messages: Sequence[Vectors]) -> list[bytes | PoisonError]:
    """What is sent for each message's vectors: their norms, themselves, and of length 1.

    All vectors of a batch are computed at once, in double precision.
    """
    if not messages:
        return []
    every = np.concatenate(messages).astype(np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", every, every))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        units = (every / norms[:, None]).astype(_FLOAT)
        short = norms.astype(_FLOAT)
    found: list[bytes | PoisonError] = []
    begin = 0
    for vectors in messages:
        rows = slice(begin, begin := begin + len(vectors))
        if not np.isfinite(short[rows]).all():
            found.append(PoisonError(ErrorType.NOT_FINITE, "a vector's length is no finite number"))
        elif not short[rows].all():
            found.append(PoisonError(ErrorType.ZERO_VECTOR, "a vector's length is 0"))
        else:
            count, dimension = vectors.shape
            header = _HEADER.pack(OUTPUT_MAGIC, count, dimension)
            parts = (short[rows].tobytes(), vectors.tobytes(), units[rows].tobytes())
            found.append(header + b"".join(parts))
    return found
