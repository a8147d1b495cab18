"""Milvus standalone: one server with all that it needs within it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath

from stackproof.obtain import WheelArtifact
from stackproof.services.base import Endpoint, Image
from stackproof.services.keeping import Keeper, Keeping
from stackproof.services.location import Location
from stackproof.services.milvus.known import SERVER
from stackproof.services.where import Node, Where
from stackproof.services.writer import Writer

#: Of its parts; each has a port, although they are one process. None is reached from outside.
_PORTS = {
    "rootCoord": 53100, "queryCoord": 19531, "queryNode": 21123, "indexNode": 21121,
    "dataCoord": 13333, "dataNode": 21124,
}  # fmt: skip
_SETTINGS = """\
etcd: {{endpoints: "localhost:2379", use: {{embed: true}}, data: {{dir: {data}/etcd}}}}
localStorage: {{path: {data}}}
mq: {{type: rocksmq}}
rocksmq: {{path: {data}/rocksmq}}
common: {{storageType: local, gracefulStopTimeout: 5}}
proxy: {{port: {client}, internalPort: 19529, http: {{enabled: false}}}}
{parts}
log: {{level: warn, stdout: true}}
"""
_LOG_SETTINGS = "--logtostderr=true\n--minloglevel=1\n"


class Milvus(Keeping):
    """The service ``milvus``."""

    name = "milvus"
    title = "Milvus"
    kept = "collection"
    written_to = SERVER
    start_within = 120.0
    # The newest whole server that a package index has; newer ones are endpoints.
    server = WheelArtifact("milvus==2.3.5", ("milvus",))
    programs = ("milvus/data/bin",)
    image = Image("MILVUS_IMAGE", "milvusdb/milvus:v2.3.5", "stackproof/milvus:2.3.5")
    #: A client's first words in HTTP/2.
    hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
    ports: Mapping[str, int] = {"client": 19530}
    untold: Mapping[str, str] = {
        "throttle": "what can be asked of it without loading a collection is too small to measure",
        "disk full": "its embedded log (RocksDB) writes no more until it is started again, so that "
        "no healing can be seen",
        "power loss in containers": "it maps its log into memory, so that nobody can tell what "
        "it has synced",
    }
    location = Location(
        plain=("http", "tcp"),
        encrypted=("https",),
        path="database",
        variables={
            "url": ("MILVUS_URL", "MILVUS_URI"),
            "host": ("MILVUS_HOST",),
            "port": ("MILVUS_PORT",),
            "database": ("MILVUS_DATABASE", "MILVUS_DB"),
        },
    )

    def nodes(self, where: Where) -> list[Node]:
        """One server; what it has to be told stands in a file of its own."""
        data = where.data(SERVER, "/var/lib/milvus")
        settings = _SETTINGS.format(
            data=data,
            client=self.ports["client"],
            parts="\n".join(f"{part}: {{port: {port}}}" for part, port in _PORTS.items()),
        )
        env = {
            "DEPLOY_MODE": "STANDALONE",
            # Idle threads that spin make building an index ten times slower on a busy machine.
            "OMP_WAIT_POLICY": "PASSIVE",
            "MILVUSCONF": str(PurePosixPath(where.file(SERVER, "milvus.yaml")).parent),
        }
        if (root := where.obtained(self.server)) is not None:
            env["LD_LIBRARY_PATH"] = str(Path(root, *self.programs))
        return [
            Node(
                SERVER,
                [where.program("milvus"), "run", "standalone"],
                files={"milvus.yaml": settings, "glog.conf": _LOG_SETTINGS},
                env=env,
                data=data,
                isolated=True,
                memory_mb=900,
                health=("curl", "--fail", "--silent", "http://localhost:9091/healthz"),
            )
        ]

    def keeper(self, endpoint: Endpoint, node: str = "", *, timeout: float = 10.0) -> Keeper:
        """See `stackproof.services.milvus.client`."""
        from stackproof.services.milvus.client import Collections

        return Collections(endpoint, timeout=timeout)

    def writer(self, endpoint: Endpoint, name: str, *, timeout: float) -> Writer:
        """See `stackproof.services.milvus.client`."""
        from stackproof.services.milvus.client import VectorsWriter

        return VectorsWriter(endpoint, re.sub(r"\W", "_", name), timeout=timeout)

    @cached_property
    def unready(self) -> tuple[type[BaseException], ...]:
        """Refused connections, time-outs, and a server whose parts do not know each other yet."""
        import grpc
        from pymilvus.exceptions import MilvusException

        return (MilvusException, grpc.RpcError, grpc.FutureTimeoutError, OSError)

    def version(self, endpoint: Endpoint) -> str:
        """As it tells it."""
        from stackproof.services.milvus.client import connect

        client = connect(endpoint)
        try:
            return f"Milvus {client.get_server_version()}"
        finally:
            client.close()


SERVICE = Milvus
