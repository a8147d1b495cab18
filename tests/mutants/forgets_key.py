"""Outputs are sent without key, so that their partition is a matter of chance."""

from __future__ import annotations

import sys
from dataclasses import replace

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.pipeline import ANY_PARTITION, ChurnPipeline, Record


class ForgetsKey(ChurnPipeline):
    def send(self, record: Record) -> None:
        super().send(replace(record, key=None, partition=ANY_PARTITION))


if __name__ == "__main__":
    sys.exit(main(pipeline_class=ForgetsKey))
