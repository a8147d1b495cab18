"""What mutants share whose fault shows only in batches of two or more. No mutant itself."""

from __future__ import annotations

from reference.churn_pipeline.pipeline import ChurnPipeline


class LingeringPipeline(ChurnPipeline):
    """Correct, but waits a little for company before it begins a batch."""

    def collect(self) -> None:
        super().collect()
        if self.batch:
            super().collect()
