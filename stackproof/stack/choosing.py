"""Which provider runs which service, and why."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stackproof.errors import NotSupported
from stackproof.obtain import Cache
from stackproof.processes.run import Run
from stackproof.settings import DEFAULT, Settings
from stackproof.stack.external import ExternalProvider
from stackproof.stack.native import NativeProvider
from stackproof.stack.provider import Provider

_TITLES = {"native": "native processes", "external": "external endpoints", "docker": "containers"}


class Providers:
    """The provider of each service in one run; call it with a service's name."""

    def __init__(self, run: Run, logs: Path, settings: Settings):
        self._settings = settings
        self._providers: dict[str, Provider] = {
            "native": NativeProvider(run, logs, Cache(), time_factor=settings["run.time_factor"]),
            "external": ExternalProvider(run, settings),
        }

    def __call__(self, service: str) -> Provider:
        """The provider that runs ``service``.

        Raises:
            NotSupported: it is not available here.
        """
        name, _ = self._choice(service)
        if name not in self._providers:
            raise NotSupported(f"the provider {name} is not there yet")
        return self._providers[name]

    def _choice(self, service: str) -> tuple[str, str]:
        """Name of the provider, and why this one."""
        asked, origin = self._settings.provider_of(service)
        if asked == "auto":
            return "native", "no container engine is used yet"
        return asked, "chosen" if origin == DEFAULT else f"chosen by {origin}"

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
