"""Every dead letter names the error type that comes after the right one in the list."""

from __future__ import annotations

import sys
from dataclasses import replace

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.dead_letters import DeadLetter
from reference.churn_pipeline.pipeline import ChurnPipeline
from reference.churn_pipeline.validation import ErrorType, InvalidMessageError


class WrongErrorType(ChurnPipeline):
    def dead_letter_fields(self, message: Message, error: InvalidMessageError) -> DeadLetter:
        letter = super().dead_letter_fields(message, error)
        kinds = list(ErrorType)
        following = kinds[(kinds.index(letter.error_type) + 1) % len(kinds)]
        return replace(letter, error_type=following)


if __name__ == "__main__":
    sys.exit(main(pipeline_class=WrongErrorType))
