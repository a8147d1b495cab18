"""Bytes of the original that are not UTF-8 become question marks in the dead letter."""

from __future__ import annotations

import sys
from dataclasses import replace

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.dead_letters import UTF_8, DeadLetter
from reference.churn_pipeline.pipeline import ChurnPipeline
from reference.churn_pipeline.validation import InvalidMessageError


class ManglesBytes(ChurnPipeline):
    def dead_letter_fields(self, message: Message, error: InvalidMessageError) -> DeadLetter:
        letter = super().dead_letter_fields(message, error)
        original = message.value()
        if original is None:
            return letter
        text = original.decode("utf-8", "replace")
        return replace(letter, original_message=text, original_encoding=UTF_8)


if __name__ == "__main__":
    sys.exit(main(pipeline_class=ManglesBytes))
