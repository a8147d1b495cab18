"""The native provider: services as plain processes on loopback."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import psutil

from stackproof.actions import (
    Action,
    Crash,
    CutPeers,
    FillDisk,
    LosePower,
    Pause,
    Resume,
    Signal,
    Start,
    Stop,
)
from stackproof.errors import Trouble
from stackproof.masking import mask_command
from stackproof.obtain import Cache, Say
from stackproof.paths import demand_plain
from stackproof.processes.environment import server_environment
from stackproof.processes.process import ManagedProcess
from stackproof.processes.run import Run
from stackproof.services.base import Requirement, Service, resolve_options
from stackproof.services.nodes import Service as NodeService
from stackproof.stack.harm import means, volatile
from stackproof.stack.harm.native import NativeMeans
from stackproof.stack.site import (
    LocalSite,
    Starting,
    ask_node,
    endpoint_of,
    form,
    given_up,
    wait_healthy,
    with_new_ports,
)

#: After which it is no surprise that an instance is dead: some end when their disk is full.
_ENDS = (Crash, Stop, LosePower, FillDisk)


class NativeCluster:
    """A cluster of plain processes. Safe to use from several threads."""

    def __init__(
        self, service: Service, site: LocalSite, run: Run, logs: Path, *, dedicated: bool = False
    ):
        self._service = service
        self._site = site
        self._run = run
        self._specs = {spec.name: spec for spec in service.lay_out(site)}
        self._log_files = {name: logs / f"{name}.log" for name in self._specs}
        self._processes: dict[str, ManagedProcess] = {}
        self._down_on_purpose: set[str] = set()
        self._stopped = False
        self._lock = threading.Lock()
        self.endpoint = endpoint_of(service, site, NativeProvider.name, self._specs)
        self._means = NativeMeans(service, site, run, logs, specs=self._specs, dedicated=dedicated)

    def launch(self, within: float) -> None:
        """Start every process; waits for those that others wait for, up to ``within`` seconds.

        Raises:
            Trouble: a program cannot be started, or one that others wait for does not answer.
        """
        self._means.start()
        answering: set[str] = set()
        earlier_ones = {name: spec.after for name, spec in self._specs.items()}
        for name in TopologicalSorter(earlier_ones).static_order():
            for earlier in earlier_ones[name]:
                if earlier not in answering:
                    self._wait(within, partial(ask_node, self._service, name=earlier))
                    answering.add(earlier)
            self._launch(name)

    def _launch(self, name: str) -> None:
        spec = self._specs[name]
        with self._lock:
            if self._stopped:
                raise given_up(self._service)
            self._means.prepare(name)
            try:
                self._processes[name] = ManagedProcess(
                    name,
                    spec.argv,
                    log=self._log_files[name],
                    cwd=spec.cwd,
                    env=server_environment(spec.env),
                    alone=True,
                    run=self._run,
                    group=self._means.group(name),
                )
            except OSError as error:
                raise Trouble(
                    f"{name} cannot be started",
                    f"{spec.argv[0]}: {error.strerror or error}",
                    "`stackproof doctor` says what is missing",
                ) from error

    def logs(self) -> Mapping[str, Path]:
        """The log file of each instance."""
        return self._log_files

    def processes(self) -> Mapping[str, int]:
        """The process ID of each instance."""
        return {name: process.pid for name, process in dict(self._processes).items()}

    def memory(self) -> Mapping[str, int]:
        """MiB that each running instance uses now (resident, with its children)."""
        used = {}
        for name, process in dict(self._processes).items():
            with contextlib.suppress(psutil.Error):
                top = psutil.Process(process.pid)
                family = [top, *top.children(recursive=True)]
                used[name] = sum(member.memory_info().rss for member in family) >> 20
        return used

    def death(self) -> str | None:
        """None while all that should run do."""
        for name, process in dict(self._processes).items():
            if name not in self._down_on_purpose and (death := process.death()):
                return death
        return self._means.death()

    def unhealed(self) -> str | None:
        """What is still broken: ended or stopped processes, and what `Means` has done."""
        if (death := self.death()) is not None:
            return death
        for name, process in dict(self._processes).items():
            if name in self._down_on_purpose or not process.alive():
                return f"{name} was ended, and not started again"
            if _stopped(process.pid):
                return f"{name} is stopped in its tracks"
        return self._means.unhealed()

    def wait_healthy(self, within: float) -> None:
        """Repeat the service's health check until it succeeds.

        Raises:
            Trouble: an instance died, or the time is over; with the end of the log.
        """
        self._wait(within, self._service.check)
        form(self._service, self.endpoint, within)

    def _wait(self, within: float, check: Callable[..., None]) -> None:
        wait_healthy(
            self._service,
            self.endpoint,
            within,
            check=check,
            death=self.death,
            log_ends=lambda: {n: process.log_end() for n, process in self._processes.items()},
            stopped=lambda: self._stopped,
        )

    def stop(self) -> None:
        """Kill all instances and remove their data: everything here is ephemeral."""
        with self._lock:
            self._stopped = True
            processes = list(self._processes.values())
        with contextlib.ExitStack() as all_of_them:  # one that resists must not save the others
            all_of_them.callback(shutil.rmtree, self._site.directory, ignore_errors=True)
            all_of_them.callback(self._means.stop)
            for process in processes:
                all_of_them.callback(process.kill)

    def act(self, instance: str, action: Action) -> Any:
        """Break or heal one instance; see `stackproof.stack.provider.Cluster.act`.

        Raises:
            NotSupported: the operating system or this provider has no such action.
        """
        process = self._processes[instance]
        if isinstance(action, _ENDS):
            self._down_on_purpose.add(instance)
        match action:
            case Crash():
                process.kill()
            case Stop():
                process.terminate(30, by=signal.Signals[self._specs[instance].stop_signal])
            case Start():
                if not process.alive():
                    self._launch(instance)
                self._down_on_purpose.discard(instance)
            case Pause() if sys.platform != "win32":
                process.pause()
            case Resume() if sys.platform != "win32":
                process.resume()
            case Signal(name):
                process.send(signal.Signals[name])
            case LosePower():
                return self._means.lose_power(instance, process.kill)
            case CutPeers(one_way):
                self._means.part(instance, self.processes(), one_way=one_way)
            case _:
                return self._means.act(instance, action)
        return None


def _stopped(process_id: int) -> bool:
    """Whether a signal has stopped a process or one of its children."""
    with contextlib.suppress(psutil.Error):
        top = psutil.Process(process_id)
        family = [top, *top.children(recursive=True)]
        return any(member.status() == psutil.STATUS_STOPPED for member in family)
    return False


class NativeProvider:
    """Starts services as plain processes from the cache of obtained servers."""

    name = "native"

    def __init__(
        self, run: Run, logs: Path, cache: Cache, *, time_factor: float = 1.0,
        chosen: Callable[[Service], Service] = lambda service: service,
    ):  # fmt: skip
        """``chosen``: the service in the version, or with the program, that its settings say."""
        self._run = run
        self._logs = logs
        self._cache = cache
        self._time_factor = time_factor
        self._chosen = chosen
        self._starting: Starting[NativeCluster] = Starting()

    def obtain(self, service: Service, say: Say) -> None:
        """Obtain all artifacts of the service, in order."""
        kind = self._chosen(service)
        for artifact in kind.needed() if isinstance(kind, NodeService) else kind.artifacts():
            self._cache.ensure(artifact, say)

    def origin(self, service: Service) -> str:
        """The title of the first artifact, which is the server itself; one's own program."""
        service = self._chosen(service)
        if isinstance(service, NodeService) and service.command:
            return mask_command(service.command[:1])
        return ", ".join(artifact.title for artifact in service.artifacts()[:1])

    def obtain_for(self, service: Service, options: Mapping[str, Any], say: Say) -> None:
        """See `stackproof.stack.provider.Provider.obtain_for`."""
        kind = self._chosen(service)
        for artifact in kind.artifacts_with(options) if isinstance(kind, NodeService) else ():
            self._cache.ensure(artifact, say)
        means.obtain(options, self._cache, say, volatile.obtain)

    def start(self, service: Service, requirement: Requirement, cluster: str) -> NativeCluster:
        """Start a cluster; returns once it is healthy.

        Raises:
            Trouble: it did not become healthy; nothing of it is left running.
        """
        service = self._chosen(service)
        options = resolve_options(service, dict(requirement.options))
        return with_new_ports(
            lambda n: self._start_once(service, options, cluster, n, requirement.dedicated)
        )

    def _start_once(
        self,
        service: Service,
        options: Mapping[str, Any],
        cluster: str,
        attempt: int,
        dedicated: bool,
    ) -> NativeCluster:
        # Another directory each time: nothing of an earlier attempt can be in the way.
        directory = self._run.directory / (cluster if attempt == 1 else f"{cluster}.{attempt}")
        demand_plain(directory, service.title)
        site = LocalSite(cluster, directory, options, self._cache)
        running = self._starting.lay_out(
            directory,
            lambda: NativeCluster(service, site, self._run, self._logs, dedicated=dedicated),
        )
        within = service.start_within * self._time_factor
        return self._starting.bring_up(running, lambda: running.launch(within), within)

    def give_up(self) -> None:
        """End what is being obtained or started, and begin nothing more."""
        self._cache.give_up()
        self._starting.give_up()
