"""Vectors of float32 whose bits a store must not touch."""

from __future__ import annotations

import numpy as np

#: Bit patterns that arithmetic or a conversion to text would lose.
_DELICATE = np.array(
    [
        0x7FC00001,  # a quiet NaN with a payload
        0xFFC12345,  # a negative one
        0x7F800001,  # a signalling NaN
        0x00000001,  # the smallest denormal number
        0x807FFFFF,  # the largest one, negative
        0x80000000,  # minus zero
        0x7F800000,  # infinity
        0x0A0D0A0D,  # line ends
    ],
    dtype="<u4",
)


def vectors(count: int, dimensions: int, seed: int) -> list[bytes]:
    """Distinct vectors, little-endian; in each, some components are delicate bit patterns."""
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        bits = random.standard_normal(dimensions).astype("<f4").view("<u4")
        places = random.permutation(dimensions)[: len(_DELICATE)]
        bits[places] = _DELICATE[: len(places)]
        bits[-1] = number  # distinct, whatever was drawn; denormal
        made.append(bits.tobytes())
    return made
