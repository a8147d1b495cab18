"""Offsets are committed at once, documents written when the next batch comes, or after 1.5 s."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from reference.search_indexer.cli import main
from reference.search_indexer.indexer import Indexer


class CommitsBeforeIndexing(Indexer):
    waiting: Sequence[Any] = ()
    idle = 0

    def index(self, batch: Sequence[Any]) -> bool:
        before, self.waiting = self.waiting, batch
        return super().index(before)

    def collect(self) -> list[Any]:
        found = super().collect()
        self.idle = 0 if found else self.idle + 1
        if self.idle > 15:
            self.index([])
        return found


if __name__ == "__main__":
    sys.exit(main(indexer_class=CommitsBeforeIndexing))
