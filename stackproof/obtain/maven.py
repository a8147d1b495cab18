"""Servers whose jars come from a Maven repository.

Maven itself resolves them, so that its settings (mirrors, proxies, credentials)
apply and no repository is named here.
"""

from __future__ import annotations

import errno
import html
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stackproof.errors import Trouble
from stackproof.obtain.cache import Cache, Say
from stackproof.paths import find_program
from stackproof.processes.process import describe_exit
from stackproof.texts import counted

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
 <modelVersion>4.0.0</modelVersion>
 <groupId>stackproof</groupId><artifactId>obtain</artifactId><version>1</version>
 <dependencies>{dependencies}</dependencies>
</project>
"""
_DEPENDENCY = (
    "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"
)
_DEADLINE = 600.0
_NO_SPACE = "No space left on device"
# Pinned, so that Maven's built-in default for an unversioned plugin cannot change under us.
_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


@dataclass(frozen=True)
class MavenArtifact:
    """Jars with all they depend on, in ``lib/``.

    Args:
        key: directory in the cache.
        title: name for people.
        coordinates: ``group:artifact:version`` of each direct dependency.
    """

    key: str
    title: str
    coordinates: Sequence[str]

    def build(self, into: Path, cache: Cache, say: Say) -> None:
        """Let Maven copy the jars into ``into/lib``."""
        maven = find_program("mvn")
        if maven is None:
            raise Trouble(
                f"{self.title} cannot be obtained",
                "its jars come from a Maven repository, and `mvn` is not on the PATH",
                "install Maven (Debian: apt-get install maven), or run the stack elsewhere",
            )
        packages = counted(len(self.coordinates), "package")
        say(f"{self.title}: obtaining {packages} and what they need")
        dependencies = "".join(
            _DEPENDENCY.format(*(html.escape(part) for part in coordinate.split(":")))
            for coordinate in self.coordinates
        )
        pom = into / "pom.xml"
        pom.write_text(_POM.format(dependencies=dependencies), encoding="utf-8")
        command = [
            str(maven),
            "-B",
            "-q",
            "-Dstyle.color=never",
            "-f",
            str(pom),
            _GOAL,
            f"-DoutputDirectory={into / 'lib'}",
        ]
        try:
            done = cache.run(command, within=_DEADLINE)
        except subprocess.TimeoutExpired as error:
            raise Trouble(
                f"{self.title} could not be obtained",
                f"Maven did not finish within {_DEADLINE:g} s",
                "look at the network and at Maven's settings, then run again",
            ) from error
        jars = list((into / "lib").glob("*.jar"))
        if done.code != 0 or not jars:
            lines = done.output.splitlines()
            if any(_NO_SPACE in line for line in lines):
                raise OSError(errno.ENOSPC, _NO_SPACE)  # the cache tells where, and the remedy
            errors = [line for line in lines if re.search(r"ERROR\] \w", line)][:2] or lines[-6:]
            raise Trouble(
                f"{self.title} could not be obtained",
                f"Maven {describe_exit(done.code)} and says: " + "\n".join(errors or ["nothing"]),
                "look at the network and at Maven's settings (~/.m2/settings.xml), then run again",
            )
        say(f"{self.title}: {counted(len(jars), 'jar')} obtained")
