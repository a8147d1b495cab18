"""Predictions go where their keys lead, wherever their customers were."""

from __future__ import annotations

import sys

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.pipeline import ChurnPipeline
from reference.churn_pipeline.records import ANY_PARTITION


class GoesByKey(ChurnPipeline):
    def output_partition(self, message: Message) -> int:
        return ANY_PARTITION


if __name__ == "__main__":
    sys.exit(main(pipeline_class=GoesByKey))
