"""Breaking plain processes: groups to drop packets by, and disks that can lose their power."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stackproof.actions import Action, ClearPeers, JoinPeers, LosePower, SlowPeers
from stackproof.processes.run import Run
from stackproof.services.base import ProcessSpec, Service
from stackproof.services.nodes import Service as NodeService
from stackproof.stack.harm import packets
from stackproof.stack.harm.means import Means, no_way, not_made_for, peer_way
from stackproof.stack.harm.proxies import toxics
from stackproof.stack.harm.volatile import VolatileDisk
from stackproof.stack.site import LocalSite


class NativeMeans(Means):
    """What breaks plain processes; see `Means`.

    Args:
        specs: all instances, by name.
        dedicated: whether the cluster may be broken at all.
    """

    def __init__(
        self,
        service: Service,
        site: LocalSite,
        run: Run,
        logs: Path,
        *,
        specs: Mapping[str, ProcessSpec],
        dedicated: bool,
    ):
        super().__init__(service, site, run, logs)
        self._specs = specs
        self._rules: dict[str, list[list[str]]] = {}
        self._ports: dict[str, list[int]] = {}
        separable = dedicated and len(specs) > 1 and packets.unusable() is None
        self._groups = {name: packets.new_group() for name in specs} if separable else {}
        data = {name: spec.data for name, spec in specs.items() if spec.data is not None}
        self.mount(data)
        self._volatile = {
            name: VolatileDisk(run, self._cache, name, place, logs / f"{name}-disk.log")
            for name, place in data.items()
            if self.loses_power
        }

    def _peer_routes(
        self, service: Service, site: LocalSite
    ) -> Mapping[str, Sequence[tuple[int, int]]]:
        if not site.options.get("proxied_peers") or not isinstance(service, NodeService):
            return {}
        return {peer_way(name): ports for name, ports in service.peer_routes(site).items()}

    def group(self, instance: str) -> int | None:
        """The group that an instance runs as, to be recognised by; None: this process's."""
        return self._groups.get(instance)

    def prepare(self, instance: str) -> None:
        """Make what an instance needs; called before each of its starts.

        Raises:
            NotSupported: it cannot be had here.
        """
        if instance in self._volatile:
            self._volatile[instance].mount()

    def stop(self) -> None:
        """Let all packets through again, and unmount all disks, too."""
        with contextlib.ExitStack() as all_of_it:
            all_of_it.callback(super().stop)
            for disk in self._volatile.values():
                all_of_it.callback(disk.stop)
            for instance in list(self._rules):
                all_of_it.callback(self._join, instance)

    def lose_power(self, instance: str, kill: Callable[[], None]) -> dict[str, Any]:
        """Kill an instance in the middle of a sync, and drop what is not synced; the figures."""
        if instance not in self._volatile:
            raise not_made_for(LosePower())
        self._volatile[instance].hold()
        kill()
        return asdict(self._volatile[instance].lose())

    def part(self, instance: str, processes: Mapping[str, int], *, one_way: bool) -> None:
        """Cut an instance from its peers; clients are not hindered.

        Args:
            instance: which one.
            processes: process ID of each instance.
            one_way: its peers may go on connecting to it.
        """
        if not self._groups:
            why = packets.unusable() or "it has no peers, or is shared with other scenarios"
            raise no_way("servers cannot be cut from each other here", why)
        for name, process_id in processes.items():
            # Of one that is down, the ports that it had, and will have again.
            self._ports[name] = packets.listening(process_id) or self._ports.get(name, [])
        peers = [name for name in processes if name != instance]
        rules = []
        for peer in peers:
            rules += packets.drops(self._groups[instance], self._ports[peer])
            if not one_way:
                rules += packets.drops(self._groups[peer], self._ports[instance])
        self._rules[instance] = self._rules.get(instance, []) + rules
        packets.put(self._run, rules)

    def _join(self, instance: str) -> None:
        rules = self._rules.pop(instance, [])
        packets.take(self._run, rules)

    def unhealed(self) -> str | None:
        """See `Means.unhealed`; packets that are dropped, too."""
        if self._groups:
            rules = packets.rules(self._run)
            for name, group in self._groups.items():
                if any(str(group) in rule.split() for rule in rules):
                    return f"packets of {name} are dropped"
        return super().unhealed()

    def act(self, instance: str, action: Action) -> Any:
        """See `Means.act`; `JoinPeers` undoes `part`."""
        if isinstance(action, JoinPeers):
            return self._join(instance)
        if isinstance(action, (SlowPeers, ClearPeers)):
            if self._proxies is None or not self._options.get("proxied_peers"):
                raise not_made_for(action)
            return self._proxies.put(peer_way(instance), toxics(action))
        return super().act(instance, action)
