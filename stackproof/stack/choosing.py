"""Which provider runs which service, and why."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stackproof.obtain import Cache
from stackproof.processes.run import Run
from stackproof.settings import Settings
from stackproof.stack.native import NativeProvider
from stackproof.stack.provider import Provider


class Providers:
    """The provider of each service in one run; call it with a service's name."""

    def __init__(self, run: Run, logs: Path, settings: Settings):
        self._settings = settings
        self._native = NativeProvider(run, logs, Cache(), time_factor=settings["run.time_factor"])

    def __call__(self, service: str) -> Provider:
        """The provider that runs ``service``."""
        return self._native

    def explain(self, services: Iterable[str]) -> list[str]:
        """One line for people: which provider, and why."""
        names = ", ".join(services)
        if not names:
            return []
        chosen = self._settings["stack.provider"]
        why = "chosen" if chosen != "auto" else "no container engine is used yet"
        return [f"{names}: native processes ({why})"]

    def summary(self, services: Iterable[str]) -> str:
        """The providers' names for the report."""
        return ", ".join(sorted({self(name).name for name in services})) or "none"
