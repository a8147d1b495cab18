"""Every message costs a nap: right in all it does, and too slow."""

from __future__ import annotations

import sys
import threading
from typing import Any

from reference.vector_stream.cli import main
from reference.vector_stream.codec import Vectors
from reference.vector_stream.stream import VectorStream


class Sleeps(VectorStream):
    def decode(self, message: Any) -> Vectors:
        threading.Event().wait(0.0003)
        return super().decode(message)


if __name__ == "__main__":
    sys.exit(main(stream_class=Sleeps))
