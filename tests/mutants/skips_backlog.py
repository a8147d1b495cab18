"""At every assignment it begins at the end of the partitions: what came in between is skipped."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from confluent_kafka import OFFSET_END

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.pipeline import ChurnPipeline


class SkipsBacklog(ChurnPipeline):
    def on_assign(self, consumer: Any, partitions: Sequence[Any]) -> None:
        for place in partitions:
            place.offset = OFFSET_END
        consumer.assign(partitions)
        super().on_assign(consumer, partitions)


if __name__ == "__main__":
    sys.exit(main(pipeline_class=SkipsBacklog))
