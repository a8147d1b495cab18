"""The transaction is committed first, the offsets after it: exactly-once in name only.

Offsets are committed for every eighth batch only, so that a crash falls in between.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from reference.vector_stream.cli import main
from reference.vector_stream.stream import TRANSACTION_SECONDS, VectorStream


class OffsetsOutside(VectorStream):
    waiting: list[Any]
    batches = 0

    def process_in_transaction(self, batch: Sequence[Any]) -> None:
        self.producer.begin_transaction()
        self.send(batch)
        self.producer.commit_transaction(TRANSACTION_SECONDS)
        self.batches += 1
        self.waiting = [*getattr(self, "waiting", ()), *batch]
        if self.batches % 8 == 0:
            self.commit(self.waiting)


if __name__ == "__main__":
    sys.exit(main(stream_class=OffsetsOutside))
