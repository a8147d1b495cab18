"""After a second without a message it waits for one, whatever else happens."""

from __future__ import annotations

import sys
from typing import Any

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.pipeline import ChurnPipeline


class IgnoresStopWhileIdle(ChurnPipeline):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._empty = 0

    def collect(self) -> None:
        super().collect()
        self._empty = 0 if self.batch else self._empty + 1
        while not self.batch and self._empty > 10:
            super().collect()


if __name__ == "__main__":
    sys.exit(main(pipeline_class=IgnoresStopWhileIdle))
