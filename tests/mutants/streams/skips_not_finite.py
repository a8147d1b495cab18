"""Vectors with NaN or infinity are dropped without a dead letter."""

from __future__ import annotations

import sys
from typing import Any

from reference.vector_stream.cli import main
from reference.vector_stream.codec import ErrorType, PoisonError
from reference.vector_stream.stream import VectorStream


class SkipsNotFinite(VectorStream):
    def set_aside(self, message: Any, error: PoisonError) -> None:
        if error.error_type is not ErrorType.NOT_FINITE:
            super().set_aside(message, error)


if __name__ == "__main__":
    sys.exit(main(stream_class=SkipsNotFinite))
