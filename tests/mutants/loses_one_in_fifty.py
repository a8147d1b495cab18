"""Every fiftieth prediction is never sent, and its message is committed."""

from __future__ import annotations

import sys
from typing import Any

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.pipeline import ChurnPipeline, Record


class LosesOneInFifty(ChurnPipeline):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._predicted = 0

    def records_for(self, message: Message) -> list[Record]:
        kept = []
        for record in super().records_for(message):
            self._predicted += record.error_type is None
            if record.error_type is not None or self._predicted % 50:
                kept.append(record)
        return kept


if __name__ == "__main__":
    sys.exit(main(pipeline_class=LosesOneInFifty))
