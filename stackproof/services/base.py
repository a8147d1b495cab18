"""What a service is, independently of how its instances come to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from stackproof.errors import Trouble
from stackproof.obtain import Artifact, Cache


@dataclass(frozen=True)
class Requirement:
    """One cluster of a service that a scenario needs.

    Attributes:
        service: the service's name.
        options: what the service lets one choose, e.g. ``brokers``; sorted pairs.
        dedicated: for this scenario alone, because it will be broken.
    """

    service: str
    options: tuple[tuple[str, Any], ...] = ()
    dedicated: bool = False

    def __str__(self) -> str:
        chosen = ", ".join(f"{name}={value}" for name, value in self.options)
        return f"{self.service}{f' ({chosen})' if chosen else ''}"


@dataclass(frozen=True)
class Endpoint:
    """How to reach a running cluster. Plain data: it crosses process boundaries.

    Attributes:
        service: the service's name.
        cluster: name of the cluster within the run.
        provider: which provider runs it.
        addresses: by role, e.g. ``{"bootstrap": "127.0.0.1:23456"}``.
        options: what was chosen, e.g. ``{"brokers": 1}``.
        instances: names of its instances.
    """

    service: str
    cluster: str
    provider: str
    addresses: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    instances: Sequence[str] = ()


@dataclass(frozen=True)
class ProcessSpec:
    """One instance as a plain process."""

    name: str
    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)


class Site(Protocol):
    """What a service may ask for while it lays out its processes."""

    cluster: str
    directory: Path
    options: Mapping[str, Any]
    cache: Cache

    def port(self, role: str) -> int:
        """The loopback port of ``role``; the same one for the same role."""


class Service(Protocol):
    """A kind of server."""

    name: str
    title: str
    #: Seconds from start to healthy before the start counts as failed.
    start_within: float

    def default_options(self) -> dict[str, Any]:
        """Options and their defaults; what is not in here is refused."""

    def memory_mb(self, options: Mapping[str, Any]) -> int:
        """Memory that a cluster with these options needs, in MiB."""

    def artifacts(self) -> Sequence[Artifact]:
        """What the native provider must obtain, in this order."""

    def lay_out(self, site: Site) -> list[ProcessSpec]:
        """Write the configuration below ``site.directory``; the processes to start."""

    def addresses(self, site: Site) -> dict[str, str]:
        """How clients reach the cluster laid out on ``site``."""

    def check(self, endpoint: Endpoint, *, timeout: float) -> None:
        """Do a real operation; raise one of `unready` while it is not ready yet."""

    @property
    def unready(self) -> tuple[type[BaseException], ...]:
        """Exceptions of `check` that mean "not yet"."""

    def ready_line(self, endpoint: Endpoint) -> str:
        """How a person reaches it, for the display."""


def resolve_options(service: Service, given: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults overlaid with ``given``.

    Raises:
        Trouble: an option that the service does not know.
    """
    options = service.default_options()
    unknown = sorted(set(given) - set(options))
    if unknown:
        raise Trouble(
            f"{service.title} has no option {unknown[0]!r}",
            f"it knows: {', '.join(sorted(options))}",
            "correct the step's @needs or the [services] section of stackproof.toml",
        )
    return {**options, **given}
