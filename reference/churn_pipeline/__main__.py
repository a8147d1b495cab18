"""``python -m reference.churn_pipeline``."""

import sys

from reference.churn_pipeline.cli import main

if __name__ == "__main__":
    sys.exit(main())
