"""A prediction carries the event_ts of the customer before it."""

from __future__ import annotations

import sys
from typing import Any

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.pipeline import ChurnPipeline
from reference.churn_pipeline.validation import Customer


class KeepsStaleEventTs(ChurnPipeline):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._event_ts: str | None = None

    def prediction_fields(self, customer: Customer) -> dict[str, Any]:
        fields = super().prediction_fields(customer)
        stale, self._event_ts = self._event_ts, customer["event_ts"]
        return fields | {"event_ts": stale or customer["event_ts"]}


if __name__ == "__main__":
    sys.exit(main(pipeline_class=KeepsStaleEventTs))
