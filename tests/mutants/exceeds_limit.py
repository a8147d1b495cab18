"""Dead letters may be a byte larger than their contract allows."""

from __future__ import annotations

import sys
from typing import Any

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.config import Config
from reference.churn_pipeline.pipeline import ChurnPipeline


class _Larger(Config):
    @property
    def dead_letter_budget(self) -> int:
        return super().dead_letter_budget + 1


class ExceedsLimit(ChurnPipeline):
    def __init__(self, config: Config, *others: Any) -> None:
        super().__init__(_Larger(**vars(config)), *others)


if __name__ == "__main__":
    sys.exit(main(pipeline_class=ExceedsLimit))
