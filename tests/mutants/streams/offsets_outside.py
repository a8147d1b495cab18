"""The transaction is committed first, the offsets after it: exactly-once in name only.

Offsets are committed for every eighth batch, and when nothing comes: so that a crash in the middle
of the work falls in between, and all is committed in the end.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from reference.vector_stream.cli import main
from reference.vector_stream.stream import TRANSACTION_SECONDS, VectorStream


class OffsetsOutside(VectorStream):
    waiting: tuple[Any, ...] = ()
    batches = 0

    def finish_batch(self) -> None:
        idle = not self.batch
        super().finish_batch()
        if idle:
            self.commit_waiting()

    def process_in_transaction(self, batch: Sequence[Any]) -> None:
        self.producer.begin_transaction()
        self.send(batch)
        self.producer.commit_transaction(TRANSACTION_SECONDS)
        self.batches += 1
        self.waiting = (*self.waiting, *batch)
        if self.batches % 8 == 0:
            self.commit_waiting()

    def commit_waiting(self) -> None:
        if self.waiting:
            self.commit(self.waiting)
            self.waiting = ()


if __name__ == "__main__":
    sys.exit(main(stream_class=OffsetsOutside))
