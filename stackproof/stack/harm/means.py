"""What breaks the instances of one cluster on this machine, whichever provider runs them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stackproof.actions import Action, FillDisk, FreeDisk, OfClients
from stackproof.errors import NotSupported, Trouble
from stackproof.obtain import Cache, Say
from stackproof.processes.run import Run
from stackproof.services.base import Service
from stackproof.services.nodes import Service as NodeService
from stackproof.stack.harm import disks
from stackproof.stack.harm.proxies import TOXIPROXY, Proxies, toxics
from stackproof.stack.site import LocalSite


def obtain(
    options: Mapping[str, Any], cache: Cache, say: Say, disk: Callable[[Cache, Say], object]
) -> None:
    """Get what clusters with these options are broken with, before scenarios wait for it.

    What cannot be had here is told to the scenarios that use it.

    Args:
        disk: gets what knows of a disk what is synced.
    """
    if options.get("proxied") or options.get("proxied_peers"):
        with contextlib.suppress(Trouble):
            cache.ensure(TOXIPROXY, say)
    if options.get("syncs"):
        with contextlib.suppress(Trouble):
            disk(cache, say)


class Means:
    """Proxies and small disks of a cluster, where its options ask for them.

    Args:
        service: what runs.
        site: where it is laid out.
        run: whose cluster it is.
        logs: directory of log files.
    """

    def __init__(self, service: Service, site: LocalSite, run: Run, logs: Path):
        self._run = run
        self._cache: Cache = site.cache
        self._directory = site.directory
        self._options = site.options
        self._disks: dict[str, Path] = {}
        self._proxies: Proxies | None = None
        routes = self._peer_routes(service, site)
        if site.options.get("proxied") and isinstance(service, NodeService):
            routes = {**routes, **service.routes(site)}
        if routes:
            self._proxies = Proxies(
                run,
                site.cluster,
                logs / f"{site.cluster}-toxiproxy.log",
                site.port("toxiproxy"),
                routes,
            )

    def _peer_routes(
        self, service: Service, site: LocalSite
    ) -> Mapping[str, Sequence[tuple[int, int]]]:
        """Proxies between the instances, by `peer_way` of each; none where they need none."""
        return {}

    @property
    def loses_power(self) -> bool:
        """Whether power is to be lost."""
        return bool(self._options.get("syncs"))

    def mount(self, data: Mapping[str, Path]) -> None:
        """Mount the small disks that the options ask for.

        Args:
            data: directory of each instance's data.

        Raises:
            NotSupported: it cannot be done here.
        """
        if megabytes := self._options.get("disk_mb"):
            for instance, place in data.items():
                self._disks[instance] = place
                disks.mount(self._run, place, megabytes)

    def start(self) -> None:
        """Start what must be there before the instances.

        Raises:
            NotSupported: it cannot be had here.
        """
        if self._proxies is not None:
            self._proxies.start(self._cache, _nobody)

    def death(self) -> str | None:
        """None while all of it lives."""
        return self._proxies.death() if self._proxies is not None else None

    def unhealed(self) -> str | None:
        """What is still broken, as it is found now; None: nothing is."""
        full = next((name for name, place in self._disks.items() if disks.filled(place)), None)
        if full is not None:
            return f"the disk of {full} is full"
        return self._proxies.unclear() if self._proxies is not None else None

    def stop(self) -> None:
        """Undo everything; the instances have ended."""
        with contextlib.ExitStack() as all_of_it:
            if self._disks:
                all_of_it.callback(disks.unmount_below, self._directory)
            if self._proxies is not None:
                all_of_it.callback(self._proxies.stop)

    def act(self, instance: str, action: Action) -> Any:
        """Do what needs neither processes nor containers.

        Raises:
            NotSupported: there is no such action, or the cluster was not made for it.
        """
        if isinstance(action, OfClients):
            if self._proxies is None:
                raise not_made_for(action)
            return self._proxies.put(instance, toxics(action))
        if isinstance(action, (FillDisk, FreeDisk)):
            if instance not in self._disks:
                raise not_made_for(action)
            act = disks.fill if isinstance(action, FillDisk) else disks.free
            return act(self._disks[instance])
        raise NotSupported(f"this provider cannot {action} an instance")


def peer_way(instance: str) -> str:
    """What the proxy that leads an instance's peers to it is called."""
    return f"{instance}-peers"


def not_made_for(action: Action) -> NotSupported:
    """The step lacks an option."""
    return NotSupported(
        f"the suite cannot {action} an instance of this cluster",
        f"it was started without the option {action.option}",
        f"put {action.option} into the step's @needs",
    )


def no_way(what: str, why: str) -> NotSupported:
    """This machine cannot do it."""
    return NotSupported(what, why, "run this scenario as root on Linux, with iptables")


def _nobody(line: str) -> None:
    """Progress that nobody hears: dedicated clusters start in the middle of a run."""
