"""A matcher for lists of deviations: how many there are, and a few of them."""

from __future__ import annotations

from collections.abc import Collection

from hamcrest.core.base_matcher import BaseMatcher
from hamcrest.core.description import Description

SHOWN = 3


class _NoDeviations(BaseMatcher[Collection[object]]):
    def _matches(self, item: Collection[object]) -> bool:
        return not item

    def describe_to(self, description: Description) -> None:
        description.append_text("none")

    def describe_mismatch(self, item: Collection[object], description: Description) -> None:
        first, *others = (str(one) for one, _ in zip(item, range(SHOWN), strict=False))
        left = len(item) - 1 - len(others)
        lines = [f"was {len(item):,}, the first: {first}", *(f"  {one}" for one in others)]
        description.append_text("\n".join([*lines, *([f"  and {left:,} more"] if left else [])]))


def no_deviations() -> _NoDeviations:
    """Matches an empty list; of another one, its length and its first entries are told."""
    return _NoDeviations()
