"""The transaction is committed first, the offsets after it: exactly-once in name only.

Offsets of a batch are committed when the next one has come out, and when nothing comes: so that a
crash in the middle of the work always falls in between, and all is committed in the end.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from reference.vector_stream.cli import main
from reference.vector_stream.stream import TRANSACTION_SECONDS, VectorStream


class OffsetsOutside(VectorStream):
    waiting: tuple[Any, ...] = ()

    def finish_batch(self) -> None:
        idle = not self.batch
        super().finish_batch()
        if idle:
            self.commit_instead(())

    def process_in_transaction(self, batch: Sequence[Any]) -> None:
        self.producer.begin_transaction()
        self.send(batch)
        self.producer.commit_transaction(TRANSACTION_SECONDS)
        self.commit_instead(batch)

    def commit_instead(self, batch: Sequence[Any]) -> None:
        if self.waiting:
            self.commit(self.waiting)
        self.waiting = tuple(batch)


if __name__ == "__main__":
    sys.exit(main(stream_class=OffsetsOutside))
