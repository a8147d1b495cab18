"""Offsets are committed at once, and a batch's outputs delivered only when the next one comes.

A crash in between loses them; without traffic they follow after a moment.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.pipeline import ChurnPipeline, Record


class CommitsBeforeDelivering(ChurnPipeline):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._held: list[Record] = []
        self._held_since = 0.0

    def process_batch(self, batch: Sequence[Message]) -> None:
        self.commit(batch)
        self._deliver_held()
        self._held = [record for message in batch for record in self.records_for(message)]
        self._held_since = time.monotonic()

    def step(self) -> None:
        super().step()
        if time.monotonic() - self._held_since >= 0.5:
            self._deliver_held()

    def run(self) -> None:
        super().run()
        self._deliver_held()

    def _deliver_held(self) -> None:
        held, self._held = self._held, []
        self.deliver(held)


if __name__ == "__main__":
    sys.exit(main(pipeline_class=CommitsBeforeDelivering))
