"""Nothing of its settings is checked, whatever contradicts itself or breaks its guarantees."""

from __future__ import annotations

import sys

from reference.churn_pipeline import cli
from reference.churn_pipeline.config import Config


class _Unchecked(Config):
    def __post_init__(self) -> None:
        pass


if __name__ == "__main__":
    cli.Config = _Unchecked  # type: ignore[misc]
    sys.exit(cli.main())
