"""Breaking containers: from inside of their networks, and on their disks."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stackproof.actions import ClearPeers, LosePower, SlowPeers
from stackproof.processes.run import Run
from stackproof.services.base import Composition, Service, readable
from stackproof.services.nodes import Service as NodeService
from stackproof.services.where import JOURNAL, PRELOAD
from stackproof.stack.harm import packets, power
from stackproof.stack.harm.means import Means, no_way, not_made_for, peer_way
from stackproof.stack.harm.proxies import Proxies, toxics
from stackproof.stack.site import LocalSite

#: Inside a container: written by whatever user its server is.
_JOURNAL = "/tmp/stackproof-syncs"
_PRELOADED = "/stackproof-preload"
#: Where Toxiproxy is told what to do within a container's network; its proxies come after that.
_PROXIES = 31900


@dataclass(frozen=True)
class Preloaded:
    """Variables and volumes that containers get in addition."""

    environment: Mapping[str, str]
    volumes: Sequence[str]


class DockerMeans(Means):
    """What breaks containers; see `Means`.

    Args:
        composition: the cluster's.
        client: of the engine.
    """

    def __init__(
        self,
        service: Service,
        site: LocalSite,
        run: Run,
        logs: Path,
        *,
        composition: Composition,
        client: Any,
    ):
        super().__init__(service, site, run, logs)
        self._api = client.api
        self._kind = service
        self._on_host = isinstance(service, NodeService) and service.on_host
        self._logs = logs
        self._ways: dict[str, Proxies] = {}
        self._data = composition.data
        self.mount(composition.disks)

    def preloaded(self) -> Preloaded:
        """What containers get, for their syncs to be recorded."""
        if not self.loses_power:
            return Preloaded({}, ())
        place = self._directory / "preload"
        readable(place / "README", "what is loaded into servers: see power.py of the suite\n")
        library = place / power.LIBRARY
        library.write_bytes(power.library(self._cache, lambda line: None).read_bytes())
        library.chmod(0o755)
        return Preloaded(
            {PRELOAD: f"{_PRELOADED}/{power.LIBRARY}", JOURNAL: _JOURNAL},
            (f"{place}:{_PRELOADED}:ro",),
        )

    def lose_power(self, container: str) -> dict[str, Any]:
        """Cut a dead container's files to what it had synced; the figures."""
        if not self.loses_power:
            raise not_made_for(LosePower())
        stream, _ = self._api.get_archive(container, _JOURNAL)
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
            member = archive.extractfile(archive.getmembers()[0])
            lines = member.read().decode(errors="replace").splitlines() if member else []
        return asdict(power.lose(self._on_disk(container), lines))

    def _on_disk(self, container: str) -> Path:
        """Where this machine keeps a container's data."""
        for mounted in self._api.inspect_container(container)["Mounts"]:
            place = Path(mounted["Source"])
            if mounted["Destination"] == self._data and os.access(place, os.R_OK | os.W_OK):
                return place
        raise no_way(
            "a loss of power cannot be staged here",
            "the containers' data are not within reach of this user",
        )

    def keep_away(
        self, instance: str, containers: Mapping[str, str], action: SlowPeers | ClearPeers
    ) -> None:
        """Make the way of its peers to a container long, or short again."""
        if instance not in self._ways:
            if not self._options.get("proxied_peers") or not isinstance(self._kind, NodeService):
                raise not_made_for(action)
            if (why := packets.unusable_inside()) is not None:
                raise no_way("the way between servers cannot be made slow here", why)
            process_id = self._process_id(containers[instance])
            own, roles = self._at(containers[instance])[0], self._kind.peer_roles
            ports = [(_PROXIES + n, self._kind.ports[role]) for n, role in enumerate(roles, 1)]
            way = Proxies(
                self._run, instance, self._logs / f"{instance}-toxiproxy.log", _PROXIES,
                {peer_way(instance): ports}, host=own, inside=process_id,
            )  # fmt: skip
            self._ways[instance] = way
            way.start(self._cache, lambda line: None)
            peers = self._peers_of(instance, containers)
            for through, port in ports:
                packets.lead_inside(process_id, peers, port, through)
        self._ways[instance].put(peer_way(instance), toxics(action))

    def _peers_of(self, instance: str, containers: Mapping[str, str]) -> list[str]:
        return [a for name in containers if name != instance for a in self._at(containers[name])]

    def _at(self, container: str) -> list[str]:
        """A container's addresses."""
        networks = self._inspected(container)["NetworkSettings"]["Networks"].values()
        return [network["IPAddress"] for network in networks if network["IPAddress"]]

    def unhealed(self) -> str | None:
        """See `Means.unhealed`; the proxies within containers, too."""
        unclear = (way.unclear() for way in self._ways.values())
        return next(filter(None, unclear), None) or super().unhealed()

    def stop(self) -> None:
        """End the proxies within containers, too."""
        try:
            for way in self._ways.values():
                way.stop()
        finally:
            super().stop()

    def part(self, instance: str, containers: Mapping[str, str], *, one_way: bool) -> None:
        """Cut a container from its peers; clients come from elsewhere."""
        if (why := packets.unusable_inside()) is not None:
            raise no_way("servers cannot be cut from each other here", why)
        if self._on_host:
            raise no_way("this server cannot be cut from others", "its network is the machine's")
        peers = self._peers_of(instance, containers)
        packets.inside(self._process_id(containers[instance]), peers, one_way=one_way)

    def join(self, container: str) -> None:
        """Undo `part`; what was cut off and has ended took its network, and the cut, with it."""
        if self._inspected(container)["State"]["Running"] and not self._on_host:
            packets.clear_inside(self._process_id(container))

    def parted(self, container: str) -> bool:
        """Whether `part` has left rules in a container's network, as far as it can be entered."""
        if self._on_host or packets.unusable_inside() is not None:
            return False  # nor could it be parted
        return bool(packets.rules_inside(self._process_id(container)))

    def _inspected(self, container: str) -> dict[str, Any]:
        return self._api.inspect_container(container)

    def _process_id(self, container: str) -> int:
        process_id = int(self._inspected(container)["State"]["Pid"])
        if not Path(f"/proc/{process_id}").exists() or not process_id:
            raise no_way(
                "servers cannot be cut from each other here",
                "the container's process is not one of this machine (the engine is a virtual one)",
            )
        return process_id
