"""Running the features against servers with faults, as endpoints that the suite did not start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from stackproof.obtain import Cache
from stackproof.processes import reaper
from stackproof.processes.run import RUN_VARIABLE, Run
from stackproof.services import service
from stackproof.services.base import Requirement
from stackproof.stack.native import NativeProvider
from tests.mutants.servers.proxy import Proxy

#: What uses each service; scenarios that measure or break the server have no place here.
FEATURES = {"redis": "features/cache", "rabbitmq": "features/sinks/rabbitmq_basics.feature"}
SOUND = "sound"
_WITHOUT = "not @performance"
_LONGEST = 900


@contextmanager
def sound_server(name: str, place: Path) -> Iterator[str]:
    """A server of the service called ``name``: its address."""
    run = Run.begin()
    try:
        provider = NativeProvider(run, place / "logs", Cache())
        provider.obtain(service(name), print)
        cluster = provider.start(service(name), Requirement(name), f"{name}-sound")
        yield cluster.endpoint.addresses["server"]
    finally:
        reaper.reap(run)


def run_features(name: str, fault: str, server: str, place: Path) -> None:
    """Run the service's features through a proxy with this fault; results go to ``place``."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "results.json").unlink(missing_ok=True)
    proxy = Proxy(server, import_module(f"{__package__}.{name}").serve(fault))
    host, _, port = proxy.address.rpartition(":")
    environment = {
        **{key: value for key, value in os.environ.items() if key != RUN_VARIABLE},
        "STACK": "external",
        f"{name.upper()}_URL": "",
        f"{name.upper()}_HOST": host,
        f"{name.upper()}_PORT": port,
    }
    try:
        with (place / "output.txt").open("w") as output:
            subprocess.run(
                [sys.executable, "-m", "stackproof", "run", "--no-report", "--jobs", "2",
                 "--tags", _WITHOUT, "--reports", str(place), FEATURES[name]],
                stdout=output, stderr=subprocess.STDOUT, timeout=_LONGEST, env=environment,
            )  # fmt: skip
    finally:
        proxy.close()
