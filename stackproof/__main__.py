"""Runs the command line as ``python -m stackproof``."""

import sys

from stackproof.cli import main

if __name__ == "__main__":
    sys.exit(main())
