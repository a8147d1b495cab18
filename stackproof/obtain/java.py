"""Finding a Java runtime."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from stackproof.errors import Trouble
from stackproof.paths import absolute, find_program
from stackproof.processes.environment import server_environment
from stackproof.processes.process import describe_exit


@dataclass(frozen=True)
class Java:
    """A Java runtime: path of its launcher and its full version, e.g. ``17.0.15``."""

    launcher: Path
    version: str

    @property
    def major(self) -> int:
        """The feature release: 17 for ``17.0.15`` and ``17-ea``, 8 for ``1.8.0_392``."""
        numbers = [int(number) for number in re.findall(r"\d+", self.version)]
        return numbers[1] if numbers[0] == 1 and len(numbers) > 1 else numbers[0]


def find_java(*, at_least: int) -> Java:
    """The Java of ``JAVA_HOME`` or of the PATH.

    Raises:
        Trouble: there is none, or it is older than ``at_least``.
    """
    home = os.environ.get("JAVA_HOME")
    of_home = shutil.which("java", path=str(absolute(home) / "bin")) if home else None
    launcher = Path(of_home) if of_home else find_program("java")
    remedy = (
        f"install Java {at_least} or newer (Debian: apt-get install openjdk-17-jre-headless), "
        "or set JAVA_HOME"
    )
    if launcher is None:
        raise Trouble("no Java was found", "`java` is neither on the PATH nor in JAVA_HOME", remedy)
    java = Java(launcher, _version(launcher))
    if java.major < at_least:
        raise Trouble(
            f"Java {java.version} is too old", f"{launcher}: {at_least} or newer is needed", remedy
        )
    return java


def _version(launcher: Path) -> str:
    true = launcher.resolve()
    # What a launcher of another name starts, it knows itself.
    release = true.parents[1] / "release" if true.name == launcher.name else Path()
    pattern = r'"(\d+[\w.+-]*)"'
    # The release file spares the start of a virtual machine.
    if release.is_file() and (
        match := re.search(
            f"^JAVA_VERSION={pattern}",
            release.read_text(encoding="utf-8", errors="replace"),
            re.MULTILINE,
        )
    ):
        return match.group(1)
    try:
        done = subprocess.run(
            [launcher, "-version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
            env=server_environment(),
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise Trouble("Java does not start", f"{launcher}: {error}", "repair it") from error
    if done.returncode:
        why = f"{launcher} {describe_exit(done.returncode)}: {done.stderr.strip()}"
        raise Trouble("Java does not start", why, "repair it, or set JAVA_HOME to another")
    match = re.search(rf"version {pattern}", done.stderr)
    if match is None:
        raise Trouble(
            "Java's version is not understood",
            f"{launcher} says: {done.stderr.strip() or 'nothing'}",
            "set JAVA_HOME to another",
        )
    return match.group(1)
