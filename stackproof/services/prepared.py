"""Running a node once while its service is obtained, for what makes later starts quick."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from stackproof.errors import Trouble
from stackproof.obtain import Cache
from stackproof.processes.environment import server_environment
from stackproof.processes.process import file_end

_ENDS_WITHIN = 120.0


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
