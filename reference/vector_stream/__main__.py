"""``python -m reference.vector_stream``."""

import sys

from reference.vector_stream.cli import main

if __name__ == "__main__":
    sys.exit(main())
