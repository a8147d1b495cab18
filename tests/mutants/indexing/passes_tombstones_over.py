"""Tombstones are passed over."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from reference.search_indexer.cli import main
from reference.search_indexer.engine import DONE, Change, Outcome
from reference.search_indexer.indexer import Indexer


class PassesTombstonesOver(Indexer):
    def write(self, changes: Sequence[Change]) -> list[Outcome]:
        became = iter(super().write([one for one in changes if one.content is not None]))
        return [DONE if one.content is None else next(became) for one in changes]


if __name__ == "__main__":
    sys.exit(main(indexer_class=PassesTombstonesOver))
