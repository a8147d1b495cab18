"""What a service is, independently of how its instances come to run."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from stackproof.access import OPEN, Access
from stackproof.errors import Trouble
from stackproof.obtain import Artifact, Cache

#: The provider of what the suite did not start.
EXTERNAL = "external"
#: As a role in `Endpoint.others`: what a node reads there may be changed while it runs.
DIRECTORY = "directory"


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
        addresses: by node, e.g. ``{"server": "127.0.0.1:23456"}``; of an endpoint that the suite
            did not start, also by node and role.
        options: what was chosen, e.g. ``{"brokers": 1}``.
        instances: names of its instances; of an endpoint that the suite did not start, of those
            that may be broken.
        access: how clients prove who they are; never written anywhere.
        destructive: whether destructive steps may touch it.
        prefix: what names begin with, those of checks too: rights may be granted on it alone.
        direct: the same addresses past the proxies through which clients are led; empty: there
            are none.
        others: what the suite's own servers have besides, by node and role, e.g.
            ``{"node-1 management": "127.0.0.1:23457"}``.
    """

    service: str
    cluster: str
    provider: str
    addresses: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    instances: Sequence[str] = ()
    access: Access = OPEN
    destructive: bool = True
    prefix: str = "stackproof"
    direct: Mapping[str, str] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether the suite has started it."""
        return bool(self.instances) and self.provider != EXTERNAL

    def past_proxies(self) -> Endpoint:
        """The servers themselves, whatever is broken on the way of clients to them."""
        return replace(self, addresses=self.direct, direct={}) if self.direct else self

    others: Mapping[str, str] = field(default_factory=dict)

    def at(self, node: str, role: str = "client") -> str:
        """Where a node listens in a role, ``host:port``."""
        if role == "client":
            return self.addresses[node]
        return {**self.addresses, **self.others}[f"{node} {role}"]

    def directory(self, node: str) -> Path | None:
        """Where files lie that a node reads while it runs; None: nobody has named it."""
        found = {**self.addresses, **self.others}.get(f"{node} {DIRECTORY}")
        return Path(found) if found else None

    def check_name(self) -> str:
        """A name for what a check makes, its own each time."""
        return f"{self.prefix}-check-{secrets.token_hex(16)}"


@dataclass(frozen=True)
class ConnectionSetting:
    """One setting of an endpoint that the suite did not start.

    Attributes:
        key: in ``[services.NAME]``.
        variables: environment variables that override it; the first that is set counts.
        help: for people.
        secret: may only stand in the environment or in a file of its own; is never shown.
        is_file: a path, relative to the file that it stands in.
    """

    key: str
    variables: tuple[str, ...]
    help: str
    secret: bool = False
    is_file: bool = False


@dataclass(frozen=True)
class Leftover:
    """Something that a run created on an endpoint.

    Attributes:
        kind: what it is in its field, e.g. "topic", "queue".
        name: its full name, see `stackproof.names`.
        in_use: somebody uses it right now, e.g. a group with members.
    """

    kind: str
    name: str
    in_use: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@runtime_checkable
class Clearable(Protocol):
    """A service that finds and removes what runs created on an endpoint; by name alone."""

    def leftovers(self, endpoint: Endpoint, prefix: str) -> Sequence[Leftover]:
        """Everything whose name begins with ``prefix``, in the order in which it can be removed.

        Raises:
            Trouble: it cannot be asked.
        """

    def remove(self, endpoint: Endpoint, leftovers: Sequence[Leftover]) -> None:
        """Remove these; what is gone already is as good as removed.

        Raises:
            Trouble: something is left; everything else was removed.
        """


@runtime_checkable
class Renewable(Protocol):
    """A service whose clusters can be made as good as new: the next scenario may have them."""

    def clear(self, endpoint: Endpoint) -> None:
        """Remove everything that anybody has made on a cluster of the suite's own.

        Raises:
            Trouble: something cannot be removed, or somebody still uses it.
        """

    def unlike_new(self, endpoint: Endpoint, *, timeout: float) -> str | None:
        """Ask each server itself, past clients and proxies, what tells it from a new one.

        Args:
            timeout: seconds for each question.

        Returns:
            What was found first, in words; None: it is as good as new.
        """


@runtime_checkable
class Explaining(Protocol):
    """A service that finds out why an endpoint does not answer."""

    def why_unreachable(self, endpoint: Endpoint, *, timeout: float) -> Trouble | None:
        """What is wrong, if it is something definite: not worth waiting for it to pass.

        Args:
            timeout: seconds for each of its few steps.
        """


@runtime_checkable
class Versioned(Protocol):
    """A service whose servers tell what they are."""

    def version(self, endpoint: Endpoint) -> str:
        """Name and version in the server's own words, or as near as it can be told.

        Raises:
            Exception: whatever its client makes of a server that does not answer.
        """


@dataclass(frozen=True)
class ProcessSpec:
    """One instance as a plain process.

    Attributes:
        data: where it keeps what must last, if anywhere.
        after: instances that must answer before it starts.
        stop_signal: name of the signal that ends it in order.
    """

    name: str
    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    data: Path | None = None
    after: Sequence[str] = ()
    stop_signal: str = "SIGTERM"


@dataclass(frozen=True)
class Image:
    """A container image of a service.

    Attributes:
        variable: environment variable that names another one; the Compose file's name for it.
        official: what the service's makers publish, e.g. ``apache/kafka:4.3.1``.
        local: what ``make images`` builds for places without an image registry; empty: nothing.
    """

    variable: str
    official: str
    local: str = ""

    def of(self, version: str) -> Image:
        """The official one with another tag."""
        return Image(self.variable, f"{self.official.rpartition(':')[0]}:{version}")


@dataclass(frozen=True)
class Composition:
    """A cluster as a Compose project.

    Attributes:
        instances: name of the Compose service of each instance, by the instance's name. An
            instance's name becomes its container's name, behind the run's ID.
        nodes: `stackproof.services.where.Node` of each.
        data: where an instance keeps what must last, within its container.
        disks: directories that are mounted at ``data``, by instance, where disks are small.
        shared: directories that a node reads while it runs, by node.
    """

    instances: Mapping[str, str]
    nodes: Sequence[Any]
    data: str = ""
    disks: Mapping[str, Path] = field(default_factory=dict)
    shared: Mapping[str, Path] = field(default_factory=dict)


class Site(Protocol):
    """What a service may ask for while it lays out its processes."""

    cluster: str
    directory: Path
    options: Mapping[str, Any]
    cache: Cache

    def port(self, role: str, chosen: int = 0) -> int:
        """The loopback port of ``role``, the same at each call; a free one unless ``chosen``."""


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

    def images(self) -> Sequence[Image]:
        """What the docker provider must obtain."""

    def compose(self, site: Site) -> Composition:
        """The same cluster in containers.

        ``site.port(role)`` is a port of this machine, to be published on loopback. Files that
        containers need are written below ``site.directory`` and mounted; a container's user
        is not this one, so that it must be allowed to read them (see `readable`).
        """

    def addresses(self, site: Site) -> dict[str, str]:
        """How clients reach the cluster laid out or composed on ``site``."""

    def connection_settings(self) -> Sequence[ConnectionSetting]:
        """Settings that say where an external endpoint is, besides those of `access_from`."""

    def connect(self, texts: Mapping[str, str], access: Access) -> tuple[dict[str, str], Access]:
        """Addresses and access of an external endpoint, from its settings by key.

        Raises:
            Trouble: a setting is missing or cannot be understood.
        """

    def check(self, endpoint: Endpoint, *, timeout: float) -> None:
        """Do a real operation; raise one of `unready` while it is not ready yet."""

    @property
    def unready(self) -> tuple[type[BaseException], ...]:
        """Exceptions of `check` that mean "not yet"."""

    def ready_line(self, endpoint: Endpoint) -> str:
        """How a person reaches it, for the display."""

    def variables(self, endpoint: Endpoint) -> dict[str, str]:
        """Environment variables by which a run uses it as an external endpoint."""


def readable(file: Path, text: str) -> Path:
    """Write a file, with its directory, that containers with users of their own can read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.parent.chmod(0o755)  # whatever the umask says; the run's directory above is private
    file.write_text(text, encoding="utf-8")
    file.chmod(0o644)
    return file


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
