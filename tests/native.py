"""Runs of their own with real servers, far from those of whoever works on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stackproof.obtain import Cache
from stackproof.processes import reaper
from stackproof.processes.run import RUN_VARIABLE, Run
from stackproof.stack.native import NativeProvider


@contextmanager
def own_run(place: Path) -> Iterator[Run]:
    """A run whose directory is below ``place``; all that belongs to it is ended with the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STACKPROOF_RUNS", str(place))
        patch.delenv(RUN_VARIABLE, raising=False)
        run = Run.begin()
        try:
            yield run
        finally:
            reaper.reap(run)


@contextmanager
def native(place: Path, *, time_factor: float) -> Iterator[NativeProvider]:
    """What starts servers as processes of such a run."""
    with own_run(place) as run:
        yield NativeProvider(run, place / "logs", Cache(), time_factor=time_factor)
