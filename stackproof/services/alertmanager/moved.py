"""Alertmanager with its templates where its process finds them.

Debian's looks for them below ``/usr/share``, where nothing is installed: the path is one of the
node's own directory in here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from stackproof.errors import Trouble
from stackproof.obtain import Cache, DebianArtifact, Say

_INSTALLED = b"/usr/share/prometheus/alertmanager"
#: A name in the directory in which it runs, as long as the path that it replaces.
TEMPLATES = "templates"
_MOVED = (TEMPLATES.encode() + b"/." * len(_INSTALLED))[: len(_INSTALLED)]
PROGRAM = "prometheus-alertmanager"


@dataclass(frozen=True)
class Moved:
    """The program of ``server`` with the other path."""

    server: DebianArtifact

    @property
    def key(self) -> str:
        """Names the server's version."""
        return f"{self.server.key}-moved"

    @property
    def title(self) -> str:
        """Name for people."""
        return f"{self.server.title} with templates of its own"

    def build(self, into: Path, cache: Cache, say: Say) -> None:
        """Copy it with the other path."""
        say(f"{self.title}: copying")
        program = (cache.path(self.server) / "usr" / "bin" / PROGRAM).read_bytes()
        moved, count = re.subn(re.escape(_INSTALLED) + rb"(?!/)", _MOVED, program)
        if not count:
            raise Trouble(
                f"{self.title} could not be made",
                f"the program does not look for templates in {_INSTALLED.decode()}",
                "take another version, a program of your own (`command`), or containers",
            )
        (into / PROGRAM).write_bytes(moved)
        (into / PROGRAM).chmod(0o755)
