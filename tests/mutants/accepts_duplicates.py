"""Messages in which a name occurs twice are read by their last value and predicted from."""

from __future__ import annotations

import json
import sys

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.pipeline import ChurnPipeline
from reference.churn_pipeline.validation import Customer, InvalidMessageError


class AcceptsDuplicates(ChurnPipeline):
    def validate(self, message: Message) -> Customer:
        try:
            return super().validate(message)
        except InvalidMessageError as error:
            if "more than once" not in error.reason:
                raise
            return self.validator.validate(json.dumps(json.loads(message.value() or b"")).encode())


if __name__ == "__main__":
    sys.exit(main(pipeline_class=AcceptsDuplicates))
