"""One server or system process: started, watched, signalled, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from stackproof.errors import Trouble
from stackproof.polling import DeadlineExceeded, poll
from stackproof.processes import reaper
from stackproof.processes.run import RUN_VARIABLE, Run

LOG_END_LINES = 20
#: Of what one that talks writes, in bytes; so much may lie in memory.
LONGEST_LINE = 64 << 20
_LONGEST_SHOWN = 400  # characters
_LONGEST_END = 1 << 18  # bytes that are looked at


@dataclass(frozen=True)
class Ended:
    """How a process ended that was told to.

    Attributes:
        code: exit code, negative for the signal that killed it.
        after: seconds from SIGTERM to its end; None: it had ended before.
        overdue: it still ran after so many seconds, and was killed; None: it was in time.
    """

    code: int
    after: float | None = None
    overdue: float | None = None

    def __str__(self) -> str:
        if self.overdue is not None:
            return f"did not stop within {self.overdue:g} s of SIGTERM, and was killed"
        how = describe_exit(self.code)
        if self.after is None:
            return f"{how} before it was told to stop"
        return f"{how} {self.after:.1f} s after SIGTERM"


class ManagedProcess:
    """A child process with its output in a file and a session of its own.

    Args:
        name: what it is called in messages and logs.
        argv: program and arguments.
        log: file that receives its output and errors (appended).
        cwd: working directory.
        env: variables added to this process's environment.
        alone: these are all its variables, nothing is inherited.
        run: the run it belongs to, entered into its ledger.
        group: ID of the group to run as; None: this process's (needs root's rights otherwise).
        talks: its input and output are for `write` and `lines`; its errors go to ``log``.

    Raises:
        OSError: the program cannot be started.
        Trouble: the run has ended.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        cwd: Path,
        run: Run,
        env: Mapping[str, str] | None = None,
        alone: bool = False,
        group: int | None = None,
        talks: bool = False,
    ):
        self.name = name
        self.argv = list(argv)
        self.log = log
        self._run = run
        if not run.directory.is_dir():
            raise _run_ended(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._log_start = output.seek(0, os.SEEK_END)
            self._popen = subprocess.Popen(
                self.argv,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else output,
                stderr=output,
                cwd=cwd,
                env={**({} if alone else os.environ), **(env or {}), RUN_VARIABLE: run.id},
                start_new_session=True,
                group=group,
            )
        try:
            reaper.record(run, self._popen.pid)
        except OSError as error:
            self.kill()
            raise _run_ended(name) from error

    def write(self, line: str) -> None:
        """Write to the input of one that talks.

        Raises:
            OSError: it has ended.
        """
        assert self._popen.stdin is not None
        self._popen.stdin.write(line.encode())
        self._popen.stdin.flush()

    def close_input(self) -> None:
        """End the input of one that talks; no error when it has ended already."""
        assert self._popen.stdin is not None
        with contextlib.suppress(OSError):
            self._popen.stdin.close()

    def lines(self) -> Iterator[bytes]:
        """What one that talks writes, line by line, until it ends.

        Each with its line feed: without one it is the last, or a part of `LONGEST_LINE` bytes.
        """
        output = self._popen.stdout
        assert output is not None
        return iter(lambda: output.readline(LONGEST_LINE), b"")

    def note(self, line: bytes) -> None:
        """Add a line to its log."""
        with self.log.open("ab") as log:
            log.write(line)

    @property
    def pid(self) -> int:
        """Process ID."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self._popen.poll()

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.exit_code is None

    def death(self) -> str | None:
        """None while it lives, else how it ended with the end of its log."""
        code = self.exit_code
        if code is None:
            return None
        return told_end(self.name, describe_exit(code), self.log_end())

    def log_end(self, lines: int = LOG_END_LINES) -> str:
        """The last lines of its own output; not of a predecessor that used the same file."""
        return file_end(self.log, lines, start=self._log_start)

    def send(self, sig: int) -> None:
        """Send a signal; no error when it has ended already."""
        self._popen.send_signal(sig)

    def pause(self) -> None:
        """Hold it and everything it started, until `resume`."""
        reaper.hold_found(self._family)

    def resume(self) -> None:
        """Let it and everything it started go on."""
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def kill(self) -> None:
        """SIGKILL it with everything it started, and wait until all is gone."""
        killed = reaper.kill_found(self._family)
        self._popen.kill()
        self._popen.wait(timeout=10)
        reaper.wait_gone(killed, within=10)

    def _family(self) -> list[psutil.Process]:
        """It, its descendants, and what its children left behind in its session."""
        lives = self._popen.poll() is None
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                # Once it has been waited for, its ID may be given to another session: then
                # only those count that carry the run's mark.
                if process.pid == self.pid:
                    belongs = lives
                else:
                    belongs = _session(process) == self.pid and (
                        lives or process.environ().get(RUN_VARIABLE) == self._run.id
                    )
                if belongs and reaper.is_alive(process):
                    found.append(process)
        return reaper.with_descendants(found)

    def terminate(self, within: float = 10.0, *, by: int = signal.SIGTERM) -> Ended:
        """SIGTERM, or another signal, and wait; after ``within`` seconds SIGKILL."""
        if (code := self.exit_code) is not None:
            return Ended(code)
        told = time.monotonic()
        self._popen.send_signal(by)
        try:
            code = self.wait(within)
        except DeadlineExceeded:
            self.kill()
            return Ended(self._popen.returncode, time.monotonic() - told, overdue=within)
        return Ended(code, time.monotonic() - told)

    def left_behind(self, within: float) -> list[str]:
        """What it started and what still runs ``within`` seconds after its own end, in words."""
        try:
            poll(self._family, until=lambda left: not left, within=within, awaiting="")
        except DeadlineExceeded as late:
            assert isinstance(late.seen, list)
            return [f"{left.name()} ({left.pid})" for left in late.seen if left.is_running()]
        return []

    def join(self) -> int:
        """Wait for its end, however long it takes; its exit code."""
        return self._popen.wait()

    def wait(self, within: float) -> int:
        """Wait for its end.

        Raises:
            DeadlineExceeded: it still runs after ``within`` seconds.
        """
        code = poll(
            lambda: self.exit_code,
            until=lambda code: code is not None,
            within=within,
            awaiting=f"{self.name} to end",
            longest_pause=0.05,
        )
        assert code is not None
        return code


def told_end(name: str, how: str, log_end: str) -> str:
    """An end for people: who, how (`describe_exit`, `Ended`), and the last that it said."""
    log = "\n".join(f"  | {line}" for line in log_end.splitlines())
    return f"{name} {how}; its log ends:\n{log}"


def describe_exit(code: int) -> str:
    """How a process ended, in words."""
    if code < 0:
        return f"was killed by {_signal_name(-code) or f'signal {-code}'}"
    # Shells and Java virtual machines tell a signal in this way.
    told = _signal_name(code - 128) if code > 128 else None
    return f"ended with exit code {code}" + (f" (128 + {told})" if told else "")


def _signal_name(number: int) -> str | None:
    try:
        return signal.Signals(number).name
    except ValueError:
        return None


def file_end(path: Path, lines: int = LOG_END_LINES, *, start: int = 0) -> str:
    """The last ``lines`` lines of a text file from byte ``start`` on.

    Of a long line its beginning and its end. Says so when there is no file or nothing in it.
    """
    try:
        with path.open("rb") as stream:
            end = stream.seek(0, os.SEEK_END)
            stream.seek(max(start if start <= end else 0, end - _LONGEST_END))
            text = stream.read().decode("utf-8", "replace")
    except OSError as error:
        return f"(no log: {error.strerror})"
    return "\n".join(map(_shortened, text.splitlines()[-lines:])) or "(it printed nothing)"


def _shortened(line: str) -> str:
    if len(line) <= _LONGEST_SHOWN:
        return line
    return f"{line[: _LONGEST_SHOWN * 3 // 4]} ... {line[-_LONGEST_SHOWN // 4 :]}"


def _session(process: psutil.Process) -> int | None:
    return os.getsid(process.pid) if hasattr(os, "getsid") else None


def _run_ended(name: str) -> Trouble:
    return Trouble(f"{name} was not started", "its run has ended")
