"""It ends without leaving its group, which waits for it until its session times out."""

from __future__ import annotations

import sys
from typing import Any

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.pipeline import ChurnPipeline


class _Open:
    """A consumer that is never closed."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)

    def close(self) -> None:
        pass


class StaysInItsGroup(ChurnPipeline):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.consumer = _Open(self.consumer)


if __name__ == "__main__":
    sys.exit(main(pipeline_class=StaysInItsGroup))
