"""Offsets are committed at once, documents written when the next batch comes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from reference.search_indexer.cli import main
from reference.search_indexer.indexer import Indexer


class CommitsBeforeIndexing(Indexer):
    waiting: Sequence[Any] = ()

    def index(self, batch: Sequence[Any]) -> bool:
        before, self.waiting = self.waiting, batch
        return super().index(before)

    def collect(self) -> list[Any]:
        found = super().collect()
        if not found and self.waiting:
            self.index([])
        return found


if __name__ == "__main__":
    sys.exit(main(indexer_class=CommitsBeforeIndexing))
