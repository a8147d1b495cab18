"""Clusters for scenarios: who may start now, what it gets, what becomes of it afterwards."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from stackproof import guard
from stackproof.actions import Action
from stackproof.errors import NotSupported, Trouble
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.base import Endpoint, Requirement
from stackproof.session.plan import ScenarioPlan
from stackproof.stack.stack import Stack
from stackproof.texts import counted

log = logging.getLogger(__name__)

#: Seconds for the servers of somebody's that the last scenario has broken; each step has a limit.
_HEALED_WITHIN = 600.0


@dataclass(eq=False)
class _Dedicated:
    """A cluster for one scenario at a time.

    Attributes:
        requirement: what it was started for.
        endpoint: how to reach it.
        before: number of scenarios that have had it and are over.
        traces: what was done to it that it is not handed on after; empty: nothing.
    """

    requirement: Requirement
    endpoint: Endpoint
    before: int = 0
    traces: str = ""


class Clusters:
    """Shared clusters for all, dedicated ones for single scenarios, within the memory allowed.

    A dedicated cluster is handed on to the next scenario that asks for the same, if one is left
    that does: when its scenario has passed, when nothing was done to it that leaves traces, and
    when a look at its servers finds it as good as new, then and again at the moment it is handed
    on. Otherwise it is thrown away.

    Args:
        stack: runs them.
        memory_mb: what all of them together may need, in MiB.
        shared: the clusters that scenarios share.
        freed: called, in any thread, when what kept others waiting may have changed.
        left: the scenarios without a verdict; None: no cluster is handed on.
        say: hears what becomes of dedicated clusters.
        failed: hears what keeps the run from passing, e.g. that something is left broken.
    """

    def __init__(
        self,
        stack: Stack,
        *,
        memory_mb: int,
        shared: Iterable[Requirement],
        freed: Callable[[], None],
        left: Callable[[], Iterable[ScenarioPlan]] | None = None,
        say: Callable[[str], None] = log.info,
        failed: Callable[[str], None] = log.error,
    ):
        self._stack = stack
        self._memory = memory_mb - sum(stack.memory_mb(requirement) for requirement in shared)
        self._freed = freed
        self._left = left or (lambda: ())
        self._say = say
        self._failed = failed
        self._lock = threading.Lock()
        self._admitted: dict[str, ScenarioPlan] = {}  # alone or not, until it has ended
        self._promised: dict[str, int] = {}  # by scenario or cluster, until it is gone
        self._dedicated: dict[str, list[_Dedicated]] = {}
        self._spares: list[_Dedicated] = []  # as good as new, when they were looked at
        self._renewing: list[_Dedicated] = []
        self._ending: dict[str, ScenarioPlan] = {}  # over, but what it has broken is not healed
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
            if any(_in_the_way(planned, other) for other in (*others, *self._ending.values())):
                return False
            own = _dedicated(planned)
            if any(cluster.requirement in own for cluster in self._renewing):
                return False  # what it asks for may be handed on to it in a moment
            handed_on = self._matching(own)
            spares = [spare for spare in self._spares if spare not in handed_on]
            if planned.alone and (others or self._starting or self._stopping):
                return False
            promised = sum(self._promised.values())
            if needed and promised and promised + needed > self._memory:
                return False
            all_of_it = needed + promised + sum(map(self._memory_of, spares))
            if spares and (planned.alone or (needed and all_of_it > self._memory)):
                why = "runs alone" if planned.alone else "needs its memory"
                self._throw_away(spares, f"{planned.scenario.name!r} {why}")
                return False
            self._spares = spares
            if handed_on:
                self._dedicated[planned.id] = handed_on
            self._admitted[planned.id] = planned
            self._promised[planned.id] = needed
            return True

    def _need(self, planned: ScenarioPlan) -> int:
        return sum(map(self._stack.memory_mb, _dedicated(planned)))

    def _memory_of(self, cluster: _Dedicated) -> int:
        return self._stack.memory_mb(cluster.requirement)

    def _matching(self, requirements: Iterable[Requirement]) -> list[_Dedicated]:
        """A spare for each requirement, as far as there are any."""
        found: list[_Dedicated] = []
        for requirement in requirements:
            rest = (spare for spare in self._spares if spare not in found)
            found += [spare for spare in rest if spare.requirement == requirement][:1]
        return found

    def provide(self, planned: ScenarioPlan) -> dict[str, Endpoint]:
        """Shared endpoints, and dedicated clusters started for this scenario or handed on to it.

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
            handed_on = list(self._dedicated.get(planned.id, []))
        endpoints = {}
        try:
            for name, requirement in planned.requirements.items():
                if not requirement.dedicated:
                    endpoints[name] = self._stack.shared(requirement)
                    continue
                spare = next((c for c in handed_on if c.requirement == requirement), None)
                if spare is not None:
                    handed_on.remove(spare)
                endpoints[name] = self._own(planned, requirement, spare)
            for name, doing in planned.destructive.items():
                guard.demand(endpoints[name], doing)
        finally:
            with self._lock:
                self._starting.discard(planned.id)
                over = planned.id not in self._admitted
            if over:
                self._end(planned.id, renewed=[])
        return endpoints

    def _own(
        self, planned: ScenarioPlan, requirement: Requirement, spare: _Dedicated | None
    ) -> Endpoint:
        """A cluster for a scenario alone: the spare, if it is still as good as new."""
        if spare is not None:
            if self._as_good_as_new(spare, self._stack.unlike_new):
                self._say(f"{_told(spare)} is handed on to {planned.scenario.name!r}")
                return spare.endpoint
            with self._lock:
                self._dedicated[planned.id].remove(spare)
                self._throw_away([spare], "")
        endpoint = self._stack.start(requirement)
        with self._lock:
            self._dedicated.setdefault(planned.id, []).append(_Dedicated(requirement, endpoint))
            if planned.id not in self._admitted:
                raise _is_over(planned)  # its worker died meanwhile
        return endpoint

    # -- during a scenario ---------------------------------------------------
    def act(self, planned: ScenarioPlan, *, cluster: str, instance: str, action: Action) -> Any:
        """Break or heal an instance of the scenario's own cluster.

        Raises:
            Trouble: the cluster is shared with other scenarios.
        """
        own = self._owned(planned, cluster)
        if own is None:
            raise Trouble(
                f"{cluster} is shared with other scenarios and must not be broken",
                "the step does not declare that it needs a dedicated cluster",
                "put dedicated=True into the step's @needs",
            )
        own.traces = own.traces or action.traces
        return self._stack.act(cluster, instance, action)

    def death(self, planned: ScenarioPlan, *, cluster: str) -> str | None:
        """None while the scenario's own cluster runs as it should, else which instance died."""
        return self._stack.death(cluster) if self._owned(planned, cluster) else None

    def leaves_traces(self, planned: ScenarioPlan, *, cluster: str, what: str) -> None:
        """A scenario does something to a cluster that it must not be handed on after."""
        if (own := self._owned(planned, cluster)) is not None:
            own.traces = what

    def _owned(self, planned: ScenarioPlan, cluster: str) -> _Dedicated | None:
        with self._lock:
            owned = self._dedicated.get(planned.id, [])
            return next((own for own in owned if own.endpoint.cluster == cluster), None)

    def logs(self, planned: ScenarioPlan) -> tuple[Mapping[str, Path], Collection[str]]:
        """Log files of the instances that it uses, and the names of those started for it."""
        with self._lock:
            dedicated = self._dedicated.get(planned.id, [])
            own = {i for cluster in dedicated for i in cluster.endpoint.instances}
            new = {i for c in dedicated if not c.before for i in c.endpoint.instances}
        used = set(own)
        for requirement in planned.requirements.values():
            if not requirement.dedicated:
                with contextlib.suppress(Trouble, KeyError):  # it did not start
                    used |= set(self._stack.shared(requirement).instances)
        logs = self._stack.logs()
        return {name: path for name, path in logs.items() if name in used}, new

    def handed_on(self, planned: ScenarioPlan) -> str:
        """Which of its clusters other scenarios have had before, in words; empty: none."""
        with self._lock:
            used = [own for own in self._dedicated.get(planned.id, []) if own.before]
        return "; ".join(f"{_told(own)}, found as good as new" for own in used)

    # -- after a scenario ----------------------------------------------------
    def release(self, planned: ScenarioPlan, *, passed: bool = False) -> None:
        """The scenario is over: its own clusters are handed on or stopped, besides."""
        with self._lock:
            self._admitted.pop(planned.id, None)
            # If they are just being started, `provide` will find out and stop them.
            own = self._dedicated.get(planned.id, [])
            stop = bool(own) and planned.id not in self._starting
            if stop:
                self._stopping.add(planned.id)
                if planned.exclusive:
                    self._ending[planned.id] = planned
                renewed = self._to_be_renewed(own) if passed else []
                self._renewing += renewed
            elif planned.id not in self._starting:
                self._promised.pop(planned.id, None)
            self._throw_away(self._unwanted(), "nobody will ask for it any more")
        if stop:
            self._in_thread(partial(self._end, planned.id, renewed=renewed))
        self._freed()

    def _to_be_renewed(self, clusters: Iterable[_Dedicated]) -> list[_Dedicated]:
        """Those that somebody else may have, if they turn out to be as good as new."""
        found: list[_Dedicated] = []
        wanted = self._wanted()
        for cluster in clusters:
            rivals = [*self._spares, *self._renewing, *found]
            there = sum(rival.requirement == cluster.requirement for rival in rivals)
            if self._closed or wanted[cluster.requirement] <= there:
                continue
            if cluster.traces:
                name = cluster.endpoint.cluster
                self._say(f"{name} is thrown away without a look: {cluster.traces}")
            elif self._stack.renewable(cluster.requirement):
                found.append(cluster)
        return found

    def _wanted(self) -> Counter[Requirement]:
        """How many scenarios will still ask for what."""
        asking = (p for p in self._left() if p.id not in self._admitted)
        return Counter(requirement for p in asking for requirement in _dedicated(p))

    def _unwanted(self) -> list[_Dedicated]:
        """Spares that nobody will ask for any more."""
        found = []
        wanted = self._wanted() if self._spares else Counter()
        for spare in self._spares:
            wanted[spare.requirement] -= 1
            if wanted[spare.requirement] < 0:
                found.append(spare)
        return found

    def _throw_away(self, spares: Iterable[_Dedicated], why: str) -> None:
        """Stop what is nobody's, besides; until then nobody else gets the memory."""
        for spare in spares:
            name = spare.endpoint.cluster
            if why:
                self._say(f"{_told(spare)} is stopped: {why}")
            self._spares = [other for other in self._spares if other is not spare]
            self._promised[name] = self._memory_of(spare)
            self._dedicated[name] = [spare]
            self._stopping.add(name)
            self._in_thread(partial(self._end, name, renewed=[]))

    def _in_thread(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, daemon=True).start()

    def _end(self, key: str, *, renewed: Collection[_Dedicated]) -> None:
        """Keep those of these clusters that are as good as new, and stop the others.

        Args:
            key: of a scenario that is over, or a spare's name.
            renewed: those that are looked at.
        """
        with self._lock:
            self._stopping.add(key)
            clusters = self._dedicated.pop(key, [])
        try:
            for cluster in renewed:
                cluster.before += 1
                if self._as_good_as_new(cluster, self._stack.renew):
                    with self._lock:
                        if not self._closed:
                            self._spares.append(cluster)
                            clusters.remove(cluster)
            self._stop(clusters)
        except Exception:  # the end of the run will reap what resists
            log.exception("clusters of %s could not be stopped", key)
        finally:
            with self._lock:
                self._renewing = [c for c in self._renewing if c not in renewed]
                self._promised.pop(key, None)
                self._stopping.discard(key)
                self._ending.pop(key, None)
            self._freed()

    def _as_good_as_new(self, cluster: _Dedicated, look: Callable[[Endpoint], str | None]) -> bool:
        try:
            found = look(cluster.endpoint)
        except Exception as error:  # a client's of a server in whatever state: it is stopped
            log.exception("%s cannot be looked at", cluster.endpoint.cluster)
            found = f"{type(error).__name__}: {error}"
        if found is not None:
            self._say(f"{_told(cluster)} is not as good as new, and is thrown away: {found}")
        return found is None

    def _stop(self, clusters: Iterable[_Dedicated]) -> None:
        for cluster in clusters:
            try:
                with contextlib.suppress(KeyError):  # the whole stack is being stopped
                    self._stack.stop(cluster.endpoint)
            except Trouble as trouble:  # somebody else's, left broken
                self._failed(str(trouble))

    # -- at the end ----------------------------------------------------------
    def close(self) -> None:
        """Start nothing any more; all dedicated clusters begin to stop."""
        with self._lock:
            self._closed = True
            under_way = list(self._admitted.values())
        for planned in under_way:
            self.release(planned)

    def settle(self, within: float) -> None:
        """Wait until nothing is being started or stopped, and nothing of somebody's is healed."""
        try:
            poll(lambda: not self._ending, within=_HEALED_WITHIN, awaiting="servers to be healed")
            poll(
                lambda: not (self._starting or self._stopping),
                within=within,
                awaiting="clusters to start or stop",
            )
        except DeadlineExceeded as late:
            log.warning("%s", late)


def _in_the_way(one: ScenarioPlan, other: ScenarioPlan) -> bool:
    """Whether one of them uses what the other must have for itself."""
    return bool(one.exclusive & (other.exclusive | other.uses) or one.uses & other.exclusive)


def _dedicated(planned: ScenarioPlan) -> list[Requirement]:
    return [r for r in planned.requirements.values() if r.dedicated]


def _told(cluster: _Dedicated) -> str:
    return f"{cluster.endpoint.cluster} after {counted(cluster.before, 'scenario')}"


def _is_over(planned: ScenarioPlan) -> Trouble:
    return Trouble(f"the scenario {planned.scenario.name!r} is over already")
