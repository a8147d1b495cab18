"""etcd: one member, or a cluster of several that agree by Raft."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from stackproof.obtain import DebianArtifact
from stackproof.services.base import Endpoint, Image
from stackproof.services.keeping import Clustered, Member
from stackproof.services.location import Location
from stackproof.services.where import Node, Where
from stackproof.urls import host_and_port


class Etcd(Clustered):
    """The service ``etcd``; option ``nodes``: how many members."""

    name = "etcd"
    title = "etcd"
    kept = "key"
    server = DebianArtifact("etcd-server", "etcd", proof=("usr/bin/etcd", "--version"))
    image = Image("ETCD_IMAGE", "quay.io/coreos/etcd:v3.4.23", "stackproof/etcd:3.4.23")
    hello = b"GET /version HTTP/1.1\r\nHost: etcd\r\n\r\n"
    untold: Mapping[str, str] = {
        "power loss in containers": "its log is written into space that was allocated before, so "
        "that file sizes do not tell what is synced"
    }
    ports: Mapping[str, int] = {"client": 2379, "peer": 2380}
    peer_roles = ("peer",)
    options: Mapping[str, Any] = {"nodes": 1}
    compose_files: Mapping[str, Mapping[str, Any]] = {"etcd-three": {"nodes": 3}}
    location = Location(
        plain=("http",),
        encrypted=("https",),
        path="",
        several="endpoints",
        variables={
            "url": ("ETCD_URL",),
            "host": ("ETCD_HOST",),
            "port": ("ETCD_PORT",),
            "endpoints": ("ETCD_ENDPOINTS", "ETCDCTL_ENDPOINTS"),
        },
    )

    def nodes(self, where: Where) -> list[Node]:
        """Each knows all from the start."""
        names = [f"node-{number + 1}" for number in range(where.options["nodes"])]
        return [self._node(where, name, names) for name in names]

    def _node(self, where: Where, name: str, names: list[str]) -> Node:
        data = where.data(name, "/etcd-data")
        peers = {other: _url(*where.peer(other, "peer")) for other in names}
        argv = [
            where.program("etcd"), "--name", name, "--data-dir", data,
            "--listen-client-urls", _url(*where.listen(name)),
            "--advertise-client-urls", _url(*where.advertised(name)),
            "--listen-peer-urls", _url(*where.listen(name, "peer")),
            "--initial-advertise-peer-urls", peers[name],
            "--initial-cluster", ",".join(f"{one}={url}" for one, url in peers.items()),
            "--initial-cluster-token", where.secret, "--logger", "zap",
        ]  # fmt: skip
        return Node(
            name, argv, data=data, memory_mb=96,
            health=("etcdctl", "--endpoints", f"http://127.0.0.1:{self.ports['client']}",
                    "endpoint", "health"),
        )  # fmt: skip

    def keeper(self, endpoint: Endpoint, node: str = "", *, timeout: float = 10.0) -> Member:
        """See `stackproof.services.etcd.client`."""
        from stackproof.services.etcd.client import EtcdKeeper

        return EtcdKeeper(endpoint, node, timeout=timeout)

    @cached_property
    def unready(self) -> tuple[type[BaseException], ...]:
        """Refused connections, time-outs, and a cluster without a leader."""
        from etcd3gw.exceptions import Etcd3Exception

        return (Etcd3Exception, OSError)

    def version(self, endpoint: Endpoint) -> str:
        """As a member tells it."""
        from stackproof.services.etcd.client import EtcdKeeper

        return f"etcd {EtcdKeeper(endpoint).status()['version']}"


def _url(address: str, port: int) -> str:
    return f"http://{host_and_port('0.0.0.0' if address == '*' else address, port)}"


SERVICE = Etcd
