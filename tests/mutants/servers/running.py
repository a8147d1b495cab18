"""Running the features against servers with faults, as endpoints that the suite did not start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path

from stackproof.obtain import Cache
from stackproof.ports import LOOPBACK, free_port
from stackproof.processes import reaper
from stackproof.processes.run import RUN_VARIABLE, Run
from stackproof.services import service
from stackproof.services.base import Endpoint, Requirement
from stackproof.stack.native import NativeProvider
from tests.mutants.servers.proxy import Proxy

#: What uses each service, as arguments; scenarios that measure or break it have no place here.
FEATURES = {
    "redis": "features/cache",
    "postgresql": "features/database/transactions.feature",
    "rabbitmq": "features/queues",
    "kafka": "features/messaging/publishing.feature",
    "mailpit": "features/mail",
    "opensearch": "features/search/documents.feature features/search/queries.feature",
    "pushgateway": "features/monitoring/pushing.feature",
    "s3": "features/objects",
    "etcd": "--tags @COORD-01 features/coordination",
    "zookeeper": "--tags @COORD-02 features/coordination",
}
#: Their clients go where the server says, not where they were sent at first.
_ADVERTISING = ("kafka",)
SOUND = "sound"
NOTHING: Mapping[str, str] = {}
_WITHOUT = "not @performance"
_LONGEST = 900

#: Runs the features with one fault; their results go to a place.
RunFault = Callable[[str, Path], None]


@contextmanager
def sound_server(name: str, place: Path, **options: object) -> Iterator[Endpoint]:
    """A server of the service called ``name``, made with these options."""
    run = Run.begin()
    try:
        provider = NativeProvider(run, place / "logs", Cache())
        provider.obtain(service(name), print)
        cluster = provider.start(service(name), _asked(name, options), f"{name}-sound")
        yield cluster.endpoint
    finally:
        reaper.reap(run)


def _asked(name: str, options: Mapping[str, object]) -> Requirement:
    return Requirement(name, tuple(sorted(options.items())))


def faulty(name: str, fault: str, server: str) -> Proxy:
    """A proxy in front of a server of the service called ``name``, with this fault."""
    return Proxy(server, import_module(f"{__package__}.{name}").serve(fault))


@contextmanager
def running_features(name: str, place: Path) -> Iterator[RunFault]:
    """What runs a service's features through a proxy with a fault, before a sound server.

    Args:
        name: the service.
        place: where the server's logs go.
    """
    if name in _ADVERTISING:
        yield partial(_run_as_advertised, name)
        return
    with sound_server(name, place) as endpoint:
        (address,) = endpoint.addresses.values()
        server = address.partition("/")[0]
        others = {
            f"{name}_{role.partition(' ')[2]}".upper(): where
            for role, where in endpoint.others.items()
        }
        yield lambda fault, place: run_through(name, faulty(name, fault, server), place, others)


def _run_as_advertised(name: str, fault: str, place: Path) -> None:
    """With a server for each fault, which tells its clients the proxy's address."""
    port = free_port()
    proxy = faulty(name, fault, f"{LOOPBACK}:{port}")
    advertised = (
        ("advertised.listeners", f"PLAINTEXT://{proxy.address}"),
        ("inter.broker.listener.name", "PLAINTEXT"),
    )
    with sound_server(name, place, port=port, config=advertised):
        run_through(name, proxy, place)


def run_through(name: str, proxy: Proxy, place: Path, others: Mapping[str, str] = NOTHING) -> None:
    """Run the service's features at a proxy, which is closed then; results go to ``place``.

    Args:
        name: the service.
        proxy: in front of its port for clients.
        place: for results.
        others: variables that name its other ports.
    """
    place.mkdir(parents=True, exist_ok=True)
    (place / "results.json").unlink(missing_ok=True)
    host, _, port = proxy.address.rpartition(":")
    environment = {
        **{key: value for key, value in os.environ.items() if key != RUN_VARIABLE},
        "STACK": "external",
        f"{name.upper()}_URL": "",
        f"{name.upper()}_HOST": host,
        f"{name.upper()}_PORT": port,
        f"{name.upper()}_BOOTSTRAP_SERVERS": proxy.address,
        **others,
    }
    try:
        with (place / "output.txt").open("w") as output:
            subprocess.run(
                [sys.executable, "-m", "stackproof", "run", "--no-report", "--jobs", "2",
                 "--tags", _WITHOUT, "--reports", str(place), *FEATURES[name].split()],
                stdout=output, stderr=subprocess.STDOUT, timeout=_LONGEST, env=environment,
            )  # fmt: skip
    finally:
        proxy.close()
