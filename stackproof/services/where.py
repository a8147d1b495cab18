"""Where nodes run, and what of them depends on it: processes, containers, or nowhere at all."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from stackproof.errors import NotSupported, Trouble
from stackproof.obtain import Artifact, DebianArtifact
from stackproof.obtain.debian import library_path
from stackproof.paths import find_program
from stackproof.ports import LOOPBACK
from stackproof.processes import namespaces
from stackproof.services.base import Image, Site, readable
from stackproof.urls import host_and_port

#: Where containers find the files of their node.
FILES_IN_CONTAINERS = "/etc/stackproof"
#: Where they find its `Node.shared`.
SHARED_IN_CONTAINERS = "/etc/stackproof-shared"
#: Names the library that records what a container makes durable, where power is to be lost, and
#: the file that it writes; see `stackproof.stack.harm.power`.
PRELOAD, JOURNAL = "STACKPROOF_PRELOAD", "STACKPROOF_SYNCS"
#: Options of every service; all but the first make a cluster that can be broken.
OF_EVERY_SERVICE: Mapping[str, Any] = {
    "port": 0,  # of the first node, for clients; 0: a free one
    "proxied": False,  # clients reach nodes through proxies
    "proxied_peers": False,  # the way from its peers to a node can be made slow
    "disk_mb": 0,  # each node's disk has so many MiB; 0: as many as there are
    "syncs": False,  # what nodes make durable is recorded, so that power can be lost
}

#: Stands for the ``$`` of a variable, where any other one is meant literally.
VARIABLE = "\0"
_START = "start-node.sh"
#: What lies there counts as durable, and what is done before the start as well. A container's
#: server is recorded by a library; the disk of a process sees its syncs.
_RECORDING = """\
if [ -n "$STACKPROOF_SYNCS" ]; then
  find {data} -type f -exec stat -c '%i %s' {{}} + > "$STACKPROOF_SYNCS"
  export LD_PRELOAD="$STACKPROOF_PRELOAD"
elif [ -d {data} ]; then
  find {data} \\( -type f -o -type d \\) -exec sync {{}} +
fi
"""


class Where(Protocol):
    """Where a node runs; hides the provider from services."""

    options: Mapping[str, Any]
    #: Known to the nodes of this cluster alone.
    secret: str
    #: Nobody is there but the nodes: in a Compose file that works alone. Nothing forms them.
    alone: bool

    def program(self, name: str) -> str:
        """How a program of the service is called."""

    def obtained(self, artifact: Artifact) -> Path | None:
        """Where an artifact lies on this machine; None: the image has what is needed of it."""

    def listen(self, node: str, role: str = "client") -> tuple[str, int]:
        """Address and port to listen on; an address of ``*`` is every one of a container."""

    def peer(self, node: str, role: str = "client") -> tuple[str, int]:
        """Host and port by which other nodes reach ``node``."""

    def advertised(self, node: str, role: str = "client") -> tuple[str, int]:
        """Host and port by which clients reach ``node``."""

    def file(self, node: str, name: str) -> str:
        """Path of one of the node's `Node.files`, as the node sees it."""

    def shared(self, node: str) -> str:
        """Path of the directory of `Node.shared`, as the node sees it."""

    def data(self, node: str, in_container: str) -> str:
        """Path of what the node keeps, as it sees it; ``in_container``: the image's volume."""


@dataclass(frozen=True)
class Node:
    """One server of a cluster.

    Attributes:
        name: unique within the cluster, e.g. "replica-1".
        argv: program and arguments; for programs of the service see `Where.program`.
        image: of its container, where it is not the service's.
        before: a shell script that comes before each start of ``argv``, e.g. to format storage.
        roles: of `Service.ports`, on which it listens for clients; published by containers.
        files: texts by name, for its user alone; see `Where.file`.
        shared: texts by name that lie in its `Where.shared` at first; others on this machine
            change what is there while it runs. None: it has no such directory.
        links: what a process finds in its directory by another path.
        env: variables.
        data: what `Where.data` gave, if it keeps anything that must last.
        in_memory: directories that lie in memory in its container; they do not last.
        user: whom it runs as in containers; "": the image's own.
        refuses_root: it must be another user as a process of this machine, too.
        isolated: it listens on `Service.ports` whatever it is told, and on all addresses: as a
            process it has a network of its own, and `roles` alone are led there from loopback.
        on_published: it listens on the ports that are published in its container, too: clients
            are told of it by other nodes, and must find it there.
        after: nodes that must answer before this one starts.
        memory_mb: what it may take, in MiB.
        health: a command that succeeds in its container when it answers.
        stop_signal: name of the signal that ends it in order, with clients connected.
    """

    name: str
    argv: Sequence[str]
    image: Image | None = None
    before: str = ""
    roles: Sequence[str] = ("client",)
    files: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, str] | None = None
    links: Mapping[str, Path] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    data: str = ""
    in_memory: Sequence[str] = ()
    user: str = ""
    refuses_root: bool = False
    isolated: bool = False
    on_published: bool = False
    after: Sequence[str] = ()
    memory_mb: int = 64
    health: Sequence[str] = ()
    stop_signal: str = "SIGTERM"


class Kind(Protocol):
    """What a place must know of the service whose nodes it takes; see `nodes.Service`."""

    name: str
    title: str
    programs: tuple[str, ...]
    ports: Mapping[str, int]
    command: tuple[str, ...]
    files_suffice: bool
    on_host: bool

    @property
    def server(self) -> Artifact:
        """What the native provider obtains."""


class Variable(int):
    """A port that people can choose by a variable when they start a Compose file that works alone.

    As text it is what `rendering` makes the variable of.
    """

    name: str

    @classmethod
    def of(cls, name: str, default: int) -> Variable:
        """A variable with its default."""
        made = cls(default)
        made.name = name
        return made

    def __str__(self) -> str:
        return f"{VARIABLE}{{{self.name}:-{int(self)}}}"


class OnThisMachine:
    """Nodes as processes of this machine, on loopback."""

    alone = False

    def __init__(self, service: Kind, site: Site):
        self.options = site.options
        self.root = site.cache.path(service.server)
        self.secret = secrets.token_hex(16)
        self._service = service
        self._site = site

    @property
    def variables(self) -> dict[str, str]:
        """What processes need to find programs and libraries; one's own finds its own."""
        if self._service.command and self._service.files_suffice:
            return {}
        debian = isinstance(self._service.server, DebianArtifact)
        return {"PATH": self.path, **(library_path(self.root) if debian else {})}

    @property
    def path(self) -> str:
        """Where programs of the service are found before those of the machine."""
        own = [str(self.root / place) for place in self._service.programs]
        return ":".join([*own, "/usr/local/bin", "/usr/bin", "/bin"])

    def directory(self, node: str) -> Path:
        """The node's directory."""
        return self._site.directory / self._site.cluster / node

    def program(self, name: str) -> str:
        """Its path below the unpacked root; a program of the machine by its name."""
        places = (self.root / place / name for place in self._service.programs)
        return next((str(place) for place in places if place.exists()), name)

    def obtained(self, artifact: Artifact) -> Path:
        """In the cache."""
        return self._site.cache.path(artifact)

    def listen(self, node: str, role: str = "client") -> tuple[str, int]:
        """A free port of loopback, the same at each call."""
        return LOOPBACK, self._site.port(f"{node} {role}")

    def advertised(self, node: str, role: str = "client") -> tuple[str, int]:
        """The same port, or that of a proxy."""
        return LOOPBACK, _for_clients(self._site, node, role)

    def peer(self, node: str, role: str = "client") -> tuple[str, int]:
        """The same port, or that of a proxy."""
        proxied = self.options.get("proxied_peers")
        return LOOPBACK, self._site.port(f"{node} {role}{' for peers' if proxied else ''}")

    def file(self, node: str, name: str) -> str:
        """In the node's directory."""
        return str(self.directory(node) / name)

    def shared(self, node: str) -> str:
        """Beside the directories of nodes."""
        return str(shared_directory(self._site, node))

    def data(self, node: str, in_container: str) -> str:
        """Beside its files."""
        return str(self.directory(node) / "data")


class InContainers:
    """Nodes as containers of one network, published on loopback.

    Args:
        service: whose nodes they are.
        options: of the cluster.
        site: where its ports are settled; None: the usual ones, for a file that works alone.
    """

    secret = "stackproof"  # their network is theirs alone

    def __init__(self, service: Kind, options: Mapping[str, Any], site: Site | None):
        self.options = options
        self.alone = site is None
        self._service = service
        self._site = site
        self._numbers: dict[str, int] = {}

    def published(self, node: str, role: str) -> int:
        """The port of this machine that leads to a node."""
        if self._site is not None:
            return self._site.port(f"{node} {role}")
        usual = self._service.ports[role] + self._numbers.setdefault(node, len(self._numbers))
        variable = f"{self._service.name}_{node}_{role}".upper().replace("-", "_")
        return Variable.of(variable, usual)

    def program(self, name: str) -> str:
        """By its name: the image knows where it is."""
        return name

    def obtained(self, artifact: Artifact) -> None:
        """The image has it."""

    def listen(self, node: str, role: str = "client") -> tuple[str, int]:
        """Every address of the container, the usual port; on this machine's network, loopback."""
        if self._service.on_host:
            return LOOPBACK, self.published(node, role)
        return "*", self._service.ports[role]

    def peer(self, node: str, role: str = "client") -> tuple[str, int]:
        """Containers of one network know each other by name."""
        return node, self._service.ports[role]

    def advertised(self, node: str, role: str = "client") -> tuple[str, int]:
        """The port of this machine that is published, or that of a proxy."""
        if self._site is None:
            return LOOPBACK, self.published(node, role)
        return LOOPBACK, _for_clients(self._site, node, role)

    def file(self, node: str, name: str) -> str:
        """Put there by Compose."""
        return f"{FILES_IN_CONTAINERS}/{name}"

    def shared(self, node: str) -> str:
        """Mounted there."""
        return SHARED_IN_CONTAINERS

    def data(self, node: str, in_container: str) -> str:
        """The image's volume."""
        return in_container


class Sketch:
    """Nodes that will never run: how many they are, and what they take."""

    secret = ""
    alone = False

    def __init__(self, options: Mapping[str, Any]):
        self.options = options

    def program(self, name: str) -> str:
        """Its name."""
        return name

    def obtained(self, artifact: Artifact) -> None:
        """Nothing was."""

    def listen(self, node: str, role: str = "client") -> tuple[str, int]:
        """Nowhere."""
        return LOOPBACK, 0

    peer = advertised = listen

    def file(self, node: str, name: str) -> str:
        """Its name."""
        return name

    def shared(self, node: str) -> str:
        """Nowhere."""
        return ""

    def data(self, node: str, in_container: str) -> str:
        """The image's volume."""
        return in_container


def shared_directory(site: Site, node: str) -> Path:
    """Where this machine keeps the directory of `Node.shared`."""
    return site.directory / "shared" / node


def share(site: Site, nodes: Sequence[Node]) -> dict[str, Path]:
    """Make those directories, readable for whoever a node is; their places, by node."""
    places = {}
    for node in nodes:
        if node.shared is not None:
            places[node.name] = place = shared_directory(site, node.name)
            place.mkdir(parents=True)
            place.chmod(0o755)
            for name, text in node.shared.items():
                readable(place / name, text)
    return places


def _for_clients(site: Site, node: str, role: str) -> int:
    """The port of this machine by which clients come; proxies are for the role "client"."""
    proxied = site.options["proxied"] and role == "client"
    return site.port(f"{node} {role}{' for clients' if proxied else ''}")


def memory_mb(node: Node, options: Mapping[str, Any]) -> int:
    """What a node takes, in MiB, its small disk included: that lies in memory."""
    return node.memory_mb + (options["disk_mb"] if node.data else 0)


@dataclass(frozen=True)
class _Field:
    """A placeholder; what stands behind its colon is looked up."""

    text: Callable[[str], object]

    def __format__(self, key: str) -> str:
        return str(self.text(key))


def with_command(service: Kind, node: Node, where: Where) -> Node:
    """A node as a program of one's own, which is told where it is to be.

    Raises:
        Trouble: a placeholder stands for nothing.
    """
    if not service.command:
        return node

    def file(name: str) -> str:
        if name not in node.files:
            raise KeyError(f"file:{name}")
        return where.file(node.name, name)

    def port(role: str) -> int:
        if role and role not in service.ports:
            raise KeyError(f"port:{role}")
        return where.listen(node.name, role or "client")[1]

    fields = {
        "node": _Field(lambda _: node.name),
        "host": _Field(lambda _: where.listen(node.name)[0]),
        "port": _Field(port),
        "data": _Field(lambda _: node.data),
        "file": _Field(file),
        "directory": _Field(lambda _: where.shared(node.name)),
    }
    try:
        argv = [word.format(**fields) for word in service.command]
    except (KeyError, IndexError, ValueError) as error:
        known = ["{node}", "{host}", "{port}", *(f"{{port:{r}}}" for r in service.ports),
                 "{data}", *(f"{{file:{name}}}" for name in node.files),
                 *(["{directory}"] if node.shared is not None else [])]  # fmt: skip
        raise Trouble(
            f"the command of {service.title} cannot be used: unknown is {error}",
            f"{service.title} tells its nodes: {', '.join(known)}",
            f"correct `command` in [services.{service.name}] of stackproof.toml; double braces "
            "stand for themselves",
        ) from error
    # Libraries of the package are for its own programs, which come before.
    alone = () if service.files_suffice else ("env", "-u", "LD_LIBRARY_PATH")
    return replace(node, argv=[*alone, *argv])


def with_start(node: Node, where: Where) -> Node:
    """A node whose command begins with what comes before it, in a script of its own."""
    node = replace(node, memory_mb=memory_mb(node, where.options))
    records = where.options["syncs"] and node.data
    if not node.before and not records:
        return node
    script = f"set -e\n{node.before}"
    if records:
        script += _RECORDING.format(data=shlex.quote(node.data))
    return replace(
        node,
        argv=["sh", where.file(node.name, _START), *node.argv],
        files={**node.files, _START: script + 'exec "$@"\n'},
    )


def apart(service: Kind, node: Node, where: Where) -> list[str]:
    """What stands before a command that must have a network of its own.

    Raises:
        NotSupported: this machine does not permit it.
    """
    if not node.isolated:
        return []
    if reason := namespaces.refused():
        raise NotSupported(
            f"{service.title} cannot be started here",
            f"it listens on all addresses, so it needs a network namespace of its own: {reason}",
            "run as root or permit user namespaces, or take containers (STACK=docker) or an "
            "endpoint",
        )
    pairs = ((where.listen(node.name, role), service.ports[role]) for role in node.roles)
    forwards = [f"{host_and_port(*own)}={port}" for own, port in pairs]
    return [*namespaces.COMMAND, *forwards, "--"]


def as_other_user(service: Kind, node: Node) -> list[str]:
    """What stands before a command that must not run as root.

    A user namespace in which this user has another number: files of the run and the cache,
    below a home directory that others cannot enter, stay within reach.

    Raises:
        NotSupported: this machine cannot do it.
    """
    if not node.refuses_root or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return []
    unshare = find_program("unshare")
    if unshare is None:
        raise NotSupported(
            f"{service.title} cannot be started here",
            "it refuses to run as root, and `unshare` (util-linux) is not on the PATH",
            "run as another user, in containers (STACK=docker), or on an endpoint",
        )
    return [str(unshare), "--user", "--map-user=65534", "--map-group=65534", "--"]
