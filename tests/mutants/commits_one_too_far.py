"""Committed offsets are one too high: every start skips a message of each partition."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.pipeline import ChurnPipeline


class CommitsOneTooFar(ChurnPipeline):
    def positions_after(self, batch: Sequence[Message]) -> dict[tuple[str, int], int]:
        right = super().positions_after(batch)
        return {place: position + 1 for place, position in right.items()}


if __name__ == "__main__":
    sys.exit(main(pipeline_class=CommitsOneTooFar))
