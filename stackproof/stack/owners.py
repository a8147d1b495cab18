"""Breaking servers that the suite did not start, by commands that their owner wrote down.

What heals a node stands in the run's directory before anything is done to it, so whoever ends the
run heals it: its scenario, the run, or, when that was killed, its watcher (`reap`).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from stackproof.actions import Action, Crash, Pause, Resume, Start, Stop
from stackproof.errors import NotSupported, Trouble, reason_of
from stackproof.masking import mask, mask_command
from stackproof.polling import DeadlineExceeded, poll
from stackproof.processes import liveness, reaper
from stackproof.processes.process import describe_exit, file_end
from stackproof.processes.run import RUN_VARIABLE, WORKER_VARIABLE, Run
from stackproof.settings.nodes import HEALED_BY, NodeSettings

_JOURNAL, _LOCK = "broken-nodes.json", "broken-nodes.lock"
#: What an owner's command does it by.
_KEYS: Mapping[type[Action], str] = {
    Crash: "kill", Stop: "stop", Start: "start", Pause: "pause", Resume: "resume",
}  # fmt: skip
#: Seconds until a healing that has failed is tried again.
_RETRY = 10.0
_OUTPUT_LINES = 15


@dataclass(frozen=True)
class Command:
    """One command of an owner's. Plain data.

    Attributes:
        key: what it does, e.g. "kill".
        of: to what, e.g. "broker-2 of Kafka".
        section: where it stands.
        argv: program and arguments; no shell sees them.
        directory: in which it is run.
        within: seconds.
    """

    key: str
    of: str
    section: str
    argv: tuple[str, ...]
    directory: str
    within: float

    def launch(self, output: Path) -> subprocess.Popen[bytes]:
        """Start it, apart from the run: what it starts in its turn outlives the run.

        Args:
            output: file for what it says.

        Raises:
            Trouble: there is no such program.
        """
        # Without the marks of the run: the reaper must not take somebody's server for the run's.
        own = (RUN_VARIABLE, WORKER_VARIABLE)
        environment = {name: value for name, value in os.environ.items() if name not in own}
        try:
            with output.open("wb") as stream:
                return subprocess.Popen(
                    self.argv,
                    cwd=self.directory,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except (OSError, ValueError) as error:
            why = reason_of(error, self.argv[0]) if isinstance(error, OSError) else str(error)
            raise self._failed(why, "correct it, or install what it calls") from error

    def finish(self, process: subprocess.Popen[bytes], output: Path) -> None:
        """Wait for its end.

        Raises:
            Trouble: it took too long, or failed; with the end of what it said.
        """
        try:
            code = process.wait(self.within)
        except subprocess.TimeoutExpired:
            _kill(process.pid)
            process.wait()
            raise self._failed(
                f"it did not end within {self.within:g} s{_said(output)}",
                f"mend it, or give it longer: within = ... in {self.section}",
            ) from None
        if code:
            raise self._failed(
                f"it {describe_exit(code)}{_said(output)}",
                f"mend that command in {self.section}",
            )

    def _failed(self, why: str, remedy: str) -> Trouble:
        return Trouble(
            f"the {self.key} of {self.of} failed", f"{mask_command(self.argv)}: {why}", remedy
        )


def _said(output: Path) -> str:
    return f"; its output ends:\n{mask(file_end(output, _OUTPUT_LINES))}"


def _kill(process_id: int) -> None:
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process_id, signal.SIGKILL)
        else:
            os.kill(process_id, signal.SIGTERM)


class Owner:
    """Breaks and heals the nodes of one endpoint.

    Args:
        run: whoever ends it heals what is broken.
        title: of the service.
        nodes: how each is broken, by its instance's name.
        directory: in which commands are run.
        factor: multiplies their time limits.

    Attributes:
        touched: instances to which anything was done.
    """

    def __init__(
        self,
        run: Run,
        title: str,
        nodes: Mapping[str, NodeSettings],
        *,
        directory: Path,
        factor: float,
    ):
        self._run = run
        self._title = title
        self._nodes = nodes
        self._directory = directory
        self._factor = factor
        self.touched: set[str] = set()

    def act(self, instance: str, action: Action) -> None:
        """Run the command for an action.

        Raises:
            NotSupported: there is none, or none that would undo it.
            Trouble: it failed.
        """
        key = _KEYS.get(type(action))
        if key is None:
            raise NotSupported(
                f"the external {self._title} cannot be broken like this",
                f"this scenario would {action} {self._nodes[instance].name}, and the suite has no "
                f"hold on it but its owner's commands: {', '.join(_KEYS.values())}",
                "run it on a stack of the suite's own (STACK=native or STACK=docker)",
            )
        command = self._command(instance, key)
        self.touched.add(instance)
        if key not in HEALED_BY:
            with _output(self._run) as output:
                command.finish(command.launch(output), output)
            with _journal(self._run) as journal:
                journal.entries.pop(instance, None)
            return
        healing = self._command(instance, HEALED_BY[key])
        with _output(self._run) as output:
            with _journal(self._run) as journal:
                with _noting(self._run.directory):
                    reaper.also(self._run, __name__)
                entry: dict[str, Any] = {"title": command.of, "heal": asdict(healing)}
                journal.entries[instance] = entry
                journal.write()  # before anything is done
                process = command.launch(output)
                entry |= {"pid": process.pid, "birth": liveness.birth(process.pid)}
            command.finish(process, output)

    def _command(self, instance: str, key: str) -> Command:
        node = self._nodes[instance]
        if key not in node.commands:
            raise NotSupported(
                f"{node.section} has no {key}",
                "this scenario needs it, to break that node or to heal it: the suite did not start "
                "it, and has no hold on it but its owner's commands",
                f"write it down there (docs/endpoints.md); it has: {', '.join(node.commands)}",
            )
        return Command(
            key=key,
            of=f"{node.name} of {self._title}",
            section=node.section,
            argv=node.commands[key],
            directory=str(self._directory),
            within=node.within * self._factor,
        )

    def heal(self) -> list[str]:
        """Undo what is left broken; what could not be."""
        return heal(self._run, set(self._nodes))[1]


def heal(run: Run, instances: set[str] | None = None) -> tuple[list[str], list[str]]:
    """Undo what nodes of somebody's suffer from; by whoever gets to it first.

    Args:
        run: that has broken them.
        instances: these alone; None: all.

    Returns:
        Descriptions of what was healed, and of what could not be.
    """
    healed: list[str] = []
    left: list[str] = []
    if not run.directory.exists():
        return healed, left
    with _journal(run) as journal:
        for instance, entry in list(journal.entries.items()):
            if instances is not None and instance not in instances:
                continue
            if time.time() - entry.get("tried", 0) < _RETRY:
                left.append(entry["problem"])
                continue
            command = Command(**{**entry["heal"], "argv": tuple(entry["heal"]["argv"])})
            _await_end(entry, command.within)
            try:
                with _output(run) as output:
                    command.finish(command.launch(output), output)
            except Trouble as trouble:
                problem = f"{entry['title']} is left broken: {trouble.what}: {trouble.why}"
                entry |= {"tried": time.time(), "problem": problem}
                left.append(problem)
            else:
                del journal.entries[instance]
                healed.append(f"{entry['title']}, which was left broken")
            journal.write()
    return healed, left


def reap(run: Run) -> list[str]:
    """Heal what a run has left broken; see `stackproof.processes.reaper.also`."""
    healed, left = heal(run)
    return [*healed, *left]


def _await_end(entry: Mapping[str, Any], within: float) -> None:
    """The command that broke it may still be at work: the run was killed meanwhile."""
    process_id, born = entry.get("pid"), entry.get("birth")
    if not isinstance(process_id, int):
        return

    def at_work() -> bool:
        with contextlib.suppress(psutil.Error):
            same = liveness.birth(process_id) == born
            return same and reaper.is_alive(psutil.Process(process_id))
        return False

    try:
        poll(at_work, until=lambda alive: not alive, within=within, awaiting="the command to end")
    except DeadlineExceeded:
        _kill(process_id)


class _Journal:
    """What is broken, by instance: what it is, what heals it, what is just done to it."""

    def __init__(self, file: Path):
        self._file = file
        self.entries: dict[str, Any] = {}
        with _noting(file), contextlib.suppress(FileNotFoundError):
            self.entries = json.loads(file.read_text(encoding="utf-8"))

    def write(self) -> None:
        """Keep it, whole or not at all; `Trouble`: it cannot be written."""
        with _noting(self._file):
            beside = self._file.with_suffix(".new")
            beside.write_text(json.dumps(self.entries), encoding="utf-8")
            beside.replace(self._file)


@contextlib.contextmanager
def _journal(run: Run) -> Iterator[_Journal]:
    """The journal of a run, by whoever comes first; written when the block ends.

    Raises:
        Trouble: it cannot be read or written, or the run has ended.
    """
    with contextlib.ExitStack() as held:
        with _noting(run.directory):
            if not run.directory.exists():  # the lock would make it
                raise FileNotFoundError(f"the run {run.id} has ended")
            held.enter_context(FileLock(run.directory / _LOCK))
        journal = _Journal(run.directory / _JOURNAL)
        yield journal
        journal.write()


@contextlib.contextmanager
def _noting(place: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        why = reason_of(error, place) if isinstance(error, OSError) else f"{place}: {error}"
        raise Trouble("it cannot be noted what is broken of somebody's servers", why,
                      "nothing more of them is broken by this run") from error  # fmt: skip


@contextlib.contextmanager
def _output(run: Run) -> Iterator[Path]:
    """A file for what a command says: what it starts may hold a pipe open for ever.

    Raises:
        Trouble: it cannot be made, or the run has ended.
    """
    with contextlib.ExitStack() as held:
        with _noting(run.directory):
            place = tempfile.TemporaryDirectory(
                prefix="command-", dir=run.directory, ignore_cleanup_errors=True
            )
            held.enter_context(place)
        yield Path(place.name) / "output"
