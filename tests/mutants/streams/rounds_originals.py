"""The vectors that go along are rounded in their last bit."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from reference.vector_stream.cli import main
from reference.vector_stream.codec import Vectors
from reference.vector_stream.stream import VectorStream


class RoundsOriginals(VectorStream):
    def decode(self, message: Any) -> Vectors:
        bits = super().decode(message).view(np.uint32) & np.uint32(0xFFFFFFFE)
        return bits.view(np.float32)


if __name__ == "__main__":
    sys.exit(main(stream_class=RoundsOriginals))
