"""Programs in the place of servers: each starts the real one, and a proxy with a fault before it.

They are the suite's own servers: it configures them, and stops them.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from stackproof.ports import LOOPBACK, free_port
from tests.mutants.servers.proxy import Proxy, Serve

ROOT = Path(__file__).parents[3]


def command(name: str, fault: str, *fields: str) -> list[str]:
    """What stands in ``command`` of a service's settings.

    Args:
        name: of the module here.
        fault: of that.
        fields: what its `main` gets in addition.
    """
    found = f"import sys; sys.path.insert(0, {str(ROOT)!r})"
    program = f"{found}; import tests.mutants.servers.{name} as it; it.main()"
    return [sys.executable, "-c", program, fault, *fields]


def serve_behind(argv: Callable[[int], Sequence[str]], serve: Serve, port: int) -> None:
    """Run a server on a free port behind a proxy on ``port``, until it ends."""
    inner = free_port()
    server = subprocess.Popen(argv(inner))
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    proxy = Proxy(f"{LOOPBACK}:{inner}", serve, port)
    code = server.wait()
    proxy.close()
    sys.exit(code)
