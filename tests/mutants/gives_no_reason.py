"""The text of a dead letter says that the message is invalid, and no more."""

from __future__ import annotations

import sys
from dataclasses import replace

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.dead_letters import DeadLetter
from reference.churn_pipeline.pipeline import ChurnPipeline
from reference.churn_pipeline.validation import InvalidMessageError


class GivesNoReason(ChurnPipeline):
    def dead_letter_fields(self, message: Message, error: InvalidMessageError) -> DeadLetter:
        letter = super().dead_letter_fields(message, error)
        return replace(letter, error_message="the message is invalid")


if __name__ == "__main__":
    sys.exit(main(pipeline_class=GivesNoReason))
