"""The largest original that a dead letter may carry is left out."""

from __future__ import annotations

import sys
from typing import Any

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.config import Config
from reference.churn_pipeline.pipeline import ChurnPipeline


class _Smaller(Config):
    @property
    def dead_letter_budget(self) -> int:
        return super().dead_letter_budget - 1


class LetsGoAtLimit(ChurnPipeline):
    def __init__(self, config: Config, *others: Any) -> None:
        super().__init__(_Smaller(**vars(config)), *others)


if __name__ == "__main__":
    sys.exit(main(pipeline_class=LetsGoAtLimit))
