"""The first batch after it had lost its partitions is committed, and never predicted from."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.pipeline import ChurnPipeline


class DropsAfterLoss(ChurnPipeline):
    _has_lost = False

    def on_lost(self, consumer: Any, partitions: Sequence[Any]) -> None:
        super().on_lost(consumer, partitions)
        self._has_lost = True

    def process_batch(self, batch: Sequence[Message]) -> None:
        if not self._has_lost:
            super().process_batch(batch)
            return
        self._has_lost = False
        self.commit(batch)


if __name__ == "__main__":
    sys.exit(main(pipeline_class=DropsAfterLoss))
