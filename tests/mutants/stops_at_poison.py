"""The first message that cannot be processed ends the program with code 1, again at every start."""

from __future__ import annotations

import sys

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.pipeline import ChurnPipeline, PipelineError, Record
from reference.churn_pipeline.validation import InvalidMessageError


class StopsAtPoison(ChurnPipeline):
    def dead_letter(self, message: Message, error: InvalidMessageError) -> Record:
        raise PipelineError(f"cannot process the message at offset {message.offset()}: {error}")


if __name__ == "__main__":
    sys.exit(main(pipeline_class=StopsAtPoison))
