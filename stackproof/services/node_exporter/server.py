"""Node exporter: metrics of the machine on which it runs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

from stackproof.services.base import Endpoint
from stackproof.services.exporting import SERVER, Exporting, debian, image, location
from stackproof.services.probe import Probe
from stackproof.services.web import Web
from stackproof.services.where import Node, Where

_COLLECTORS = ("cpu", "meminfo", "diskstats", "filesystem", "netdev", "loadavg")


class _Probe:
    """See `stackproof.services.probe.Probe`."""

    def __init__(self, endpoint: Endpoint, timeout: float):
        self._endpoint, self._timeout = endpoint, timeout

    def answers(self, node: str) -> None:
        """It tells of a processor."""
        with closing(
            Web(self._endpoint.at(SERVER), self._endpoint.access, timeout=self._timeout)
        ) as web:
            if "\nnode_cpu_seconds_total{" not in web.ask("GET", "/metrics").text:
                raise ConnectionError("it tells nothing of processors")

    def healthy(self) -> None:
        """The same."""
        self.answers(SERVER)

    def close(self) -> None:
        """Each question has a connection of its own."""


class NodeExporter(Exporting):
    """The service ``node_exporter``."""

    name = program = "node_exporter"
    title = "Node exporter"
    on_host = True
    server = debian(program, title)
    image = image(program, "1.5.0")
    ports: Mapping[str, int] = {"client": 9100}
    location = location(name)

    def nodes(self, where: Where) -> list[Node]:
        """One server."""
        argv = [
            self.called(where), self.listening(where), "--collector.disable-defaults",
            *(f"--collector.{name}" for name in _COLLECTORS), "--log.level=error",
        ]  # fmt: skip
        return [Node(SERVER, argv, memory_mb=40, health=self.health(where, "/metrics"))]

    def probe(self, endpoint: Endpoint, *, timeout: float) -> Probe:
        """What asks for its metrics."""
        return _Probe(endpoint, timeout)


SERVICE = NodeExporter
