"""``python -m tests.troubles``: provoke every trouble and write ``docs/troubleshooting.md``."""

from __future__ import annotations

import sys

from tests.troubles.catalogue import DOCUMENT, as_markdown, provoke_all
from tests.troubles.sandbox import ROOT


def main() -> int:
    done, wrong = provoke_all(lambda line: print(line, flush=True))
    print(f"{len(done)} troubles provoked")
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong:
        print(f"{DOCUMENT} stays as it is", file=sys.stderr)
        return 1
    (ROOT / DOCUMENT).write_text(as_markdown(done))
    print(f"{DOCUMENT} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
