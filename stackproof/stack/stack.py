"""All running services of one run, started side by side."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, TypeVar

from stackproof.actions import Action
from stackproof.errors import NotSupported, Trouble
from stackproof.obtain import Say
from stackproof.polling import DeadlineExceeded, poll
from stackproof.processes.run import Run
from stackproof.services import service
from stackproof.services.base import (
    EXTERNAL,
    Endpoint,
    Renewable,
    Requirement,
    Service,
    Versioned,
    resolve_options,
)
from stackproof.stack.provider import Cluster, Provider

log = logging.getLogger(__name__)

#: Seconds for a server to say what it has, and for what was removed to be gone.
_LOOKS_WITHIN = 5.0
_RENEWED_WITHIN = 5.0

Item = TypeVar("Item", bound=Hashable)
Result = TypeVar("Result")


class Stack:
    """Starts, hands out and stops clusters. Safe to use from several threads.

    Args:
        run: the run it belongs to; its state file lists the endpoints.
        provider_of: the provider for a service's name.
        say: receives lines of progress.
    """

    def __init__(self, run: Run, provider_of: Callable[[str], Provider], say: Say):
        self._run = run
        self._provider_of = provider_of
        self._say = say
        self._clusters: dict[str, Cluster] = {}
        self._shared: dict[Requirement, Endpoint] = {}
        self._not_supported: dict[Requirement, NotSupported] = {}
        self._versions: dict[str, str] = {}
        self._providers: list[Provider] = []
        self._ending = False
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._counter = 0

    def obtain(self, services: Iterable[str]) -> None:
        """Get everything that the named services need, side by side.

        Raises:
            Trouble: the first that could not be obtained; the others go on until `stop_all`.
        """
        _side_by_side(
            lambda name: self._provider(name).obtain(service(name), self._say),
            sorted(set(services)),
        )

    def obtain_for(self, requirement: Requirement) -> None:
        """Get what such clusters need besides, and what breaks them.

        Raises:
            Trouble: something that they need could not be obtained.
        """
        name, options = requirement.service, dict(requirement.options)
        self._provider(name).obtain_for(service(name), options, self._say)

    def start_shared(self, requirements: Iterable[Requirement]) -> None:
        """Start one cluster for each distinct requirement, side by side.

        What the provider cannot do is told to the scenarios that ask for it, by `shared`; the
        others run.

        Raises:
            Trouble: the first that could not be started; the others go on until `stop_all`.
        """
        _side_by_side(self.share, sorted(set(requirements), key=str))

    def share(self, requirement: Requirement) -> Endpoint | None:
        """Start one cluster that scenarios share; `shared` knows its endpoint from then on.

        Returns:
            None: the provider cannot have such a one, which `shared` tells.

        Raises:
            Trouble: it could not be started.
        """
        try:
            endpoint = self.start(requirement)
        except NotSupported as refusal:
            self._not_supported[requirement] = refusal
            return None
        self._shared[requirement] = endpoint
        with self._writing:
            self._run.write_state(endpoints=self.describe())
        return endpoint

    def start(self, requirement: Requirement) -> Endpoint:
        """Start one cluster and return its endpoint once it is healthy.

        Raises:
            Trouble: it could not be started, or the run is ending.
        """
        the_service = service(requirement.service)
        provider = self._provider(requirement.service)
        with self._lock:
            self._counter += 1
            name = f"{requirement.service}-{self._counter}"
        cluster = provider.start(the_service, requirement, name)
        with self._lock:
            if not self._ending:
                self._clusters[name] = cluster
                self._learn_version(the_service, cluster.endpoint)
                return cluster.endpoint
        cluster.stop()
        raise Trouble(f"{the_service.title} was not started", "the run is ending")

    def _learn_version(self, the_service: Service, endpoint: Endpoint) -> None:
        """Besides, so that nobody waits for it."""

        if not isinstance(the_service, Versioned) or the_service.name in self._versions:
            return
        tell = the_service.version

        def ask() -> None:
            try:
                version = tell(endpoint)
            except Exception as error:  # it may be forbidden, or broken on purpose meanwhile
                log.info("%s does not tell its version: %r", endpoint.cluster, error)
            else:
                self._versions[the_service.name] = version

        threading.Thread(target=ask, daemon=True).start()

    def version(self, service_name: str) -> str:
        """What runs: as it was packed, and as the server said."""
        the_service = service(service_name)
        origin = self._provider_of(service_name).origin(the_service)
        told = [origin if origin != the_service.title else "", self._versions.get(service_name)]
        return "; ".join(filter(None, told)) or "not told"

    def _provider(self, service_name: str) -> Provider:
        """The provider of a service, remembered for `stop_all`."""
        provider = self._provider_of(service_name)
        with self._lock:
            if self._ending:
                raise Trouble(f"{service_name} was not started", "the run is ending")
            if provider not in self._providers:
                self._providers.append(provider)
        return provider

    def shared(self, requirement: Requirement) -> Endpoint:
        """The endpoint of a shared cluster.

        Raises:
            NotSupported: the provider cannot have such a one.
        """
        if requirement in self._not_supported:
            refusal = self._not_supported[requirement]
            raise NotSupported(refusal.what, refusal.why, refusal.remedy)
        return self._shared[requirement]

    def provider_name(self, service_name: str) -> str:
        """Name of the provider that runs a service."""
        return self._provider_of(service_name).name

    def memory_mb(self, requirement: Requirement) -> int:
        """Memory that a cluster of this kind needs, in MiB; of somebody's none is ours to find."""
        if self._is_somebodys(requirement):
            return 0
        the_service = service(requirement.service)
        return the_service.memory_mb(resolve_options(the_service, dict(requirement.options)))

    def renewable(self, requirement: Requirement) -> bool:
        """Whether a cluster of this kind can be made as good as new."""
        kind = service(requirement.service)
        return isinstance(kind, Renewable) and not self._is_somebodys(requirement)

    def _is_somebodys(self, requirement: Requirement) -> bool:
        return self.provider_name(requirement.service) == EXTERNAL

    def renew(self, endpoint: Endpoint) -> str | None:
        """Make a cluster that the suite has started as good as new, and look at it.

        Returns:
            Why it is not; None: it is.
        """
        the_service = service(endpoint.service)
        assert isinstance(the_service, Renewable)
        try:
            if (broken := self._unhealed(endpoint)) is not None:
                return broken
            the_service.clear(endpoint)
            poll(
                lambda: self.unlike_new(endpoint),
                until=lambda found: found is None,
                within=_RENEWED_WITHIN,
                awaiting="the cluster to be as good as new",
            )
        except DeadlineExceeded as late:
            return str(late.seen)
        except Trouble as trouble:
            return f"{trouble.what}: {trouble.why}" if trouble.why else trouble.what
        return None

    def unlike_new(self, endpoint: Endpoint) -> str | None:
        """What tells a cluster from a new one, found by looking at it; None: nothing does."""
        the_service = service(endpoint.service)
        assert isinstance(the_service, Renewable)
        if (broken := self._unhealed(endpoint)) is not None:
            return broken
        if (found := the_service.unlike_new(endpoint, timeout=_LOOKS_WITHIN)) is not None:
            return found
        try:  # as a new one is checked
            the_service.check(endpoint, timeout=_LOOKS_WITHIN)
        except the_service.unready as error:
            return f"it does not serve clients: {error}"
        return None

    def _unhealed(self, endpoint: Endpoint) -> str | None:
        with self._lock:
            running = self._clusters.get(endpoint.cluster)
        return running.unhealed() if running is not None else "it is being stopped"

    def stop(self, endpoint: Endpoint) -> None:
        """Stop one cluster and forget it."""
        with self._lock:
            cluster = self._clusters.pop(endpoint.cluster)
        cluster.stop()

    def stop_all(self) -> None:
        """Stop every cluster, side by side, and give up what is still being started."""
        with self._lock:
            self._ending = True
            clusters, self._clusters = list(self._clusters.values()), {}
            providers = list(self._providers)
        ends = [*(p.give_up for p in providers), *(c.stop for c in clusters)]
        if ends:
            with ThreadPoolExecutor(len(ends)) as pool:
                list(pool.map(lambda end: end(), ends))

    def act(self, cluster: str, instance: str, action: Action) -> Any:
        """Break or heal one instance; see `Cluster.act`.

        Raises:
            Trouble: there is no such cluster or instance.
        """
        with self._lock:
            running = self._clusters.get(cluster)
        if running is None or instance not in running.endpoint.instances:
            raise Trouble(f"this run has no instance {instance!r} of cluster {cluster!r}")
        return running.act(instance, action)

    def death(self, cluster: str) -> str | None:
        """None while all instances of a cluster run that should, else which died and how."""
        with self._lock:
            running = self._clusters.get(cluster)
        return running.death() if running is not None else f"{cluster} is stopped"

    def logs(self) -> Mapping[str, Path]:
        """The log file of every running instance, by instance name."""
        with self._lock:
            return {name: path for c in self._clusters.values() for name, path in c.logs().items()}

    def memory(self) -> Mapping[str, int]:
        """MiB that each running instance uses now."""
        with self._lock:
            clusters = list(self._clusters.values())
        return {name: amount for c in clusters for name, amount in c.memory().items()}

    def deaths(self) -> list[str]:
        """How instances died that nobody broke on purpose."""
        with self._lock:
            found = [cluster.death() for cluster in self._clusters.values()]
        return [death for death in found if death]

    def describe(self) -> dict[str, dict]:
        """Endpoints as plain data, for the run's state file."""
        with self._lock:
            return {
                name: {
                    "service": cluster.endpoint.service,
                    "provider": cluster.endpoint.provider,
                    "addresses": dict(cluster.endpoint.addresses),
                    "reach": service(cluster.endpoint.service).ready_line(cluster.endpoint),
                }
                for name, cluster in self._clusters.items()
            }

    def variables(self) -> dict[str, str]:
        """Environment variables by which another run uses these clusters as its endpoints."""
        with self._lock:
            found: dict[str, str] = {}
            for cluster in self._clusters.values():
                found |= service(cluster.endpoint.service).variables(cluster.endpoint)
            return found


def _side_by_side(function: Callable[[Item], Result], items: Iterable[Item]) -> dict[Item, Result]:
    """The result of ``function`` for each item, computed in threads; raises the first error.

    An error, and an interruption of this thread, end the waiting at once.
    """
    listed = list(items)
    if not listed:
        return {}
    pool = ThreadPoolExecutor(len(listed))
    try:
        futures = {item: pool.submit(function, item) for item in listed}
        done, _ = wait(futures.values(), return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
        return {item: future.result() for item, future in futures.items()}
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
