"""Finding a Java runtime."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from stackproof.errors import Trouble


@dataclass(frozen=True)
class Java:
    """A Java runtime: path of its launcher and its full version, e.g. ``17.0.15``."""

    launcher: Path
    version: str

    @property
    def major(self) -> int:
        """The feature release, e.g. 17."""
        return int(self.version.split(".")[0])


def find_java(*, at_least: int) -> Java:
    """The Java of ``JAVA_HOME`` or of the PATH.

    Raises:
        Trouble: there is none, or it is older than ``at_least``.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    found = found or shutil.which("java")
    remedy = (
        f"install Java {at_least} or newer (Debian: apt-get install openjdk-17-jre-headless), "
        "or set JAVA_HOME"
    )
    if found is None:
        raise Trouble("no Java was found", "`java` is neither on the PATH nor in JAVA_HOME", remedy)
    launcher = Path(found).resolve()
    java = Java(launcher, _version(launcher))
    if java.major < at_least:
        raise Trouble(
            f"Java {java.version} is too old", f"{found}: {at_least} or newer is needed", remedy
        )
    return java


def _version(launcher: Path) -> str:
    release = launcher.parents[1] / "release"
    pattern = r'"(\d+[\w.+-]*)"'
    # The release file spares the start of a virtual machine.
    if release.is_file() and (
        match := re.search(f"^JAVA_VERSION={pattern}", release.read_text(), re.MULTILINE)
    ):
        return match.group(1)
    try:
        done = subprocess.run(
            [launcher, "-version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise Trouble("Java does not start", f"{launcher}: {error}", "repair it") from error
    match = re.search(rf"version {pattern}", done.stderr)
    if match is None:
        raise Trouble("Java's version is not understood", done.stderr, "set JAVA_HOME to another")
    return match.group(1)
