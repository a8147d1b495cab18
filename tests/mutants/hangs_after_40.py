"""After 40 messages it hangs, and SIGTERM does not end it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import Any

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.pipeline import ChurnPipeline


class HangsAfter40(ChurnPipeline):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._left = 40

    def process_batch(self, batch: Sequence[Message]) -> None:
        now = batch[: self._left]
        if now:
            super().process_batch(now)
            self._left -= len(now)
        if len(now) < len(batch):
            threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main(pipeline_class=HangsAfter40))
