"""Nothing of a service listens beyond loopback, whichever it is."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from stackproof.polling import DeadlineExceeded, poll
from stackproof.ports import LOOPBACK
from stackproof.processes.reaper import processes_of
from stackproof.services import service, service_names
from stackproof.services.base import Requirement
from stackproof.services.nodes import Service as NodeService
from tests.native import native
from tests.stack.conftest import posix_only

pytestmark = posix_only
#: What listens for its peers does so in a cluster alone; those of brokers have tests of their own.
CLUSTERS: list[tuple[str, dict[str, Any]]] = [
    ("etcd", {"nodes": 3}),
    ("postgresql", {"replicas": 1}),
    ("postgresql", {"managed": True}),
    ("rabbitmq", {"nodes": 3}),
    ("zookeeper", {"nodes": 3}),
]
#: Seconds; whoever resolves a name asks from a port at which anybody could answer, for a moment.
_RESOLVING = 10.0
STARTED = [*((name, {}) for name in service_names()), *CLUSTERS]


def connections(process: psutil.Process, kind: str) -> list[Any]:
    """Of one that has ended meanwhile: none."""
    with suppress(psutil.NoSuchProcess):
        return process.net_connections(kind)
    return []


def listening(processes: Iterable[psutil.Process]) -> set[tuple[str, int]]:
    """Addresses and ports at which these listen.

    What lies in a network namespace of its own is not among the sockets of this one.
    """
    return {
        (one.laddr.ip, one.laddr.port)
        for process in processes
        for one in connections(process, "tcp")
        if one.status == psutil.CONN_LISTEN
    }


def taking_datagrams(processes: Iterable[psutil.Process]) -> set[tuple[str, int]]:
    """Addresses and ports at which these take datagrams from anybody."""
    return {
        (one.laddr.ip, one.laddr.port)
        for process in processes
        for one in connections(process, "udp")
        if not one.raddr
    }


def beyond(found: Iterable[tuple[str, int]]) -> set[str]:
    """Those that others than this machine can reach."""
    addresses = {ip: ipaddress.ip_address(ip.removeprefix("::ffff:")) for ip, _ in found}
    return {f"{ip} port {port}" for ip, port in found if not addresses[ip].is_loopback}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param(name, options, id=" ".join([name, *map(str, options.values())]),
                     marks=[pytest.mark.kafka] if name == "kafka" else [])
        for name, options in STARTED
    ],
)  # fmt: skip
def test_nothing_listens_beyond_loopback(
    name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    kind = service(name)
    assert isinstance(kind, NodeService)
    with native(tmp_path, time_factor=3) as provider:
        provider.obtain(kind, lambda _: None)
        provider.obtain_for(kind, options, lambda _: None)
        cluster = provider.start(
            kind, Requirement(name, tuple(options.items()), dedicated=True), f"{name}-1"
        )
        kind.check(cluster.endpoint, timeout=30)  # whatever it opens for its first client is there
        processes = processes_of(provider._run)
        found = listening(processes)
        ports = {int(where.partition("/")[0].rpartition(":")[2]) for where in
                 cluster.endpoint.addresses.values()}  # fmt: skip
        try:
            stays = poll(
                lambda: taking_datagrams(processes), until=lambda seen: not beyond(seen),
                within=_RESOLVING, awaiting="nobody to be able to reach it",
            )  # fmt: skip
        except DeadlineExceeded:
            stays = taking_datagrams(processes)
    assert ports <= {port for _, port in found}, "what was looked at is where clients go"
    assert beyond(found | stays) == set()


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
@pytest.mark.parametrize(
    ("family", "address", "wide"),
    [
        (socket.AF_INET, "", True),
        (socket.AF_INET6, "::", True),
        (socket.AF_INET, LOOPBACK, False),
        (socket.AF_INET6, "::1", False),
        (socket.AF_INET6, f"::ffff:{LOOPBACK}", False),
    ],
)
def test_what_listens_beyond_loopback_is_seen(
    family: socket.AddressFamily, address: str, wide: bool, kind: socket.SocketKind
) -> None:
    with socket.socket(family, kind) as opened:
        try:
            opened.bind((address, 0))
        except OSError as error:
            pytest.skip(f"no such address on this machine: {error}")
        if kind is socket.SOCK_STREAM:
            opened.listen()
        port = opened.getsockname()[1]
        look = listening if kind is socket.SOCK_STREAM else taking_datagrams
        found = poll(
            lambda: {one for one in look([psutil.Process()]) if one[1] == port},
            within=10, awaiting="the socket to be listed",
        )  # fmt: skip
        assert bool(beyond(found)) == wide
