"""Messages that cannot be processed are skipped without a dead letter."""

from __future__ import annotations

import sys

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.pipeline import ChurnPipeline, Record


class DropsDeadLetters(ChurnPipeline):
    def records_for(self, message: Message) -> list[Record]:
        return [record for record in super().records_for(message) if record.error_type is None]


if __name__ == "__main__":
    sys.exit(main(pipeline_class=DropsDeadLetters))
