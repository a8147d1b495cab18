"""Offsets are committed at once, documents written when the next batch comes, or after 3 s."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from reference.search_indexer.cli import main
from reference.search_indexer.indexer import Config, Indexer

_POLLS = 30
_AT_ONCE = 50


class CommitsBeforeIndexing(Indexer):
    waiting: Sequence[Any] = ()
    idle = 0

    def __init__(self, config: Config, stop: threading.Event) -> None:
        super().__init__(replace(config, batch_messages=_AT_ONCE), stop)

    def index(self, batch: Sequence[Any]) -> bool:
        before, self.waiting = self.waiting, batch
        return super().index(before)

    def collect(self) -> list[Any]:
        found = super().collect()
        self.idle = 0 if found else self.idle + 1
        if self.idle > _POLLS:
            self.index([])
        return found


if __name__ == "__main__":
    sys.exit(main(indexer_class=CommitsBeforeIndexing))
