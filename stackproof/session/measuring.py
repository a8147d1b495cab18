"""Measuring what a step does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def timed(work: Callable[..., Any], *arguments: Any) -> float:
    """Do ``work`` and return how long it took, in seconds."""
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began
