"""What the machine does besides a run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

from stackproof.polling import pause
from stackproof.processes import liveness
from stackproof.processes.reaper import processes_of
from stackproof.processes.run import Run


def used_by_others(run: Run, seconds: float) -> float:
    """How much of all processors others than the run use, in percent; watches for ``seconds``.

    Containers are others, also those of the run: they do little while nothing is asked of them.
    """
    above = [psutil.Process(pid) for pid in liveness.ancestors() if psutil.pid_exists(pid)]
    own = [*processes_of(run), *above]
    before, began = _spent(own), time.monotonic()
    psutil.cpu_percent()  # the next call tells what is used from now on
    pause(seconds)
    used = psutil.cpu_percent()
    spent = _spent(own)
    ours = sum(spent[pid] - before.get(pid, 0.0) for pid in spent)
    share = 100 * ours / (time.monotonic() - began) / (os.cpu_count() or 1)
    return max(0.0, used - share)


def _spent(processes: Iterable[psutil.Process]) -> dict[int, float]:
    """Seconds of a processor that each has used since it began."""
    spent = {}
    for process in processes:
        with suppress(psutil.Error):
            times = process.cpu_times()
            spent[process.pid] = times.user + times.system
    return spent
