"""Variants of the reference pipeline, by the scenario that launches them: ``python -m`` it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from typing import Any

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.pipeline import ChurnPipeline
from tests.mutants.hangs_after_40 import HangsAfter40
from tests.mutants.loses_one_in_fifty import LosesOneInFifty


class Slow(ChurnPipeline):
    """Gets on with some twenty messages a second."""

    def process_batch(self, batch: Sequence[Message]) -> None:
        for message in batch:
            threading.Event().wait(0.05)
            super().process_batch([message])


class DiesAfter20(ChurnPipeline):
    """Ends with exit code 7 when it has processed 20 messages."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._left = 20

    def process_batch(self, batch: Sequence[Message]) -> None:
        super().process_batch(batch[: self._left])
        self._left -= len(batch)
        if self._left <= 0:
            os._exit(7)


VARIANTS: dict[str, type[ChurnPipeline]] = {
    "s001": Slow,
    "s002": HangsAfter40,
    "s003": LosesOneInFifty,
    "s004": DiesAfter20,
}

if __name__ == "__main__":
    scenario = sys.argv.pop(1)
    sys.exit(main(pipeline_class=VARIANTS.get(scenario, ChurnPipeline)))
