"""Words of the features that stand for actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import parse

if TYPE_CHECKING:
    from stackproof.systems.launching import RunningSystem

#: How a system may end, as features say it.
ENDINGS: dict[str, Callable[[RunningSystem], None]] = {
    "is stopped": lambda system: system.stop(),
    "crashes": lambda system: system.crash(),
}

#: The same words for an instance of a service.
FAULTS: dict[str, Literal["stop", "crash"]] = {"is stopped": "stop", "crashes": "crash"}


@parse.with_pattern("|".join(ENDINGS))
def parse_ending(text: str) -> str:
    """A way to end, for behave's ``{name:Ending}``."""
    return text
