"""Which provider runs which service, and why."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from stackproof.errors import Trouble
from stackproof.obtain import Cache
from stackproof.processes.run import Run
from stackproof.services import service as service_called
from stackproof.services.base import Service
from stackproof.services.nodes import Service as NodeService
from stackproof.settings import DEFAULT, Settings
from stackproof.stack.external import ExternalProvider
from stackproof.stack.native import NativeProvider
from stackproof.stack.provider import Provider

if TYPE_CHECKING:
    from stackproof.stack.docker.provider import DockerProvider

_TITLES = {"native": "native processes", "external": "external endpoints", "docker": "containers"}


class Providers:
    """The provider of each service in one run; call it with a service's name.

    Attributes:
        cache: what they obtain lies there.
    """

    def __init__(self, run: Run, logs: Path, settings: Settings):
        self._run, self._logs, self._settings = run, logs, settings
        self._factor = settings["run.time_factor"]
        cache = self.cache = Cache()
        self._providers: dict[str, Provider] = {
            "native": NativeProvider(
                run, logs, cache, time_factor=self._factor, chosen=self._chosen
            ),
            "external": ExternalProvider(run, settings),
        }
        self._choices: dict[str, tuple[str, str]] = {}

    def __call__(self, service: str) -> Provider:
        """The provider that runs ``service``."""
        chosen, _ = self._choice(service)
        return self._docker if chosen == "docker" else self._providers[chosen]

    @cached_property
    def _docker(self) -> DockerProvider:
        # Not loaded where it is not asked.
        from stackproof.stack.docker.provider import DockerProvider

        return DockerProvider(
            self._run, self._logs, self.cache, time_factor=self._factor, chosen=self._chosen
        )

    def _chosen(self, service: Service) -> Service:
        return chosen(service, self._settings)

    def _choice(self, service: str) -> tuple[str, str]:
        """Name of the provider, and why this one; the same one throughout the run."""
        if service not in self._choices:
            self._choices[service] = self._choose(service)
        return self._choices[service]

    def _choose(self, service: str) -> tuple[str, str]:
        asked, origin = self._settings.provider_of(service)
        if self._settings.service(service).command:
            said = self._settings.service(service).origins["command"]
            if asked == "docker":
                raise Trouble(
                    f"{service} cannot run by a command of its own in containers",
                    f"the command stands in {said}, the provider docker is chosen by {origin}",
                    "name an image instead, or run it natively (STACK=native)",
                )
            if asked == "auto":
                return "native", f"by the command in {said}"
        if asked != "auto":
            return asked, "chosen" if origin == DEFAULT else f"chosen by {origin}"
        unusable = self._docker.unusable(service_called(service))
        if unusable is None:
            return "docker", f"{self._docker.engine()} answers"
        return "native", unusable

    def explain(self, services: Iterable[str]) -> list[str]:
        """One line for people for each provider: which services, and why."""
        chosen: dict[tuple[str, str], list[str]] = {}
        for service in services:
            chosen.setdefault(self._choice(service), []).append(service)
        return [
            f"{', '.join(names)}: {_TITLES[provider]} ({why})"
            for (provider, why), names in chosen.items()
        ]

    def summary(self, services: Iterable[str]) -> str:
        """The providers' names for the report."""
        return ", ".join(sorted({self(name).name for name in services})) or "none"


def chosen(service: Service, settings: Settings) -> Service:
    """The service in the version, or with the program, that its settings say."""
    own = settings.service(service.name)
    if not isinstance(service, NodeService) or not (own.version or own.command):
        return service
    return service.chosen(own.version, own.command)
