"""Alertmanager: groups alerts, silences them, and sends mails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from stackproof.obtain import Artifact
from stackproof.services.alertmanager.known import CONFIGURATION
from stackproof.services.alertmanager.moved import PROGRAM, TEMPLATES, Moved
from stackproof.services.base import Endpoint
from stackproof.services.exporting import SERVER, Exporting, debian, image, location
from stackproof.services.keeping import Keeper, KeeperProbe, Keeping
from stackproof.services.where import Node, Where

_NOBODY = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


class _Probe(KeeperProbe):
    """An alert would wake somebody."""

    def healthy(self) -> None:
        """It tells its state."""
        self.answers("")


class Alertmanager(Exporting, Keeping):
    """The service ``alertmanager``."""

    name = program = "alertmanager"
    title = "Alertmanager"
    kept = "alert"
    written_to = SERVER
    on_host = True
    server = debian(program, title, "tzdata")
    image = image(program, "0.25.0")
    ports: Mapping[str, int] = {"client": 9093}
    location = replace(location(name), directory=("ALERTMANAGER_DIRECTORY",))

    @property
    def _moved(self) -> Moved:
        return Moved(self.server)

    def artifacts(self) -> Sequence[Artifact]:
        """The package, and its program with another path."""
        return (self.server, self._moved)

    def nodes(self, where: Where) -> list[Node]:
        """One server without peers; it tells nobody until it has routes."""
        data, package = where.data(SERVER, "/alertmanager"), where.obtained(self.server)
        moved = where.obtained(self._moved)
        links: Mapping[str, Path] = (
            {TEMPLATES: package / "usr" / "share" / "prometheus" / "alertmanager"}
            if package
            else {}
        )
        argv = [
            str(moved / PROGRAM) if moved else self.program, self.listening(where),
            f"--config.file={where.shared(SERVER)}/{CONFIGURATION}",
            f"--storage.path={data}/state", "--cluster.listen-address=", "--log.level=warn",
        ]  # fmt: skip
        return [
            Node(SERVER, argv, shared={CONFIGURATION: _NOBODY}, links=links, data=data,
                 memory_mb=80, health=self.health(where))
        ]  # fmt: skip

    def keeper(self, endpoint: Endpoint, node: str = "", *, timeout: float = 10.0) -> Keeper:
        """See `stackproof.services.alertmanager.client`."""
        from stackproof.services.alertmanager.client import AlertKeeper

        return AlertKeeper(endpoint, timeout=timeout)

    def probe(self, endpoint: Endpoint, *, timeout: float) -> KeeperProbe:
        """What follows from its keeper."""
        return _Probe(lambda node: self.keeper(endpoint, node, timeout=timeout), endpoint)


SERVICE = Alertmanager
