"""A copy of the project in which things may go wrong, and what its commands print there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from stackproof.polling import poll

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 240
_PROJECT = ("features", "steps", "contracts", "reference", "environment.py", "pyproject.toml")
#: Commands that the suite looks for on the PATH, and what those need themselves.
_COMMANDS = (
    "java", "mvn", "node", "npm", "docker", "sh", "bash", "env", "dirname", "basename", "uname",
    "readlink", "ls", "expr", "sed", "awk", "cat", "tr", "which", "id", "ps", "apt-get", "dpkg-deb",
    "apt-cache", "dpkg", "go", "git", "redis-server",
)  # fmt: skip
_FOREIGN = ("STACK", "INTEGRATION_", "KAFKA_", "BEHAVE", "LOG_LEVEL", "COVERAGE", "JAVA_HOME")


@dataclass
class Message:
    """One message as people see it; `places`: how often it was printed."""

    what: str
    why: str
    remedy: str
    places: int = 1


@dataclass
class Outcome:
    """What a command printed, and how it ended."""

    code: int
    text: str

    def messages(self, says: str) -> list[Message]:
        """Messages whose first line matches ``says``, in order, without repetitions."""
        lines = self.text.splitlines()
        found: dict[tuple[str, str, str], Message] = {}
        for number, line in enumerate(lines):
            what = re.sub(
                r"^\s*(stackproof: |broken: |not run: |not supported: |refused: )?", "", line
            )
            if not re.match(says, what):
                continue
            parts = _labelled(lines[number + 1 :])
            key = (what, parts["why"], parts["what to do"])
            if key in found:
                found[key].places += 1
            else:
                found[key] = Message(*key)
        # Its headline may stand again in a list of scenarios.
        return [m for m in found.values() if m.why] or list(found.values())


def _labelled(lines: Iterable[str]) -> dict[str, str]:
    """The texts behind ``why:`` and ``what to do:``, up to the first line without either."""
    found = {"why": "", "what to do": ""}
    label, depth = "", 0
    for line in lines:
        match = re.match(r"(\s+)(why|what to do): (.*)", line)
        if match:
            depth, label = len(match[1]), match[2]
            found[label] = match[3]
        elif label and line.strip() and len(line) - len(line.lstrip()) > depth:
            found[label] += "\n" + line.strip()
        else:
            break
    return found


class Sandbox:
    """The project in a directory of its own; nothing of the caller's settings.

    Args:
        root: an empty directory.
    """

    def __init__(self, root: Path):
        self.root = root
        self.runs = root / "runs"
        for name in _PROJECT:
            (root / name).symlink_to(ROOT / name)
        shutil.copy(ROOT / "stackproof.toml", root)
        self._commands = root / "bin"
        self._commands.mkdir()
        for name in _COMMANDS:
            if found := shutil.which(name):
                (self._commands / name).symlink_to(found)
        self._started: list[psutil.Process] = []

    # -- making things go wrong ----------------------------------------------
    def write(self, path: str, text: str) -> Path:
        """Write a file of the project, in place of what it was."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_symlink():
            file.unlink()
        file.write_text(text)
        return file

    def configure(self, text: str) -> None:
        """Add lines to ``stackproof.toml``."""
        file = self.root / "stackproof.toml"
        file.write_text(file.read_text() + text)

    def reconfigure(self, before: str, after: str) -> None:
        """Change a part of ``stackproof.toml``."""
        file = self.root / "stackproof.toml"
        text = file.read_text()
        assert before in text, before
        file.write_text(text.replace(before, after))

    def without(self, *commands: str) -> None:
        """Take commands off the PATH."""
        for command in commands:
            (self._commands / command).unlink(missing_ok=True)

    def command(self, name: str, script: str) -> None:
        """Put a shell script on the PATH, in place of a command."""
        file = self._commands / name
        file.unlink(missing_ok=True)
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    # -- running -------------------------------------------------------------
    def environ(self, **env: str) -> dict[str, str]:
        """The environment of its commands."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
        own = {
            "PATH": f"{self._commands}{os.pathsep}{Path(sys.executable).parent}",
            "STACKPROOF_RUNS": str(self.runs),
            "NO_COLOR": "1",
            "COLUMNS": "100",
            # No engine, unless a case is about engines.
            "DOCKER_HOST": f"unix://{self.root}/no-engine.sock",
        }
        return {**kept, **own, **env}

    def run(self, *arguments: str, **env: str) -> Outcome:
        """Run ``stackproof`` to its end."""
        return self.program([sys.executable, "-m", "stackproof", *arguments], **env)

    def features(self, *arguments: str, **env: str) -> Outcome:
        """Run features, without the Allure report."""
        return self.run("run", "--no-report", *arguments, **env)

    def program(self, argv: list[str], **env: str) -> Outcome:
        """Run any program to its end in the project."""
        done = subprocess.run(
            argv, cwd=self.root, env=self.environ(**env), timeout=_PATIENCE,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", umask=0o022,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout)

    def interrupted(self, *arguments: str, when: Callable[[], object]) -> Outcome:
        """Run ``stackproof`` and press Ctrl-C as soon as ``when`` is true."""
        output = self.root / "output.txt"
        with output.open("w") as printed:
            program = subprocess.Popen(
                [sys.executable, "-m", "stackproof", *arguments], cwd=self.root,
                env=self.environ(), stdin=subprocess.DEVNULL, stdout=printed,
                stderr=subprocess.STDOUT,
                # Whoever runs this in the background of a shell is deaf to it.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )  # fmt: skip
        poll(when, within=_PATIENCE, awaiting="the moment for Ctrl-C",
             alive=lambda: None if program.poll() is None else "the run has ended")  # fmt: skip
        program.send_signal(signal.SIGINT)
        return Outcome(program.wait(_PATIENCE), output.read_text(errors="replace"))

    # -- what is left --------------------------------------------------------
    def left(self) -> list[str]:
        """Processes and run directories that are still there."""
        return [*self._processes(), *map(str, self.runs.glob("stackproof-*/r*"))]

    def _processes(self) -> list[str]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                mine = process.environ().get("STACKPROOF_RUNS") == str(self.runs)
                if mine and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"process {process.pid}: {' '.join(process.cmdline())[:200]}")
        return found

    def assert_nothing_left(self) -> None:
        """No process and no directory of any run.

        Raises:
            AssertionError: something stays.
        """
        poll(
            self.left,
            until=lambda left: not left,
            within=15,
            awaiting="everything of the run to be gone",
            describe="\n".join,
        )

    # -- for the documentation -----------------------------------------------
    def plain(self, text: str) -> str:
        """The text without what differs from machine to machine."""
        text = text.replace(str(self.root), "~/project").replace(str(ROOT), "~/stackproof")
        text = text.replace(sys.executable, "python").replace(str(Path.home()), "~")
        for pattern, instead in _VARYING:
            text = re.sub(pattern, instead, text)
        return text


_VARYING = (
    (r"\br[0-9a-f]{8}\b", "r0a1b2c3d"),
    (r"https?://[\w.:-]+", "https://repository"),
    (r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:29092"),
    (r"\bprocess \d+", "process 4711"),
    (r"\b(pid|PID) \d+", r"\1 4711"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.,]\d+", "2026-01-01T12:00:00.000"),
    (r"(?<=\s)(/[\w.@-]+)+/(?=[\w.-]+)", ".../"),
)
