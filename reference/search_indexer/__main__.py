"""``python -m reference.search_indexer``."""

import sys

from reference.search_indexer.cli import main

if __name__ == "__main__":
    sys.exit(main())
