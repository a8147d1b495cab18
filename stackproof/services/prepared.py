"""Running a node once while its service is obtained, for what makes later starts quick."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stackproof.errors import Trouble
from stackproof.obtain import Cache, MavenArtifact
from stackproof.obtain.java import find_java
from stackproof.processes.environment import server_environment
from stackproof.processes.process import file_end

JAVA = 17
_ENDS_WITHIN = _MADE_WITHIN = 120.0


def java() -> str:
    """The launcher of a Java that the nodes run on.

    Raises:
        Trouble: there is none.
    """
    return str(find_java(at_least=JAVA).launcher)


@dataclass(frozen=True)
class PreparedJars:
    """What is made once of a service's jars, for the exact Java; services say how to ``build`` it.

    Attributes:
        jars: of the service.
    """

    jars: MavenArtifact

    @cached_property
    def key(self) -> str:
        """Names the jars' and Java's versions."""
        return f"{self.jars.key}-prepared-java-{find_java(at_least=JAVA).version}"

    @property
    def title(self) -> str:
        """Name for people."""
        return f"{self.jars.title} start-up data"

    def run_tool(
        self,
        cache: Cache,
        command: Sequence[str],
        made: Path,
        *,
        remedy: str,
        cwd: Path | None = None,
    ) -> None:
        """Run a program that makes something.

        Raises:
            Trouble: it failed, or ``made`` is not there afterwards.
        """
        try:
            done = cache.run(command, within=_MADE_WITHIN, cwd=cwd, env=server_environment())
        except subprocess.TimeoutExpired as error:
            raise Trouble(f"{self.title} could not be made", str(error), "run again") from error
        if done.code or not made.exists():
            raise Trouble(f"{self.title} could not be made", done.output, remedy)


def run_once(
    title: str,
    argv: Sequence[str],
    exercise: Callable[[subprocess.Popen], None],
    *,
    place: Path,
    cache: Cache,
) -> None:
    """Start a node in ``place``, have it do what scenarios ask for, and end it in order.

    Args:
        title: of what is made so.
        argv: its program and arguments.
        exercise: waits until it answers, and asks it; may raise anything.
        place: its directory.
        cache: by which it is started.

    Raises:
        Trouble: it did not come about; with the end of the node's log.
    """
    log = place / "node.log"
    with log.open("wb") as output:
        node = cache.launch(argv, output=output.fileno(), cwd=place, env=server_environment())
    try:
        exercise(node)
        node.terminate()
        node.wait(timeout=_ENDS_WITHIN)
    # Clients raise many kinds; a hung node is not told from a broken one here.
    except Exception as error:
        raise Trouble(
            f"{title} could not be made",
            f"{type(error).__name__}: {error}\nthe node's log ends:\n{file_end(log)}",
            "run again; if it persists, remove the servers' cache (stackproof doctor)",
        ) from error
    finally:
        cache.end(node)
