"""A message that cannot be processed yields a dead letter and a made-up prediction."""

from __future__ import annotations

import json
import sys

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.pipeline import ChurnPipeline, Record, utc_now
from reference.churn_pipeline.validation import InvalidMessageError, parse


class DeadLetterAndPrediction(ChurnPipeline):
    def records_for(self, message: Message) -> list[Record]:
        records = super().records_for(message)
        if records[0].error_type is not None:
            records.append(self._made_up_prediction(message))
        return records

    def _made_up_prediction(self, message: Message) -> Record:
        try:
            document = parse(message.value() or b"")
        except InvalidMessageError:
            document = None
        known = document if isinstance(document, dict) else {}
        fields = {
            "customerID": known.get("customerID", "0000-AAAAA"),
            "prediction": 0,
            "churn_probability": 0.5,
            "event_ts": known.get("event_ts", utc_now()),
            "processed_ts": utc_now(),
        }
        return Record(
            topic=self.config.output_topic,
            key=message.key(),
            value=json.dumps(fields).encode(),
            partition=self.output_partition(message),
        )


if __name__ == "__main__":
    sys.exit(main(pipeline_class=DeadLetterAndPrediction))
