"""What every way of running services offers, and the choice among them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from stackproof.actions import Action
from stackproof.obtain import Say
from stackproof.services.base import Endpoint, Requirement, Service


class Cluster(Protocol):
    """A running cluster of one service."""

    endpoint: Endpoint

    def logs(self) -> Mapping[str, Path]:
        """The log file of each instance."""

    def memory(self) -> Mapping[str, int]:
        """MiB that each running instance uses now, as far as it can be seen."""

    def death(self) -> str | None:
        """None while all instances that should run do, else which died and how."""

    def unhealed(self) -> str | None:
        """What is still broken of what `act` can break, as it is found now; None: nothing is."""

    def stop(self) -> None:
        """End all instances and remove their data."""

    def act(self, instance: str, action: Action) -> Any:
        """Break or heal one instance; the figures of what was done, where it has any.

        Args:
            instance: its name.
            action: what is done.

        Raises:
            NotSupported: this provider, this machine or this cluster cannot do it.
        """


class Provider(Protocol):
    """A way to run services."""

    name: str

    def obtain(self, service: Service, say: Say) -> None:
        """Get what the service needs onto this machine."""

    def origin(self, service: Service) -> str:
        """The package or image that the service runs from; empty: it is not the suite's."""

    def obtain_for(self, service: Service, options: Mapping[str, Any], say: Say) -> None:
        """Get what clusters with these options need besides, and what breaks them.

        Of what breaks them, what cannot be had is told when it is used.
        """

    def start(self, service: Service, requirement: Requirement, cluster: str) -> Cluster:
        """Start a cluster and return once it is healthy."""

    def give_up(self) -> None:
        """End what is being obtained or started, and begin nothing more: the run is ending."""
