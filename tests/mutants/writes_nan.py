"""The probability of every prediction is NaN, as json.dumps writes it: no JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.pipeline import ChurnPipeline
from reference.churn_pipeline.records import Record
from reference.churn_pipeline.validation import Customer


class WritesNan(ChurnPipeline):
    def prediction(self, message: Message, customer: Customer) -> Record:
        record = super().prediction(message, customer)
        fields = json.loads(record.value or b"") | {"churn_probability": float("nan")}
        return replace(record, value=json.dumps(fields).encode())


if __name__ == "__main__":
    sys.exit(main(pipeline_class=WritesNan))
