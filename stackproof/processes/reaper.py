"""Ending everything a run started, whatever happened to the run itself.

`reap` is what every ending goes through: the regular one, ``stackproof down``,
and the small watcher process that each run starts first. The watcher holds the
reading end of a pipe; when the run dies, however it dies, the pipe closes.

Processes are recognised by several marks, because servers overwrite some of
them (Redis and PostgreSQL overwrite their environment with their title):
the run's ID in the environment, a working directory, program or argument inside
the run's directory, being a descendant of such a process, or being recorded in
the run's ledger. A directory alone is no proof for a process with a terminal:
that is a person's shell or pager.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path

import psutil

from stackproof.polling import DeadlineExceeded, poll
from stackproof.processes import liveness
from stackproof.processes.run import RUN_VARIABLE, Run, known_runs, runs_directory

LEDGER = "processes.ledger"
_PARTS = "reaped-by"
_KEEP = b"keep\n"
_LOCK_ALONE = 3600.0
#: Seconds for a run that has more than processes: an engine may be slow to remove containers.
_WITH_PARTS = 60.0
_SOURCES = Path(__file__).parents[2]


def record(run: Run, process_id: int) -> None:
    """Enter a started process into the run's ledger (ID and birth).

    Raises:
        OSError: the run's directory is gone.
    """
    born = liveness.birth(process_id)
    if born is not None:
        with (run.directory / LEDGER).open("a") as ledger:
            ledger.write(f"{process_id} {born}\n")


def _recorded(run: Run) -> dict[int, str]:
    try:
        lines = (
            (run.directory / LEDGER).read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
        )
    except OSError:
        return {}
    entries = (line.partition(" ") for line in lines)
    return {int(pid): born for pid, _, born in entries if pid.isdecimal()}


def _since(run: Run) -> str | None:
    birth = run.read_state().get("owner_birth")
    return birth if isinstance(birth, str) else None


def also(run: Run, module: str) -> None:
    """Have what is no process removed with the run, by ``reap(run)`` of a module of the suite.

    That function removes what it finds and returns descriptions of it; it is called until
    it finds nothing. Whoever ends the run calls it, so it is recorded by name: processes
    know nothing of what runs in them.

    Raises:
        OSError: the run's directory is gone.
    """
    if module not in _parts(run):
        with (run.directory / _PARTS).open("a") as file:
            file.write(f"{module}\n")


def _parts(run: Run) -> list[str]:
    try:
        return (run.directory / _PARTS).read_text(encoding="utf-8").split()
    except OSError:
        return []


class _CannotLoadError(Exception):
    """A part whose module cannot be loaded: waiting mends nothing."""


def _call(part: str, run: Run) -> list[str]:
    if not part.startswith("stackproof."):
        raise _CannotLoadError(f"whatever {part} knows: it is no part of the suite")
    failed = f"what {part} should have removed"
    try:
        clear = import_module(part).reap
    except Exception as error:
        raise _CannotLoadError(f"{failed}: {type(error).__name__}: {error}") from error
    try:
        return list(clear(run))
    except ImportError as error:
        raise _CannotLoadError(f"{failed}: {type(error).__name__}: {error}") from error
    except Exception as error:  # one part that fails must not save the others' remains
        return [f"{failed}: {type(error).__name__}: {error}"]


def _belongs(process: psutil.Process, run: Run, ledger: Mapping[int, str]) -> bool:
    born = ledger.get(process.pid)
    if born is not None and liveness.birth(process.pid) == born:
        return True
    with contextlib.suppress(psutil.Error, OSError):
        if process.environ().get(RUN_VARIABLE) == run.id:
            return True
    if liveness.has_terminal(process):
        return False
    directory = str(run.directory)
    for mark in (
        lambda: Path(process.cwd()).is_relative_to(directory),
        lambda: any(directory in word for word in process.cmdline()),
        lambda: Path(process.exe()).is_relative_to(directory),
    ):
        with contextlib.suppress(psutil.Error, OSError):
            if mark():
                return True
    return False


def processes_of(
    run: Run,
    *,
    spare: Iterable[int] = (),
    ledger: Mapping[int, str] | None = None,
    since: str | None = None,
) -> list[psutil.Process]:
    """All living processes that ``run`` started.

    Its owner is not among them while it lives, nor are ``spare``, this process and
    those it descends from.

    Args:
        spare: processes that are none of it.
        ledger: birth of each process that it is known to have started; default: read, as is
        since: the birth of its owner: what is older is none of its.
    """
    if ledger is None:
        ledger, since = _recorded(run), _since(run)
    spared = {*liveness.ancestors(), *spare, run.owner()}
    found = {}
    for process in born_since(since):
        with contextlib.suppress(psutil.Error):
            if process.pid in spared or not _belongs(process, run, ledger):
                continue
            if is_alive(process):
                found[process.pid] = process
    return [p for p in with_descendants(found.values()) if p.pid not in spared]


def born_since(since: str | None) -> Iterator[psutil.Process]:
    """All processes without those that were certainly born before ``since`` (see `liveness`).

    Those are most of a machine's, and nothing but their birth is read.
    """
    if since is None:
        yield from psutil.process_iter()
        return
    for process_id in psutil.pids():
        if not liveness.born_before(liveness.birth(process_id), since):
            try:
                process = psutil.Process(process_id)
            except psutil.Error:
                continue
            yield process


def with_descendants(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """``processes`` and all living ones that descend from them."""
    found = {process.pid: process for process in processes}
    for process in list(found.values()):
        with contextlib.suppress(psutil.Error):
            for child in process.children(recursive=True):
                if child.pid not in found and is_alive(child):
                    found[child.pid] = child
    return list(found.values())


def is_alive(process: psutil.Process) -> bool:
    """Whether it is there and has not ended (a zombie has)."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def marked(variable: str, value: str, *, since: str | None = None) -> list[psutil.Process]:
    """Living processes with ``variable`` set to ``value``, and all their descendants.

    None of them that was born before ``since``.
    """
    found = []
    for process in born_since(since):
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(variable) == value:
                found.append(process)
    return with_descendants(found)


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL each; no error for those that have ended."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()


def kill_found(find: Callable[[], Iterable[psutil.Process]]) -> list[psutil.Process]:
    """Kill what ``find`` finds, with whatever it starts meanwhile; all that was found.

    They are stopped first: a process that forks while its relatives are being killed
    would leave a child that nothing connects with the run any more.
    """
    found = hold_found(find)
    kill_all(found)
    return found


def hold_found(find: Callable[[], Iterable[psutil.Process]]) -> list[psutil.Process]:
    """Stop what ``find`` finds in its tracks, with whatever it starts meanwhile; the same."""
    found: dict[int, psutil.Process] = {}
    for _ in range(50):
        new = [process for process in find() if process.pid not in found]
        if not new:
            break
        found |= {process.pid: process for process in new}
        if sys.platform == "win32":
            break
        for process in new:
            with contextlib.suppress(psutil.Error):
                process.suspend()
    return list(found.values())


def wait_gone(processes: Iterable[psutil.Process], within: float) -> list[psutil.Process]:
    """Wait until all have ended; those that have not after ``within`` seconds."""
    watched = list(processes)
    try:
        poll(
            lambda: [process for process in watched if is_alive(process)],
            until=lambda left: not left,
            within=within,
            awaiting="processes to end",
            longest_pause=0.05,
        )
    except DeadlineExceeded as late:
        assert isinstance(late.seen, list)
        return late.seen
    return []


def reap(
    run: Run,
    *,
    spare: Iterable[int] = (),
    within: float = 8.0,
    waiting: Callable[[list[str]], None] | None = None,
) -> list[str]:
    """Kill every process of ``run``, remove what else it made, and its directory.

    Repeats until twice in a row nothing is found: a process between its fork and its
    exec shows its marks only a moment later. The directory stays while a process does,
    because it is what the process is recognised by.

    Args:
        waiting: hears once what is still there when clearing away has not helped at once.

    Returns:
        Descriptions of what was left after ``within`` seconds; empty when all is gone.
    """
    spared = set(spare)
    ledger: dict[int, str] = {}  # survives the file, which goes with the directory
    since = _since(run)
    parts = _parts(run)
    if parts:
        within = max(within, _WITH_PARTS)
    beyond_us: dict[str, str] = {}  # by part
    quiet = 0

    def call(part: str) -> list[str]:
        try:
            return _call(part, run)
        except _CannotLoadError as error:
            beyond_us[part] = str(error)
            return []

    def clear() -> list[str]:
        nonlocal quiet
        ledger.update(_recorded(run))
        killed = kill_found(lambda: processes_of(run, spare=spared, ledger=ledger, since=since))
        # After the processes: nothing makes more of it then.
        found = [left for part in parts if part not in beyond_us for left in call(part)]
        if killed or found:
            quiet = 0
            return [*(_describe(process) for process in killed), *found]
        quiet += 1
        if beyond_us:
            return []  # the directory tells the next one who tries what there is
        shutil.rmtree(run.directory, ignore_errors=True)
        return [f"directory {run.directory}"] if run.directory.exists() else []

    rounds = itertools.count(1)

    def told() -> list[str]:
        nonlocal waiting
        left = clear()
        if left and waiting and next(rounds) > 1:
            waiting(left)
            waiting = None
        return left

    try:
        poll(
            told,
            until=lambda left: not left and quiet >= 2,
            within=within,
            awaiting=f"run {run.id} to end",
            first_pause=0.02,
        )
    except DeadlineExceeded as late:
        assert isinstance(late.seen, list)
        if late.seen:
            return [*late.seen, *beyond_us.values()]
    if beyond_us:
        return list(beyond_us.values())
    run.end()
    return []


def _describe(process: psutil.Process) -> str:
    try:
        return f"process {process.pid} ({process.name()})"
    except psutil.Error:
        return f"process {process.pid}"


def reap_stale_runs(say: Callable[[str], None] = lambda line: None) -> list[str]:
    """End runs whose owner is gone and that were not kept on purpose; their IDs.

    Args:
        say: hears at once what is being removed, what this waits for, and what stays.
    """
    gone = []
    for run in known_runs():
        # Asked in this order: a run is marked as kept before its owner ends.
        if run.owner_lives() or run.kept:
            continue
        say(f"removing what was left of the interrupted run {run.id}")
        left = reap(run, waiting=lambda still: say(f"  waiting for {'; '.join(still)}"))
        if left:
            say(f"  could not be removed: {'; '.join(left)}")
            say(f"  `stackproof down {run.id}` tries again")
        else:
            gone.append(run.id)
    with contextlib.suppress(OSError):
        for lock in runs_directory().glob("r*.lock"):
            # Old ones only: a run that is just beginning has a lock before it has a directory.
            age = time.time() - lock.stat().st_mtime
            if age > _LOCK_ALONE and not lock.with_suffix("").exists():
                lock.unlink()
    return gone


class Watcher:
    """The reaper process of one run, seen from the run."""

    def __init__(self, run: Run):
        self._run = run
        # Not one of the run's own: without its mark.
        environment = {k: v for k, v in os.environ.items() if k != RUN_VARIABLE}
        paths = [str(_SOURCES), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        with _deaf_children():
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stackproof.processes.reaper", run.id, str(run.directory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # Ctrl-C in the terminal and a kill of the run's process group must not reach it.
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                cwd=_SOURCES,
                env=environment,
            )

    @property
    def pid(self) -> int:
        """Process ID of the watcher."""
        return self._process.pid

    def dismiss(self, *, keep: bool) -> list[str]:
        """End the watch: with ``keep`` nothing is touched, else what is left is reaped.

        Returns:
            What could not be removed; see `reap`.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            if keep:
                self._process.stdin.write(_KEEP)
            self._process.stdin.close()
        try:
            code = self._process.wait(timeout=15 + _WITH_PARTS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if keep:
            return []
        if code != 0:  # it died before its time, or something resists
            return reap(self._run)
        self._run.end()
        return []


@contextlib.contextmanager
def _deaf_children() -> Iterator[None]:
    """What is started meanwhile never hears of the signals that ask a program to end.

    The watcher ends by itself soon after its run; until then it must be the last to go.
    """
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(
        signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    )
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def main(arguments: list[str]) -> int:
    """Wait for the run's end, then reap unless told to keep."""
    run = Run(arguments[0], Path(arguments[1]))
    if sys.stdin.buffer.read() == _KEEP:
        return 0
    return 1 if reap(run) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
