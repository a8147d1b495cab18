"""Ending everything a run started, whatever happened to the run itself.

`reap` is what every ending goes through: the regular one, ``stackproof down``,
and the small watcher process that each run starts first. The watcher holds the
reading end of a pipe; when the run dies, however it dies, the pipe closes.

Processes are recognised by several marks, because servers overwrite some of
them (Redis and PostgreSQL overwrite their environment with their title):
the run's ID in the environment, a working directory, program or argument inside
the run's directory, being a descendant of such a process, or being recorded in
the run's ledger.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import psutil

from stackproof.polling import DeadlineExceeded, poll
from stackproof.stack.run import RUN_VARIABLE, Run, known_runs

LEDGER = "processes.ledger"
_KEEP = b"keep\n"


def record(run: Run, process_id: int) -> None:
    """Enter a started process into the run's ledger (ID and start time)."""
    with contextlib.suppress(psutil.NoSuchProcess):
        started = psutil.Process(process_id).create_time()
        with (run.directory / LEDGER).open("a") as ledger:
            ledger.write(f"{process_id} {started}\n")


def _recorded(run: Run) -> dict[int, float]:
    try:
        lines = (run.directory / LEDGER).read_text().split("\n")[:-1]
    except FileNotFoundError:
        return {}
    return {int(pid): float(started) for pid, started in (line.split() for line in lines)}


def _belongs(process: psutil.Process, run: Run, ledger: dict[int, float]) -> bool:
    started = ledger.get(process.pid)
    if started is not None and abs(process.create_time() - started) < 1:
        return True
    directory = str(run.directory)
    for mark in (
        lambda: process.environ().get(RUN_VARIABLE) == run.id,
        lambda: Path(process.cwd()).is_relative_to(directory),
        lambda: any(directory in word for word in process.cmdline()[1:]),
    ):
        with contextlib.suppress(psutil.Error, OSError):
            if mark():
                return True
    return False


def processes_of(run: Run, *, spare: Iterable[int] = ()) -> list[psutil.Process]:
    """All living processes that ``run`` started, itself and ``spare`` excepted."""
    ledger = _recorded(run)
    spared = {os.getpid(), os.getppid(), *spare}
    state = run.read_state()
    if run.owner_lives():
        spared.add(state["owner"])
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid in spared or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if _belongs(process, run, ledger):
                found[process.pid] = process
    for process in list(found.values()):
        with contextlib.suppress(psutil.Error):
            for child in process.children(recursive=True):
                if child.pid not in spared and child.status() != psutil.STATUS_ZOMBIE:
                    found.setdefault(child.pid, child)
    return list(found.values())


def marked(variable: str, value: str) -> list[psutil.Process]:
    """Living processes with ``variable`` set to ``value``, and all their descendants."""
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(variable) == value:
                found[process.pid] = process
                for child in process.children(recursive=True):
                    found.setdefault(child.pid, child)
    return list(found.values())


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL each (after resuming it: a stopped process dies all the same, a tracer may not)."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()


def reap(run: Run, *, spare: Iterable[int] = (), within: float = 8.0) -> list[str]:
    """Kill every process of ``run`` and remove its directory.

    Repeats until nothing is found, because a dying parent may just have started a child.

    Returns:
        Descriptions of what was left after ``within`` seconds; empty when all is gone.
    """

    def sweep() -> list[psutil.Process]:
        left = processes_of(run, spare=spare)
        kill_all(left)
        return left

    leftovers: list[str] = []
    try:
        poll(sweep, until=lambda left: not left, within=within, awaiting="processes to end")
    except DeadlineExceeded:
        for process in processes_of(run, spare=spare):
            with contextlib.suppress(psutil.Error):
                leftovers.append(f"process {process.pid} ({process.name()})")

    def remove() -> bool:
        shutil.rmtree(run.directory, ignore_errors=True)
        return not run.directory.exists()

    try:
        poll(remove, within=2, awaiting="the run's directory to be removed")
    except DeadlineExceeded:
        leftovers.append(f"directory {run.directory}")
    return leftovers


def reap_stale_runs() -> list[str]:
    """End runs whose owner is gone and that were not kept on purpose; their IDs."""
    gone = []
    for run in known_runs():
        if not run.kept and not run.owner_lives():
            reap(run)
            gone.append(run.id)
    return gone


class Watcher:
    """The reaper process of one run, seen from the run."""

    def __init__(self, run: Run):
        self._run = run
        self._process = subprocess.Popen(
            [sys.executable, "-m", "stackproof.stack.reaper", run.id, str(run.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C in the terminal and a kill of the run's process group must not reach it.
            start_new_session=True,
            cwd=Path(__file__).parents[2],
        )

    @property
    def pid(self) -> int:
        """Process ID of the watcher."""
        return self._process.pid

    def dismiss(self, *, keep: bool) -> None:
        """End the watch: with ``keep`` nothing is touched, else what is left is reaped."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            if keep:
                self._process.stdin.write(_KEEP)
            self._process.stdin.close()
        self._process.wait(timeout=15)


def main(arguments: list[str]) -> int:
    """Wait for the run's end, then reap unless told to keep."""
    run = Run(arguments[0], Path(arguments[1]))
    if sys.stdin.buffer.read() == _KEEP:
        return 0
    return 1 if reap(run) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
