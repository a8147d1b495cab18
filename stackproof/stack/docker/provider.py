"""Services as containers of this machine's engine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stackproof.errors import Trouble
from stackproof.obtain import Cache, Say
from stackproof.paths import demand_plain
from stackproof.processes.run import Run
from stackproof.services.base import Image, Requirement, Service, resolve_options
from stackproof.services.nodes import Service as NodeService
from stackproof.stack.docker import leftovers
from stackproof.stack.docker.cluster import DockerCluster
from stackproof.stack.docker.compose import find_compose
from stackproof.stack.docker.engine import Engine, find_engine
from stackproof.stack.docker.images import Images, wanted_name
from stackproof.stack.harm import means, power
from stackproof.stack.site import LocalSite, Starting, with_new_ports


class DockerProvider:
    """Starts services by their Compose files."""

    name = DockerCluster.provider

    def __init__(
        self, run: Run, logs: Path, cache: Cache, *, time_factor: float = 1.0,
        chosen: Callable[[Service], Service] = lambda service: service,
    ):  # fmt: skip
        """``chosen``: the service in the version that its settings say."""
        self._run = run
        self._logs = logs
        self._cache = cache
        self._time_factor = time_factor
        self._chosen = chosen
        self._found: tuple[Engine, tuple[str, ...], Images] | None = None
        self._starting: Starting[DockerCluster] = Starting()
        self._lock = threading.Lock()

    def _find(self) -> tuple[Engine, tuple[str, ...], Images]:
        """Engine, Compose and images, looked for at the first call.

        Raises:
            Trouble: one of them cannot be used.
        """
        with self._lock:
            if self._found is None:
                engine = find_engine()
                compose, _ = find_compose()
                leftovers.register(self._run, engine)
                self._found = engine, compose, Images(engine)
            return self._found

    def unusable(self, service: Service) -> str | None:
        """Why containers of a service cannot be had here; None: they can."""
        try:
            images = self._find()[2]
            for image in self._chosen(service).images():
                wanted = wanted_name(image)
                if images.at_hand(image) is None and (refusal := images.refusal(wanted)):
                    return f"{wanted} is not present and cannot be pulled: {refusal}"
        except Trouble as trouble:
            return trouble.what
        return None

    def engine(self) -> str:
        """The engine and its version, for people."""
        return f"Docker engine {self._find()[0].version}"

    def obtain(self, service: Service, say: Say) -> None:
        """Pull the service's images unless they are there."""
        images = self._find()[2]
        for image in self._chosen(service).images():
            images.obtain(image, service.title, say)

    def origin(self, service: Service) -> str:
        """The images' names."""
        images = self._find()[2]
        return ", ".join(images.chosen(image) for image in self._chosen(service).images())

    def obtain_for(self, service: Service, options: Mapping[str, Any], say: Say) -> None:
        """See `stackproof.stack.provider.Provider.obtain_for`."""
        for image in _images_of(self._chosen(service), options):
            self._find()[2].obtain(image, service.title, say)
        means.obtain(options, self._cache, say, power.library)

    def start(self, service: Service, requirement: Requirement, cluster: str) -> DockerCluster:
        """Start a cluster; returns once it is healthy.

        Raises:
            Trouble: it did not become healthy; nothing of it is left.
        """
        service = self._chosen(service)
        options = resolve_options(service, dict(requirement.options))
        return with_new_ports(lambda n: self._start_once(service, options, cluster, n))

    def _start_once(
        self, service: Service, options: Mapping[str, Any], cluster: str, attempt: int
    ) -> DockerCluster:
        engine, compose, images = self._find()
        # Another directory and project each time: no earlier attempt can be in the way.
        directory = self._run.directory / (cluster if attempt == 1 else f"{cluster}.{attempt}")
        demand_plain(directory, f"{service.title} in containers", ":")  # between folders mounted
        site = LocalSite(cluster, directory, options, self._cache)
        running = self._starting.lay_out(
            directory,
            lambda: DockerCluster(
                service,
                site,
                self._run,
                self._logs,
                engine=engine,
                compose=compose,
                images={i.variable: images.chosen(i) for i in _images_of(service, options)},
            ),
        )
        return self._starting.bring_up(
            running,
            lambda: running.launch(self._time_factor),
            service.start_within * self._time_factor,
        )

    def give_up(self) -> None:
        """End what is being obtained or started, and begin nothing more."""
        self._cache.give_up()
        with self._lock:
            found = self._found
        if found is not None:
            found[2].give_up()
        self._starting.give_up()


def _images_of(service: Service, options: Mapping[str, Any]) -> Sequence[Image]:
    return service.images_with(options) if isinstance(service, NodeService) else service.images()
