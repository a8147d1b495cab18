"""Servers of somebody else's, each with a script by which its owner ends, stops and starts it."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from stackproof.obtain import Cache
from stackproof.polling import poll
from stackproof.processes.environment import server_environment
from stackproof.processes.run import RUN_VARIABLE
from stackproof.services import service
from stackproof.services.base import Endpoint, resolve_options
from stackproof.stack.site import LocalSite

_UP_WITHIN = 120.0
_SCRIPT = """\
#!/bin/sh
# $1: start, stop, kill, pause or resume
cd '{place}'
# One that has ended may stay as a zombie, where nobody waits for orphans.
alive() {{ test -s pid && grep -qv ') Z' "/proc/$(cat pid)/stat" 2> /dev/null; }}
# The server is the leader of a group: nobody else is in it.
group() {{ alive && kill "$1" "-$(cat pid)"; }}
case "$1" in
  start) alive && exit 0; cd '{cwd}'
         setsid env -i {variables} {argv} >> '{place}/log' 2>&1 < /dev/null &
         echo $! > '{place}/pid' ;;
  stop) group -TERM ;;
  kill) group -KILL ;;
  pause) group -STOP ;;
  resume) group -CONT ;;
esac
"""


@dataclass
class OwnedServer:
    """One server that no run has started.

    Attributes:
        name: of its node.
        address: ``host:port``.
        script: does what its argument says.
        place: where its script is, and its log.
    """

    name: str
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
        assert found > 1  # 0 and 1 would be whole groups, this process's among them
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
def owned(
    directory: Path, name: str, nodes: list[str], /, **options: Any
) -> Iterator[list[OwnedServer]]:
    """Start a cluster of a service below ``directory``; it is gone afterwards.

    Args:
        directory: where.
        name: of the service.
        nodes: names of its nodes, in their order.
        options: of the cluster.
    """
    kind, cache = service(name), Cache()
    for artifact in kind.artifacts():
        cache.ensure(artifact, lambda _: None)
    site = LocalSite("somebodys", directory / "server", resolve_options(kind, options), cache)
    specs = kind.lay_out(site)
    addresses = kind.addresses(site)
    each = [single for text in addresses.values() for single in text.split(",")]
    servers = []
    for node, spec, address in zip(nodes, specs, each, strict=True):
        place = directory / f"owner of {node}"
        place.mkdir()
        variables = server_environment(spec.env)
        (place / "server").write_text(
            _SCRIPT.format(
                place=place,
                cwd=spec.cwd,
                variables=shlex.join(f"{key}={value}" for key, value in variables.items()),
                argv=shlex.join(spec.argv),
            )
        )
        (place / "server").chmod(0o755)
        servers.append(OwnedServer(node, address, place / "server", place))
    endpoint = Endpoint(name, "somebodys", "", addresses, site.options)
    try:
        for server in servers:
            server.do("start")
        poll(
            lambda: kind.check(endpoint, timeout=2.0),
            until=lambda _: True,
            within=_UP_WITHIN,
            awaiting=f"somebody's {kind.title}",
            retry_on=kind.unready,
        )
        yield servers
    finally:
        for server in servers:
            with contextlib.suppress(OSError, AssertionError):
                os.killpg(server.pid, signal.SIGKILL)
