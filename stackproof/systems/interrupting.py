"""What may rightly come twice after a pipeline was interrupted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

#: Committed offsets by topic and partition.
Offsets = Mapping[tuple[str, int], int]


def rightly_repeated(
    positions: Iterable[tuple[str, int, int]],
    received: Counter[str],
    committed_at_faults: list[Offsets],
    topic: str,
) -> tuple[int, int]:
    """How many repetitions are no fault of the pipeline.

    Whoever takes over after a crash begins at the committed offsets: a customer behind
    them may be predicted once more for each crash, one before them must not. After a
    regular stop nothing may: a pipeline that ends in order commits what it has delivered.

    Args:
        positions: ident, partition and offset of each input.
        received: how often each ident has come out.
        committed_at_faults: what the group had committed at each crash.
        topic: the input's.

    Returns:
        How many customers might be repeated, and how many repetitions there were of these.
    """
    repeatable = repeated = 0
    for ident, partition, offset in positions:
        crashes = sum(
            offset >= committed.get((topic, partition), 0) for committed in committed_at_faults
        )
        repeatable += crashes > 0
        repeated += min(crashes, max(0, received[ident] - 1))
    return repeatable, repeated
