"""The original in a dead letter is cut off after 16 characters."""

from __future__ import annotations

import sys
from dataclasses import replace

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.dead_letters import DeadLetter
from reference.churn_pipeline.pipeline import ChurnPipeline
from reference.churn_pipeline.validation import InvalidMessageError


class TruncatesOriginal(ChurnPipeline):
    def dead_letter_fields(self, message: Message, error: InvalidMessageError) -> DeadLetter:
        letter = super().dead_letter_fields(message, error)
        if letter.original_message is None:
            return letter
        return replace(letter, original_message=letter.original_message[:16])


if __name__ == "__main__":
    sys.exit(main(pipeline_class=TruncatesOriginal))
