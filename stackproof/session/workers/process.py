"""One worker as the run sees it: its process, its connection, what it is at."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from multiprocessing import connection
from pathlib import Path
from typing import Any

import psutil

from stackproof.processes import liveness, reaper
from stackproof.processes.process import describe_exit, file_end
from stackproof.processes.run import RUN_VARIABLE, WORKER_VARIABLE, Run
from stackproof.session.plan import ScenarioPlan

_SOURCES = Path(__file__).parents[3]
# A worker gets this much beyond its deadline, for the stack dump to be written.
_GRACE = 1.0
# A process that has closed its connection is about to end and gets this long for it.
_ENDS_WITHIN = 1.0


class Disconnected:
    """Said by the connection's reader when nothing more will come.

    Attributes:
        problem: why, unless the other side has simply closed it.
    """

    def __init__(self, problem: str = ""):
        self.problem = problem


class WorkerProcess:
    """A worker process and everything it starts.

    Args:
        run: the run it belongs to.
        number: its number within the run.
        logs: directory for its output.
    """

    def __init__(self, run: Run, number: int, logs: Path):
        self.name = f"worker-{number}"
        self._run = run
        self._marker = f"{run.id}-{number}"
        self._log = logs / f"{self.name}.log"
        self._stacks = stacks_file(run.directory, number)
        self._link, theirs = connection.Pipe()
        self._popen = self._start(number, theirs.fileno())
        theirs.close()  # the worker's end is the only one: its death closes the connection
        self._silent = False
        self._born = liveness.birth(self._popen.pid)
        reaper.record(run, self._popen.pid)

    def _start(self, number: int, handle: int) -> subprocess.Popen:
        paths = [str(_SOURCES), os.environ.get("PYTHONPATH", "")]
        options: dict[str, Any]
        if sys.platform == "win32":
            os.set_handle_inheritable(handle, True)
            startup = subprocess.STARTUPINFO(lpAttributeList={"handle_list": [handle]})
            options = {"startupinfo": startup}
        else:
            # Ctrl-C is for the run: it ends its workers itself.
            options = {"pass_fds": [handle], "start_new_session": True}
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as output:
            return subprocess.Popen(
                # Unbuffered: what it printed before it was killed is evidence.
                [sys.executable, "-u", "-m", "stackproof.session.workers.worker",
                 str(handle), str(number)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env={
                    **os.environ,
                    RUN_VARIABLE: self._run.id,
                    WORKER_VARIABLE: self._marker,
                    "PYTHONPATH": os.pathsep.join(path for path in paths if path),
                },
                **options,
            )  # fmt: skip

    def listen(self, hear: Callable[[Any], None]) -> None:
        """Call ``hear`` with each message and at last with `Disconnected`.

        In a thread of its own: a worker that is stopped in the middle of a message must
        stop nobody else.
        """
        threading.Thread(target=self._read, args=(hear,), daemon=True).start()

    def _read(self, hear: Callable[[Any], None]) -> None:
        problem = ""
        while not problem:
            try:
                message = self._link.recv()
            except (EOFError, OSError):
                break
            except Exception as error:  # what cannot be unpickled must not go unnoticed
                problem = f"{self.name} sent something unreadable: {error!r}"
            else:
                hear(message)
        self._link.close()
        self._silent = True
        hear(Disconnected(problem))

    def send(self, message: Any) -> None:
        """Send a message; none arrives at a process that has died, which is noticed anyway."""
        with contextlib.suppress(OSError):
            self._link.send(message)

    def has_ended(self) -> bool:
        """Whether its process has, though something it started may hold the connection."""
        return self._popen.poll() is not None

    def kill(self) -> str:
        """End it with everything it started; how it ended, in words."""
        how = ""
        if self._silent:
            try:
                self._popen.wait(_ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                how = f"{self.name} closed its connection to the run"
        self.kill_family()
        self._popen.kill()
        code = self._popen.wait()
        return how or f"{self.name} {describe_exit(code)}"

    def kill_family(self) -> None:
        """End everything it started, and itself."""
        reaper.wait_gone(reaper.kill_found(self._family), within=5)

    def _family(self) -> list[psutil.Process]:
        """It, what descends from it, what carries its mark, and what is left of its session."""
        marked = reaper.marked(WORKER_VARIABLE, self._marker, since=self._born)
        found = {process.pid: process for process in marked}
        with contextlib.suppress(psutil.Error):
            own = psutil.Process(self._popen.pid)
            if self._popen.poll() is None:
                found[own.pid] = own
        if sys.platform != "win32":
            for process in reaper.born_since(self._born):
                with contextlib.suppress(psutil.Error, OSError):
                    orphan = os.getsid(process.pid) == self._popen.pid
                    if orphan and reaper.is_alive(process):
                        found[process.pid] = process
        return reaper.with_descendants(found.values())

    def stacks(self) -> str:
        """The stacks it has dumped, or that there are none."""
        try:
            text = self._stacks.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            text = ""
        return text or "(no stacks were dumped)"

    def output_end(self) -> str:
        """The end of what it printed outside of scenarios."""
        return file_end(self._log)


class Phase(Enum):
    """What a worker is at, in words for messages."""

    LOADING = "loading steps and hooks"
    BEFORE_ALL = "before_all"
    IDLE = "waiting for work"
    HOOKS = "the hooks of its feature or rule"
    ASKING = "waiting for what the scenario needs"
    SCENARIO = "the scenario"
    EVIDENCE = "gathering the scenario's evidence"
    AFTER_ALL = "after_all"


WITH_WORK = (Phase.HOOKS, Phase.ASKING, Phase.SCENARIO, Phase.EVIDENCE)


@dataclass(eq=False)
class Worker:
    """One worker process as the pool sees it.

    Attributes:
        todo: what it has claimed and not ended, the current scenario included.
        offered: IDs of scenarios of its feature for which it has not asked yet.
        progressed: whether a scenario of its unit has begun in it.
        deadline: when it is killed; None while it waits for the run.
        allowed: the seconds that led to the deadline.
        posted: messages that have arrived, and
        handled: those of them that have been dealt with.
    """

    process: WorkerProcess
    phase: Phase = Phase.LOADING
    todo: list[ScenarioPlan] = field(default_factory=list)
    offered: set[str] = field(default_factory=set)
    current: ScenarioPlan | None = None
    feature_index: int = -1
    progressed: bool = False
    deadline: float | None = None
    allowed: float = 0.0
    posted: int = 0
    handled: int = 0
    ending: bool = False

    @property
    def name(self) -> str:
        """For people and reports."""
        return self.process.name

    def enter(self, phase: Phase, within: float | None = None) -> None:
        """It is at something else now, and may take ``within`` seconds for it."""
        self.phase = phase
        self.allowed = within or 0.0
        self.deadline = None if within is None else time.monotonic() + within + _GRACE


def stacks_file(run_directory: Path, number: int) -> Path:
    """Where a worker dumps its stacks."""
    return run_directory / f"stacks-{number}.txt"


def open_link(handle: int) -> connection.Connection:
    """The worker's own end of the connection."""
    if sys.platform == "win32":
        os.set_handle_inheritable(handle, False)
        return connection.PipeConnection(handle)
    os.set_inheritable(handle, False)
    return connection.Connection(handle)
