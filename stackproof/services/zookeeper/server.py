"""ZooKeeper: one server, or an ensemble of several that agree."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from stackproof.obtain import MavenArtifact
from stackproof.obtain.java import find_java
from stackproof.services.base import Endpoint, Image
from stackproof.services.keeping import Clustered, Member
from stackproof.services.location import Location
from stackproof.services.where import Node, Where
from stackproof.services.zookeeper.known import TICK_MS

VERSION = "3.9.5"
_JAVA = 11
_HEAP_MB = 96
_MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
_LOGGING = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
            "-Dorg.slf4j.simpleLogger.showDateTime=true")  # fmt: skip
_JVM = (f"-Xmx{_HEAP_MB}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_CONFIG = "zoo.cfg"
#: A server that follows is left behind after four seconds of silence.
_SETTINGS = f"""\
tickTime={TICK_MS}
initLimit=40
syncLimit=8
dataDir={{data}}
clientPort={{port}}
clientPortAddress={{address}}
admin.enableServer=false
maxClientCnxns=0
4lw.commands.whitelist=srvr,mntr
"""
_HEALTH = """\
exec 3<>/dev/tcp/127.0.0.1/2181 && printf srvr >&3 && grep -q Mode <&3"""


class ZooKeeper(Clustered):
    """The service ``zookeeper``; option ``nodes``: how many servers."""

    name = "zookeeper"
    title = "ZooKeeper"
    kept = "znode"
    server = MavenArtifact(
        f"zookeeper-{VERSION}", "ZooKeeper",
        (f"org.apache.zookeeper:zookeeper:{VERSION}", "org.xerial.snappy:snappy-java:1.1.10.7",
         "io.dropwizard.metrics:metrics-core:4.1.12.1", "org.slf4j:slf4j-simple:2.0.13"),
    )  # fmt: skip
    programs = ()
    image = Image("ZOOKEEPER_IMAGE", f"zookeeper:{VERSION}", f"stackproof/zookeeper:{VERSION}")
    hello = b"srvr"
    untold: Mapping[str, str] = {
        "power loss": "it does not sync its first snapshot, and without that it does not start "
        "again, for all that it has synced in its log",
    }
    ports: Mapping[str, int] = {"client": 2181, "peer": 2888, "election": 3888}
    peer_roles = ("peer", "election")
    options: Mapping[str, Any] = {"nodes": 1}
    compose_files: Mapping[str, Mapping[str, Any]] = {"zookeeper-three": {"nodes": 3}}
    location = Location(
        plain=("zookeeper",),
        encrypted=("zookeepers",),
        path="chroot",
        several="hosts",
        variables={
            "url": ("ZOOKEEPER_URL",),
            "host": ("ZOOKEEPER_HOST",),
            "port": ("ZOOKEEPER_PORT",),
            "hosts": ("ZOOKEEPER_HOSTS",),
            "chroot": ("ZOOKEEPER_CHROOT",),
        },
    )

    def nodes(self, where: Where) -> list[Node]:
        """Each knows all from the start."""
        names = [f"node-{number + 1}" for number in range(where.options["nodes"])]
        return [self._node(where, name, names) for name in names]

    def _node(self, where: Where, name: str, names: list[str]) -> Node:
        jars, data = where.obtained(self.server), where.data(name, "/data")
        address, port = where.listen(name)
        settings = _SETTINGS.format(
            data=data, port=port, address="0.0.0.0" if address == "*" else address
        )
        for number, other in enumerate(names if len(names) > 1 else (), start=1):
            place = where.listen if other == name and jars else where.peer
            host, peer = place(other, "peer")
            settings += f"server.{number}={host}:{peer}:{place(other, 'election')[1]}\n"
        node = Node(
            name,
            ["zkServer.sh", "start-foreground", where.file(name, _CONFIG)],
            before=f"echo {names.index(name) + 1} > '{data}/myid'\n",
            files={_CONFIG: settings},
            env={
                "ZK_SERVER_HEAP": str(_HEAP_MB), "SERVER_JVMFLAGS": " ".join(_JVM[1:]),
                "JMXDISABLE": "true",
            },
            data=data,
            user="zookeeper",
            memory_mb=2 * _HEAP_MB,
            health=("bash", "-c", _HEALTH),
        )  # fmt: skip
        if jars is None:
            return node
        classes = os.pathsep.join(str(jar) for jar in sorted((jars / "lib").glob("*.jar")))
        java = str(find_java(at_least=_JAVA).launcher)
        argv = [java, *_JVM, *_LOGGING, "-cp", classes, _MAIN, _CONFIG]
        return Node(
            name, argv, before=node.before, files=node.files, data=data, memory_mb=node.memory_mb
        )

    def keeper(self, endpoint: Endpoint, node: str = "", *, timeout: float = 10.0) -> Member:
        """See `stackproof.services.zookeeper.client`."""
        from stackproof.services.zookeeper.client import ZooKeeperKeeper

        return ZooKeeperKeeper(endpoint, node, timeout=timeout)

    @cached_property
    def unready(self) -> tuple[type[BaseException], ...]:
        """Refused connections, time-outs, lost sessions, a server without a quorum."""
        from kazoo.exceptions import KazooException
        from kazoo.handlers.threading import KazooTimeoutError

        return (KazooException, KazooTimeoutError, OSError)

    def version(self, endpoint: Endpoint) -> str:
        """As a server tells it."""
        from stackproof.services.zookeeper.client import ZooKeeperKeeper

        told = ZooKeeperKeeper(endpoint).told(next(iter(endpoint.addresses)))
        return f"ZooKeeper {told.get('Zookeeper version', '').partition('-')[0]}"


SERVICE = ZooKeeper
