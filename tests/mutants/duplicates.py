"""Every tenth prediction is sent twice."""

from __future__ import annotations

import sys
from typing import Any

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.pipeline import ChurnPipeline, Record


class Duplicates(ChurnPipeline):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._predicted = 0

    def records_for(self, message: Message) -> list[Record]:
        records = super().records_for(message)
        self._predicted += sum(record.error_type is None for record in records)
        return records if self._predicted % 10 or records[0].error_type else records * 2


if __name__ == "__main__":
    sys.exit(main(pipeline_class=Duplicates))
