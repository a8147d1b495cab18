"""Pushgateway: keeps in memory what batch jobs have pushed, for Prometheus to scrape."""

from __future__ import annotations

from collections.abc import Mapping

from stackproof.services.base import Endpoint
from stackproof.services.exporting import SERVER, Exporting, debian, image, location
from stackproof.services.keeping import Keeper, Keeping
from stackproof.services.where import Node, Where


class Pushgateway(Exporting, Keeping):
    """The service ``pushgateway``."""

    name = program = "pushgateway"
    title = "Pushgateway"
    kept = "pushed group"
    written_to = SERVER
    server = debian(
        program, title, "fonts-glyphicons-halflings", "libjs-bootstrap4", "libjs-jquery"
    )
    image = image(program, "1.5.1")
    ports: Mapping[str, int] = {"client": 9091}
    location = location(name)

    def nodes(self, where: Where) -> list[Node]:
        """One server; it keeps everything in memory."""
        argv = [
            self.called(where),
            self.listening(where),
            "--persistence.file=",
            "--log.level=warn",
        ]
        return [Node(SERVER, argv, memory_mb=40, health=self.health(where))]

    def keeper(self, endpoint: Endpoint, node: str = "", *, timeout: float = 10.0) -> Keeper:
        """See `stackproof.services.pushgateway.client`."""
        from stackproof.services.pushgateway.client import Gateway

        return Gateway(endpoint, timeout=timeout)


SERVICE = Pushgateway
