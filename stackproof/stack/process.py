"""One server or system process: started, watched, signalled, ended."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from stackproof.polling import DeadlineExceeded, poll
from stackproof.stack import reaper
from stackproof.stack.run import Run

LOG_END_LINES = 25


class ManagedProcess:
    """A child process with its output in a file and a process group of its own.

    Args:
        name: what it is called in messages and logs.
        argv: program and arguments.
        log: file that receives its output and errors (appended).
        cwd: working directory.
        env: variables added to this process's environment.
        run: the run it belongs to, entered into its ledger.
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
    ):
        self.name = name
        self.argv = list(argv)
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        reaper.record(run, self._popen.pid)

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
        return f"{self.name} {describe_exit(code)}; its log ends:\n{self.log_end()}"

    def log_end(self, lines: int = LOG_END_LINES) -> str:
        """The last lines of its output."""
        return file_end(self.log, lines)

    def send(self, sig: int) -> None:
        """Send a signal; no error when it has ended already."""
        self._popen.send_signal(sig)

    def kill(self) -> None:
        """SIGKILL it with everything it started, and wait until it is gone."""
        try:
            family = psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            family = []
        self._popen.kill()
        reaper.kill_all(family)
        self._popen.wait(timeout=10)

    def terminate(self, within: float = 10.0) -> int:
        """SIGTERM and wait; after ``within`` seconds SIGKILL.

        Returns:
            The exit code; ``-SIGKILL`` when it had to be killed.
        """
        self._popen.terminate()
        try:
            self.wait(within)
        except DeadlineExceeded:
            self.kill()
            return -getattr(signal, "SIGKILL", 9)
        return self._popen.returncode

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
        )
        assert code is not None
        return code


def describe_exit(code: int) -> str:
    """How a process ended, in words."""
    if code < 0:
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"
    return f"ended with exit code {code}"


def file_end(path: Path, lines: int = LOG_END_LINES) -> str:
    """The last ``lines`` lines of a text file; says so when there is none or it is empty."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - 400 * lines))
            text = stream.read().decode("utf-8", "replace")
    except OSError as error:
        return f"(no log: {error.strerror})"
    return "\n".join(text.splitlines()[-lines:]) or "(it printed nothing)"
