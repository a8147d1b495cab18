"""What every way of running services offers, and the choice among them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from stackproof.obtain import Say
from stackproof.services.base import Endpoint, Requirement, Service


class Cluster(Protocol):
    """A running cluster of one service."""

    endpoint: Endpoint

    def logs(self) -> Mapping[str, Path]:
        """The log file of each instance."""

    def death(self) -> str | None:
        """None while all instances that should run do, else which died and how."""

    def stop(self) -> None:
        """End all instances and remove their data."""

    def act(self, instance: str, action: str, **details: Any) -> Any:
        """Break or heal one instance: crash, stop, start, pause, resume."""


class Provider(Protocol):
    """A way to run services."""

    name: str

    def obtain(self, service: Service, say: Say) -> None:
        """Get what the service needs onto this machine."""

    def start(self, service: Service, requirement: Requirement, cluster: str) -> Cluster:
        """Start a cluster and return once it is healthy."""

    def give_up(self) -> None:
        """End what is being obtained or started, and begin nothing more: the run is ending."""
