"""Dead letters are counted as predictions."""

from __future__ import annotations

import sys
from typing import Any

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.pipeline import ChurnPipeline


class Miscounts(ChurnPipeline):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.metrics.dead_letters.labels = lambda _: self.metrics.predictions  # type: ignore


if __name__ == "__main__":
    sys.exit(main(pipeline_class=Miscounts))
