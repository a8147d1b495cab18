"""Offsets are committed at once, documents written two batches later, or after 3 s."""

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
    waiting: Sequence[Sequence[Any]] = ()
    idle = 0

    def __init__(self, config: Config, stop: threading.Event) -> None:
        super().__init__(replace(config, batch_messages=_AT_ONCE), stop)

    def index(self, batch: Sequence[Any]) -> bool:
        # Two of them: also while one is on its way, another is committed and not written.
        kept = [*self.waiting, batch][-2:] if batch else []
        due = [*self.waiting, batch][: -len(kept) or None]
        self.waiting = kept
        return super().index([message for one in due for message in one])

    def collect(self) -> list[Any]:
        found = super().collect()
        self.idle = 0 if found else self.idle + 1
        if self.idle > _POLLS:
            self.index([])
        return found


if __name__ == "__main__":
    sys.exit(main(indexer_class=CommitsBeforeIndexing))
