"""What clusters on this machine have in common, whichever provider runs them."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Generic, Protocol, TypeGuard, TypeVar

import psutil

from stackproof.errors import Trouble
from stackproof.obtain import Cache
from stackproof.polling import DeadlineExceeded, Died, poll
from stackproof.ports import claim, free_port
from stackproof.services import nodes
from stackproof.services.base import Endpoint, Service
from stackproof.stack.harm import disks

T = TypeVar("T")

# Another program can take a port between its choice and its use.
_PORT_CLASH = (
    "Address already in use",
    "BindException",
    "port is already allocated",
    "eaddrinuse",
)
_ATTEMPTS = 3
# One health check; more each time, so that a slow machine does not miss every one.
_FIRST_CHECK, _LONGEST_CHECK, _CHECK_GROWTH = 0.5, 5.0, 1.1
# Where so many processes want each processor, a start is given so many times its time.
_BUSY, _LONGER = 3.0, 4


class LocalSite:
    """Where one cluster is laid out; see `stackproof.services.base.Site`."""

    def __init__(self, cluster: str, directory: Path, options: Mapping[str, Any], cache: Cache):
        self.cluster = cluster
        self.directory = directory
        self.options = options
        self.cache = cache
        self._ports: dict[str, int] = {}

    def port(self, role: str, chosen: int = 0) -> int:
        """The loopback port of ``role``, settled at the first call."""
        if role not in self._ports:
            self._ports[role] = claim(chosen) if chosen else free_port()
        return self._ports[role]


def endpoint_of(
    service: Service, site: LocalSite, provider: str, instances: Iterable[str]
) -> Endpoint:
    """How the cluster on ``site`` is reached."""
    return Endpoint(
        service=service.name,
        cluster=site.cluster,
        provider=provider,
        addresses=service.addresses(site),
        options=dict(site.options),
        instances=tuple(instances),
        direct=service.direct(site) if _proxied(service, site) else {},
        others=service.others(site) if isinstance(service, nodes.Service) else {},
    )


def _proxied(service: Service, site: LocalSite) -> TypeGuard[nodes.Service]:
    return isinstance(service, nodes.Service) and bool(site.options["proxied"])


def given_up(service: Service) -> Trouble:
    """The run ends while a cluster is being started."""
    return Trouble(f"the start of {service.title} was given up", "the run is ending")


def with_new_ports(start: Callable[[int], T]) -> T:
    """Call ``start`` with the number of the attempt, again while ports clash."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return start(attempt)
        except Trouble as trouble:
            clash = any(sign.lower() in str(trouble).lower() for sign in _PORT_CLASH)
            if not clash or attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def ask_node(service: Service, endpoint: Endpoint, *, name: str, timeout: float) -> None:
    """Ask one instance; raises one of the service's `unready` while it does not answer."""
    assert isinstance(service, nodes.Service)  # no other has nodes that wait for each other
    service.answers(endpoint, name, timeout=timeout)


def form(service: Service, endpoint: Endpoint, within: float) -> None:
    """Make one cluster of nodes that answer, where the service has to.

    Raises:
        Trouble: it did not come about in ``within`` seconds.
    """
    if isinstance(service, nodes.Service):
        service.form(endpoint, within=within)


def wait_healthy(
    service: Service,
    endpoint: Endpoint,
    within: float,
    *,
    check: Callable[..., None],
    death: Callable[[], str | None],
    log_ends: Callable[[], Mapping[str, str]],
    stopped: Callable[[], bool],
) -> None:
    """Repeat the service's health check until it succeeds.

    Args:
        check: takes the endpoint and ``timeout``; raises while it does not succeed.
        within: seconds; several times as long where others keep the machine busy.
        death: None while all that should run do.
        log_ends: the end of each instance's log.
        stopped: whether the run has given it up meanwhile.

    Raises:
        Trouble: an instance died, or the time is over; with the end of the log.
    """
    title = service.title
    timeout = _FIRST_CHECK / _CHECK_GROWTH

    def attempt() -> None:
        nonlocal timeout
        timeout = min(timeout * _CHECK_GROWTH, _LONGEST_CHECK)
        check(endpoint, timeout=timeout)

    def answers(seconds: float) -> None:
        poll(
            attempt,
            until=lambda _: True,
            within=seconds,
            awaiting=f"{title} to answer",
            retry_on=service.unready,
            alive=death,
            first_pause=0.05,
            longest_pause=1.0,
        )

    busy = ""
    try:
        try:
            answers(within)
        except DeadlineExceeded:
            if not (busy := _busy()) or stopped():
                raise
            answers(within * (_LONGER - 1))
        # Its ports may have been another's: then that one has answered.
        if death_after := death():
            raise Died(f"{title} answered, but {death_after}")
    except Died as died:
        if stopped():
            raise given_up(service) from died
        raise Trouble(
            f"{title} died while it was starting",
            str(died),
            "the log's end above usually names the cause",
        ) from died
    except DeadlineExceeded as late:
        if stopped():
            raise given_up(service) from late
        logs = "\n".join(f"{name}'s log ends:\n{end}" for name, end in log_ends().items())
        raise Trouble(
            f"{title} was not ready within {within:g} s",
            "\n".join(
                filter(None, [busy and f"{busy}: it got {within * _LONGER:g} s", f"{late}", logs])
            ),
            "give it more time (STACKPROOF_TIME_FACTOR) or mend what its log names",
        ) from late


def _busy() -> str:
    """What keeps the machine from starting anything in the usual time; empty: nothing does."""
    waiting, processors = psutil.getloadavg()[0], os.cpu_count() or 1
    if waiting < _BUSY * processors:
        return ""
    return f"the machine is busy ({waiting:.0f} processes want its {processors} processors)"


class Startable(Protocol):
    """A cluster that a provider of this machine has laid out."""

    def wait_healthy(self, within: float) -> None:
        """Wait until it answers; raise when it does not."""

    def stop(self) -> None:
        """End what was started and remove it."""


Started = TypeVar("Started", bound=Startable)


class Starting(Generic[Started]):
    """The clusters that a provider is just starting, so that they can be given up."""

    def __init__(self) -> None:
        self._clusters: set[Started] = set()
        self._given_up = False
        self._lock = threading.Lock()

    def lay_out(self, directory: Path, make: Callable[[], Started]) -> Started:
        """Make a cluster in its directory; nothing of that is left when it fails."""
        try:
            return make()
        except BaseException:
            disks.unmount_below(directory)
            shutil.rmtree(directory, ignore_errors=True)
            raise

    def bring_up(self, cluster: Started, launch: Callable[[], None], within: float) -> Started:
        """Launch a cluster and wait ``within`` seconds until it is healthy.

        Raises:
            Trouble: it did not become healthy; it is stopped.
        """
        with self._lock:
            if self._given_up:
                cluster.stop()
            self._clusters.add(cluster)
        try:
            launch()
            cluster.wait_healthy(within)
        except BaseException:
            cluster.stop()
            raise
        finally:
            with self._lock:
                self._clusters.discard(cluster)
        return cluster

    def give_up(self) -> None:
        """Stop what is being started; what is made from now on is stopped before its launch."""
        with self._lock:
            self._given_up = True
            clusters = list(self._clusters)
        for cluster in clusters:
            cluster.stop()
