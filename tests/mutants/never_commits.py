"""Offsets are never committed: every start begins at the beginning."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.clients import Message
from reference.churn_pipeline.pipeline import ChurnPipeline


class NeverCommits(ChurnPipeline):
    def commit(self, batch: Sequence[Message]) -> None:
        """Leave the group where it is."""


if __name__ == "__main__":
    sys.exit(main(pipeline_class=NeverCommits))
