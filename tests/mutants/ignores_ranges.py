"""Numbers out of range are accepted and predicted from."""

from __future__ import annotations

import sys

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.pipeline import ChurnPipeline
from reference.churn_pipeline.validation import Customer, ErrorType, InvalidMessageError, parse


class IgnoresRanges(ChurnPipeline):
    def validate(self, message: Message) -> Customer:
        try:
            return super().validate(message)
        except InvalidMessageError as error:
            document = parse(message.value() or b"{}") if error.error_type in _IGNORED else None
            if isinstance(document, dict):
                return document
            raise


_IGNORED = (ErrorType.OUT_OF_RANGE,)


if __name__ == "__main__":
    sys.exit(main(pipeline_class=IgnoresRanges))
