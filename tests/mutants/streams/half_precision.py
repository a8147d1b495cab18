"""Normalised vectors are computed in half precision."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

from reference.vector_stream.cli import main
from reference.vector_stream.codec import PoisonError, Vectors
from reference.vector_stream.stream import VectorStream


class HalfPrecision(VectorStream):
    def transform(self, messages: Sequence[Vectors]) -> list[bytes | PoisonError]:
        return [
            value if isinstance(value, PoisonError) else value[: -own.nbytes] + _rounded(value, own)
            for own, value in zip(messages, super().transform(messages), strict=True)
        ]


def _rounded(value: bytes, own: Vectors) -> bytes:
    units = np.frombuffer(value[-own.nbytes :], "<f4")
    return units.astype(np.float16).astype("<f4").tobytes()


if __name__ == "__main__":
    sys.exit(main(stream_class=HalfPrecision))
