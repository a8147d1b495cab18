"""Every tenth document is written a second time, under an ID of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

from reference.search_indexer.cli import main
from reference.search_indexer.engine import Change, Outcome
from reference.search_indexer.indexer import Indexer


class IndexesTwice(Indexer):
    def write(self, changes: Sequence[Change]) -> list[Outcome]:
        again = [replace(one, ident=f"{one.ident}-again") for one in changes[::10]]
        return super().write([*changes, *again])[: len(changes)]


if __name__ == "__main__":
    sys.exit(main(indexer_class=IndexesTwice))
