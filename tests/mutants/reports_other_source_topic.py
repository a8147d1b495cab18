"""A dead letter names the predictions topic as its source."""

from __future__ import annotations

import sys
from dataclasses import replace

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.dead_letters import DeadLetter
from reference.churn_pipeline.pipeline import ChurnPipeline
from reference.churn_pipeline.validation import InvalidMessageError


class ReportsOtherSourceTopic(ChurnPipeline):
    def dead_letter_fields(self, message: Message, error: InvalidMessageError) -> DeadLetter:
        letter = super().dead_letter_fields(message, error)
        return replace(letter, source_topic=self.config.output_topic)


if __name__ == "__main__":
    sys.exit(main(pipeline_class=ReportsOtherSourceTopic))
