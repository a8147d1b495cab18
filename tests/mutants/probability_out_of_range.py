"""The probability is given in percent, 0 to 100 instead of 0 to 1."""

from __future__ import annotations

import sys
from typing import Any

from reference.churn_pipeline.cli import main
from reference.churn_pipeline.pipeline import ChurnPipeline
from reference.churn_pipeline.validation import Customer


class ProbabilityOutOfRange(ChurnPipeline):
    def prediction_fields(self, customer: Customer) -> dict[str, Any]:
        fields = super().prediction_fields(customer)
        return fields | {"churn_probability": round(fields["churn_probability"] * 100, 6)}


if __name__ == "__main__":
    sys.exit(main(pipeline_class=ProbabilityOutOfRange))
