"""Clusters for scenarios: who may start now, what it gets, what becomes of it afterwards."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from stackproof import guard
from stackproof.errors import NotSupported, Trouble
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.base import Endpoint, Requirement
from stackproof.session.plan import ScenarioPlan
from stackproof.stack.stack import Stack

log = logging.getLogger(__name__)


class Clusters:
    """Shared clusters for all, dedicated ones for single scenarios, within the memory allowed.

    Args:
        stack: runs them.
        memory_mb: what all of them together may need, in MiB.
        shared: the clusters that scenarios share.
        freed: called, in any thread, when what kept others waiting may have changed.
    """

    def __init__(
        self,
        stack: Stack,
        *,
        memory_mb: int,
        shared: Iterable[Requirement],
        freed: Callable[[], None],
    ):
        self._stack = stack
        self._memory = memory_mb - sum(stack.memory_mb(requirement) for requirement in shared)
        self._freed = freed
        self._lock = threading.Lock()
        self._admitted: dict[str, ScenarioPlan] = {}  # alone or not, until it has ended
        self._promised: dict[str, int] = {}  # until its clusters are gone
        self._dedicated: dict[str, list[Endpoint]] = {}
        self._starting: set[str] = set()
        self._stopping: set[str] = set()
        self._closed = False

    # -- before a scenario ---------------------------------------------------
    def admit(self, planned: ScenarioPlan) -> bool:
        """Whether memory and the scenarios under way allow it to start now."""
        needed = self._need(planned)
        with self._lock:
            others = self._admitted.values()
            if any(other.alone for other in others):
                return False
            if any(other.exclusive & planned.exclusive for other in others):
                return False
            if planned.alone and (others or self._starting or self._stopping):
                return False
            promised = sum(self._promised.values())
            if needed and promised and promised + needed > self._memory:
                return False
            self._admitted[planned.id] = planned
            self._promised[planned.id] = needed
            return True

    def _need(self, planned: ScenarioPlan) -> int:
        dedicated = [r for r in planned.requirements.values() if r.dedicated]
        return sum(self._stack.memory_mb(requirement) for requirement in dedicated)

    def provide(self, planned: ScenarioPlan) -> dict[str, Endpoint]:
        """Shared endpoints, and dedicated clusters started for this scenario.

        Raises:
            NotSupported: the memory will never be enough for it.
            Refused: it would do harm to a server that the suite did not start.
            Trouble: a cluster could not be started, or the scenario is over already.
        """
        needed = self._need(planned)
        if needed > self._memory:
            raise NotSupported(
                "the scenario needs more memory than this run may use",
                f"{needed} MiB for its own servers, {max(0, self._memory)} MiB are left for such",
                "raise STACKPROOF_MEMORY_MB, or run it on a larger machine",
            )
        with self._lock:
            if self._closed or planned.id not in self._admitted:
                raise _is_over(planned)
            self._starting.add(planned.id)
        endpoints = {}
        try:
            for name, requirement in planned.requirements.items():
                if not requirement.dedicated:
                    endpoints[name] = self._stack.shared(requirement)
                    continue
                endpoint = endpoints[name] = self._stack.start(requirement)
                with self._lock:
                    self._dedicated.setdefault(planned.id, []).append(endpoint)
                    if planned.id not in self._admitted:
                        raise _is_over(planned)  # its worker died meanwhile
            for name, doing in planned.destructive.items():
                guard.demand(endpoints[name], doing)
        finally:
            with self._lock:
                self._starting.discard(planned.id)
                over = planned.id not in self._admitted
            if over:
                self._stop_dedicated(planned.id)
        return endpoints

    # -- during a scenario ---------------------------------------------------
    def act(
        self,
        planned: ScenarioPlan,
        *,
        cluster: str,
        instance: str,
        action: str,
        details: Mapping[str, Any],
    ) -> Any:
        """Break or heal an instance of the scenario's own cluster.

        Raises:
            Trouble: the cluster is shared with other scenarios.
        """
        if cluster not in self._own(planned):
            raise Trouble(
                f"{cluster} is shared with other scenarios and must not be broken",
                "the step does not declare that it needs a dedicated cluster",
                "put dedicated=True into the step's @needs",
            )
        return self._stack.act(cluster, instance, action, **details)

    def _own(self, planned: ScenarioPlan) -> list[str]:
        with self._lock:
            return [endpoint.cluster for endpoint in self._dedicated.get(planned.id, [])]

    def logs(self, planned: ScenarioPlan) -> tuple[Mapping[str, Path], Collection[str]]:
        """Log files of the instances that it uses, and the names of those that are its own."""
        with self._lock:
            own = {i for e in self._dedicated.get(planned.id, []) for i in e.instances}
        used = set(own)
        for requirement in planned.requirements.values():
            if not requirement.dedicated:
                with contextlib.suppress(Trouble, KeyError):  # it did not start
                    used |= set(self._stack.shared(requirement).instances)
        logs = self._stack.logs()
        return {name: path for name, path in logs.items() if name in used}, own

    # -- after a scenario ----------------------------------------------------
    def release(self, planned: ScenarioPlan) -> None:
        """The scenario is over: its own clusters are stopped, besides."""
        with self._lock:
            self._admitted.pop(planned.id, None)
            # If they are just being started, `provide` will find out and stop them.
            stop = planned.id in self._dedicated and planned.id not in self._starting
            if stop:
                self._stopping.add(planned.id)
            elif planned.id not in self._starting:
                self._promised.pop(planned.id, None)
        if stop:
            threading.Thread(target=self._stop_dedicated, args=(planned.id,), daemon=True).start()
        self._freed()

    def _stop_dedicated(self, scenario_id: str) -> None:
        with self._lock:
            self._stopping.add(scenario_id)
            endpoints = self._dedicated.pop(scenario_id, [])
        try:
            for endpoint in endpoints:
                with contextlib.suppress(KeyError):  # the whole stack is being stopped
                    self._stack.stop(endpoint)
        except Exception:  # the end of the run will reap what resists
            log.exception("clusters of %s could not be stopped", scenario_id)
        finally:
            with self._lock:
                self._promised.pop(scenario_id, None)
                self._stopping.discard(scenario_id)
            self._freed()

    # -- at the end ----------------------------------------------------------
    def close(self) -> None:
        """Start nothing any more; all dedicated clusters begin to stop."""
        with self._lock:
            self._closed = True
            under_way = list(self._admitted.values())
        for planned in under_way:
            self.release(planned)

    def settle(self, within: float) -> None:
        """Wait until nothing is being started or stopped."""
        try:
            poll(
                lambda: not (self._starting or self._stopping),
                within=within,
                awaiting="clusters to start or stop",
            )
        except DeadlineExceeded as late:
            log.warning("%s", late)


def _is_over(planned: ScenarioPlan) -> Trouble:
    return Trouble(f"the scenario {planned.scenario.name!r} is over already")
