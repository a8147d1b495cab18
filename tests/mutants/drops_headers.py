"""Dead letters come without the headers of the original."""

from __future__ import annotations

import sys
from dataclasses import replace

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.pipeline import ChurnPipeline, Record


class DropsHeaders(ChurnPipeline):
    def send(self, record: Record) -> None:
        super().send(replace(record, headers=None))


if __name__ == "__main__":
    sys.exit(main(pipeline_class=DropsHeaders))
