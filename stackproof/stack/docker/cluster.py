"""One cluster as a Compose project."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackproof.actions import (
    Action,
    ClearPeers,
    Crash,
    CutPeers,
    FillDisk,
    JoinPeers,
    LosePower,
    Pause,
    Resume,
    Signal,
    SlowPeers,
    Start,
    Stop,
)
from stackproof.errors import Trouble
from stackproof.polling import DeadlineExceeded
from stackproof.processes.process import ManagedProcess, describe_exit, file_end, told_end
from stackproof.processes.run import RUN_VARIABLE, Run
from stackproof.services.base import Service
from stackproof.services.nodes import Service as NodeService
from stackproof.services.where import SHARED_IN_CONTAINERS, InContainers
from stackproof.stack.docker import leftovers
from stackproof.stack.docker.compose import compose_environment
from stackproof.stack.docker.engine import Engine
from stackproof.stack.docker.logs import LOG_END_LINES, LogFollower
from stackproof.stack.docker.rendering import compose_text
from stackproof.stack.harm.docker import DockerMeans
from stackproof.stack.site import LocalSite, endpoint_of, form, given_up, wait_healthy

_SERVICE_LABEL = "com.docker.compose.service"
#: Containers are made and started within this; images are there before.
_MADE_WITHIN = 120.0
_STOPS_WITHIN = 30


class DockerCluster:
    """A cluster of containers. Safe to use from several threads.

    Args:
        images: name of the image to use, by the variable of the Compose file.
    """

    provider = "docker"

    def __init__(
        self,
        service: Service,
        site: LocalSite,
        run: Run,
        logs: Path,
        *,
        engine: Engine,
        compose: tuple[str, ...],
        images: Mapping[str, str],
    ):
        self._service = service
        self._site = site
        self._run = run
        self._engine = engine
        self._client = engine.client()
        self._compose = compose
        self._images = images
        self._project = leftovers.project_name(run, site.directory.name.replace(".", "-"))
        site.directory.mkdir(parents=True, exist_ok=True)
        self._composition = service.compose(site)
        instances = self._composition.instances
        self._log_files = {name: logs / f"{name}.log" for name in instances}
        self._containers: dict[str, str] = {}
        self._followers: dict[str, LogFollower] = {}
        self._down_on_purpose: set[str] = set()
        self._stopped_by_signal: set[str] = set()
        self._starter: ManagedProcess | None = None
        self._stopped = False
        self._lock = threading.Lock()
        self.endpoint = endpoint_of(service, site, self.provider, instances)
        self._means = DockerMeans(
            service, site, run, logs, composition=self._composition, client=self._client
        )

    # -- starting ------------------------------------------------------------
    def launch(self, time_factor: float) -> None:
        """Make and start the containers; does not wait for what runs in them.

        Raises:
            Trouble: Compose or the engine refuses.
        """
        self._means.start()
        printed = self._site.directory / "compose.log"
        command = [
            *self._compose, "--ansi", "never", "--progress", "plain",
            "-f", str(self._file()), "-p", self._project,
            "up", "--detach", "--no-build", "--remove-orphans", "--quiet-pull",
        ]  # fmt: skip
        with self._lock:
            if self._stopped:
                raise given_up(self._service)
            mark = leftovers.mark_starting(self._run, self._project)
            self._starter = ManagedProcess(
                f"Compose of {self._site.cluster}",
                command,
                log=printed,
                cwd=self._site.directory,
                env=self._variables(),
                run=self._run,
            )
        try:
            code = self._starter.wait(_MADE_WITHIN * time_factor)
        except DeadlineExceeded as late:
            raise self._refused(f"{late}\n{file_end(printed)}") from late
        if code >= 0:  # not killed: whatever it asked of the engine has been done
            mark.unlink(missing_ok=True)
        if self._stopped:
            raise given_up(self._service)
        if code != 0:
            raise self._refused(file_end(printed))
        self._find_containers()

    def _file(self) -> Path:
        """The Compose file of this cluster."""
        assert isinstance(self._service, NodeService)
        file = self._site.directory / "compose.yml"
        composition, preloaded = self._composition, self._means.preloaded()
        disks = composition.disks
        volumes: dict[str, list[str]] = {}
        for name, node in zip(composition.instances, composition.nodes, strict=True):
            if node.data:
                data = f"{disks[name]}:{node.data}" if name in disks else node.data
                volumes[node.name] = [*preloaded.volumes, data]
            if node.name in composition.shared:
                shared = f"{composition.shared[node.name]}:{SHARED_IN_CONTAINERS}:ro"
                volumes.setdefault(node.name, []).append(shared)
        text = compose_text(
            self._service,
            composition.nodes,
            InContainers(self._service, self._site.options, self._site),
            environment=preloaded.environment,
            volumes=volumes,
        )
        file.write_text(text, encoding="utf-8")
        return file

    def _variables(self) -> dict[str, str]:
        own = {
            **self._images,
            RUN_VARIABLE: self._run.id,
            "STACKPROOF_CPUS": str(min(2, os.cpu_count() or 1)),
            "STACKPROOF_PULL": "never",
            # The suite asks from outside; the engine's own checks need not compete with it.
            "STACKPROOF_HEALTH_INTERVAL": "30s",
        }
        return compose_environment(self._engine, own)

    def _refused(self, why: str) -> Trouble:
        title = self._service.title
        if "port is already allocated" in why or "address already in use" in why:
            return Trouble(
                f"{title} could not publish a port",
                f"Address already in use: {why}",
                "run again, or end what holds it (`docker ps`, `ss -ltnp`)",
            )
        if "address pool" in why:
            return Trouble(
                f"{title} got no network",
                why,
                "the engine has no address ranges left: `docker network prune` removes unused ones",
            )
        return Trouble(
            f"the containers of {title} could not be started",
            why,
            "the lines above are Compose's own; `stackproof doctor` checks engine and images",
        )

    def _find_containers(self) -> None:
        """Who is who; their logs are followed from here on."""
        by_service = {found["Labels"].get(_SERVICE_LABEL): found["Id"] for found in self._listed()}
        for name, service in self._composition.instances.items():
            if service not in by_service:
                raise Trouble(
                    f"{name} has no container",
                    f"the Compose file started {sorted(map(str, by_service))}, not {service!r}",
                    "this is a defect of the service's Compose file or of its `compose`",
                )
            self._containers[name] = by_service[service]
            follower = LogFollower(self._engine, by_service[service], self._log_files[name])
            self._followers[name] = follower
            follower.follow()

    def wait_healthy(self, within: float) -> None:
        """Repeat the service's health check until it succeeds.

        Raises:
            Trouble: an instance died, or the time is over; with the end of the log.
        """
        wait_healthy(
            self._service,
            self.endpoint,
            within,
            check=self._service.check,
            death=self.death,
            log_ends=lambda: {n: self._log_end(c) for n, c in self._containers.items()},
            stopped=lambda: self._stopped,
        )
        form(self._service, self.endpoint, within)

    # -- watching ------------------------------------------------------------
    def logs(self) -> Mapping[str, Path]:
        """The log file of each instance."""
        return self._log_files

    def memory(self) -> Mapping[str, int]:
        """MiB that each running instance uses now, by the engine's statistics."""
        import docker.errors
        import requests

        used = {}
        for name, container in dict(self._containers).items():
            with contextlib.suppress(docker.errors.DockerException, requests.RequestException):
                told = self._client.api.stats(container, stream=False, one_shot=True)
                if amount := told.get("memory_stats", {}).get("usage"):
                    used[name] = int(amount) >> 20
        return used

    def _listed(self) -> list[dict[str, Any]]:
        label = f"{leftovers.PROJECT_LABEL}={self._project}"
        return self._client.api.containers(all=True, filters={"label": label})

    def death(self) -> str | None:
        """None while all that should run do."""
        import docker.errors
        import requests.exceptions

        try:
            states = {found["Id"]: found["State"] for found in self._listed()}
            for name, container in self._containers.items():
                state = states.get(container, "removed")
                if name not in self._down_on_purpose and state not in ("running", "paused"):
                    return self._describe_death(name, container, state)
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            return f"the container engine does not answer any more: {error}"
        return self._means.death()

    def unhealed(self) -> str | None:
        """What is still broken: ended or paused containers, and what `Means` has done."""
        if (death := self.death()) is not None:
            return death
        states = {found["Id"]: found["State"] for found in self._listed()}
        for name, container in self._containers.items():
            if name in self._down_on_purpose or states.get(container) != "running":
                return f"{name} is {states.get(container, 'removed')}, and was not healed"
            if container in self._stopped_by_signal:
                return f"{name} is stopped in its tracks"
            if self._means.parted(container):
                return f"packets of {name} are dropped"
        return self._means.unhealed()

    def _describe_death(self, name: str, container: str, state: str) -> str | None:
        if state == "removed":
            return f"{name} is gone: its container was removed by somebody else"
        told = self._client.api.inspect_container(container)["State"]
        if told["Running"]:
            return None  # it was just being started
        how = describe_exit(told["ExitCode"])
        if told.get("OOMKilled"):
            how += ": it needed more memory than its container may have"
        return told_end(name, how, self._log_end(container))

    def _log_end(self, container: str) -> str:
        import docker.errors

        try:
            printed = self._client.api.logs(container, tail=LOG_END_LINES)
        except docker.errors.DockerException as error:
            return f"(no log: {error})"
        return printed.decode(errors="replace").rstrip() or "(it printed nothing)"

    # -- breaking and healing ------------------------------------------------
    def act(self, instance: str, action: Action) -> Any:
        """Break or heal one instance; see `stackproof.stack.provider.Cluster.act`.

        Raises:
            NotSupported: there is no such action.
            Trouble: the engine refuses.
        """
        import docker.errors
        import requests.exceptions

        container = self._containers[instance]
        api = self._client.api
        if isinstance(action, (Crash, Stop, LosePower, FillDisk)):
            self._down_on_purpose.add(instance)  # some servers end when their disk is full
        try:
            match action:
                case Crash() | LosePower():
                    if api.inspect_container(container)["State"]["Running"]:
                        api.kill(container, "SIGKILL")
                    api.wait(container, timeout=_STOPS_WITHIN)
                    if isinstance(action, LosePower):
                        return self._means.lose_power(container)
                case Stop():
                    api.stop(container, timeout=_STOPS_WITHIN)
                case Start():
                    if not api.inspect_container(container)["State"]["Running"]:
                        self._stopped_by_signal.discard(container)
                        api.start(container)
                        self._followers[instance].follow()
                    self._down_on_purpose.discard(instance)
                case Pause():
                    self._pause(container)
                case Resume():
                    if container in self._stopped_by_signal:
                        api.kill(container, "SIGCONT")
                        self._stopped_by_signal.discard(container)
                    elif api.inspect_container(container)["State"]["Paused"]:
                        api.unpause(container)  # one that crashed meanwhile is paused no more
                case Signal(name):
                    api.kill(container, name)
                case CutPeers(one_way):
                    self._means.part(instance, self._containers, one_way=one_way)
                case JoinPeers():
                    self._means.join(container)
                case SlowPeers() | ClearPeers():
                    self._means.keep_away(instance, self._containers, action)
                case _:
                    return self._means.act(instance, action)
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            raise Trouble(
                f"the container engine could not {action} {instance}",
                str(error),
                "`docker ps --all` shows the containers; `stackproof doctor` checks the engine",
            ) from error
        return None

    def _pause(self, container: str) -> None:
        import docker.errors

        try:
            self._client.api.pause(container)
        except docker.errors.APIError as error:
            # Version 1 of control groups gives up freezing a process with many busy threads.
            if "unable to freeze" not in str(error):
                raise
            self._client.api.kill(container, "SIGSTOP")
            self._stopped_by_signal.add(container)

    def stop(self) -> None:
        """Remove containers, network and data: everything here is ephemeral."""
        with self._lock:
            self._stopped = True
            starter = self._starter
        with contextlib.ExitStack() as all_of_them:  # one that resists must not save the others
            all_of_them.callback(self._client.close)
            all_of_them.callback(shutil.rmtree, self._site.directory, ignore_errors=True)
            all_of_them.callback(self._means.stop)
            all_of_them.callback(self._join_logs)
            all_of_them.callback(self._remove)
            if starter is not None and starter.alive():
                all_of_them.callback(starter.kill)

    def _remove(self) -> None:
        with contextlib.closing(self._engine.client()) as client:
            leftovers.remove(
                client, lambda labels: labels.get(leftovers.PROJECT_LABEL) == self._project
            )

    def _join_logs(self) -> None:
        for follower in self._followers.values():
            follower.join(within=5)
