"""A Redis of somebody else's, with a script by which its owner ends, stops and starts it."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from stackproof.obtain import Cache
from stackproof.polling import poll
from stackproof.processes.run import RUN_VARIABLE
from stackproof.services import service
from stackproof.services.base import resolve_options
from stackproof.stack.site import LocalSite

_SCRIPT = """\
#!/bin/sh
# $1: start, stop, kill, pause or resume
cd '{place}'
# One that has ended may stay as a zombie, where nobody waits for orphans.
alive() {{ test -s pid && grep -qv ') Z' "/proc/$(cat pid)/stat" 2> /dev/null; }}
case "$1" in
  start) alive && exit 0; cd '{cwd}'; env {variables} {argv} > '{place}/log' 2>&1 &
         echo $! > '{place}/pid' ;;
  stop) kill -TERM "$(cat pid)" ;;
  kill) kill -KILL "$(cat pid)" ;;
  pause) kill -STOP "$(cat pid)" ;;
  resume) kill -CONT "$(cat pid)" ;;
esac
"""


@dataclass
class OwnedServer:
    """One server that no run has started.

    Attributes:
        address: ``host:port``.
        script: does what its argument says.
        place: where the server and its script are.
    """

    address: str
    script: Path
    place: Path

    def do(self, what: str) -> None:
        """Run the script, as its owner would."""
        environment = {k: v for k, v in os.environ.items() if k != RUN_VARIABLE}
        subprocess.run([str(self.script), what], check=True, timeout=30, env=environment)

    @property
    def pid(self) -> int:
        """Of the server that was started last."""
        found = int((self.place / "pid").read_text())
        assert found > 1
        return found

    def alive(self) -> bool:
        """Whether it runs, and is not stopped in its tracks."""
        with contextlib.suppress(psutil.Error, OSError, ValueError):
            status = psutil.Process(self.pid).status()
            return status not in (psutil.STATUS_ZOMBIE, psutil.STATUS_STOPPED)
        return False

    def commands(self, *but: str, **instead: list[str]) -> str:
        """The lines of its section: every command ``but`` these, some of them others."""
        given = {key: [str(self.script), key] for key in
                 ("stop", "kill", "start", "pause", "resume") if key not in but}  # fmt: skip
        lines = [f"{key} = {list(map(str, argv))!r}" for key, argv in (given | instead).items()]
        return "\n".join(lines) + "\n"


@contextlib.contextmanager
def owned_redis(directory: Path) -> Iterator[OwnedServer]:
    """Start one below ``directory``; it is gone afterwards."""
    kind, cache = service("redis"), Cache()
    for artifact in kind.artifacts():
        cache.ensure(artifact, lambda _: None)
    site = LocalSite("somebodys", directory / "server", resolve_options(kind, {}), cache)
    (spec,) = kind.lay_out(site)
    (address,) = kind.addresses(site).values()
    place = directory / "owner"
    place.mkdir()
    script = place / "server"
    variables = shlex.join(f"{name}={value}" for name, value in spec.env.items())
    script.write_text(
        _SCRIPT.format(place=place, cwd=spec.cwd, variables=variables, argv=shlex.join(spec.argv))
    )
    script.chmod(0o755)
    server = OwnedServer(address, script, place)
    server.do("start")
    try:
        poll(server.alive, within=30, awaiting="somebody's Redis")
        yield server
    finally:
        with contextlib.suppress(OSError):
            os.kill(server.pid, signal.SIGKILL)  # never 0: that would be this process's group
