"""Neighbouring outputs of a partition are sent in the wrong order."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.pipeline import Record
from tests.mutants.lingering import LingeringPipeline


class SwapsOrder(LingeringPipeline):
    def deliver(self, records: Sequence[Record]) -> None:
        by_place: dict[tuple[str, int], list[Record]] = {}
        for record in records:
            by_place.setdefault((record.topic, record.partition), []).append(record)
        swapped: list[Record] = []
        for neighbours in by_place.values():
            for start in range(0, len(neighbours), 2):
                swapped += reversed(neighbours[start : start + 2])
        super().deliver(swapped)


if __name__ == "__main__":
    sys.exit(main(pipeline_class=SwapsOrder))
