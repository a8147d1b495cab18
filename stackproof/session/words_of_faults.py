"""Words of the features that stand for faults."""

from __future__ import annotations

from collections.abc import Callable

import parse

from stackproof.faults import PROCESS_FAULTS


@parse.with_pattern("|".join(PROCESS_FAULTS))
def parse_process_fault(text: str) -> str:
    """A fault of a broker's process, for ``{fault:ProcessFault}``."""
    return text


#: Types of parameters that steps about faults use besides those of every step.
FAULT_TYPES: dict[str, Callable[[str], object]] = {"ProcessFault": parse_process_fault}
