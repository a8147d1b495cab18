"""A service as its nodes: what runs, on which ports, with which files; providers do the rest.

A service says once what each of its nodes is. The native provider makes processes of that, the
docker provider containers, and `stackproof.stack.docker.rendering` a Compose file that works
alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import closing
from copy import copy
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from stackproof.access import OPEN, Access
from stackproof.errors import NotSupported, Passing, Trouble, explained
from stackproof.obtain import Artifact, InVersions
from stackproof.paths import demand_plain
from stackproof.ports import LOOPBACK
from stackproof.services.base import (
    DIRECTORY,
    Composition,
    ConnectionSetting,
    Endpoint,
    Image,
    ProcessSpec,
    Site,
)
from stackproof.services.location import Location
from stackproof.services.probe import Probe
from stackproof.services.reaching import look_through, unencrypted
from stackproof.services.where import (
    OF_EVERY_SERVICE,
    InContainers,
    Node,
    OnThisMachine,
    Sketch,
    Where,
    apart,
    as_other_user,
    memory_mb,
    share,
    shared_directory,
    with_command,
    with_start,
)
from stackproof.services.writer import Writer
from stackproof.urls import host_and_port, split_host_and_port


class Service(ABC):
    """A kind of server, as its nodes.

    Attributes:
        name: what `@needs` calls it.
        title: name for people.
        start_within: seconds from start to healthy before the start counts as failed.
        server: what the native provider obtains.
        programs: directories of its programs below the unpacked root.
        image: for containers.
        ports: the usual port, by role: what containers listen on.
        peer_roles: by which nodes reach each other.
        options: what one can choose besides `OF_EVERY_SERVICE`, with defaults.
        location: how an endpoint of it is named.
        unfit: characters with which it does not cope in the name of its folder.
        hello: a client's first bytes, to which a server says something.
        untold: kinds of faults whose effect or promise nobody can tell of it (of one node: "cut
            one way of primary"; "power loss in containers"), and why.
        version_chosen: that a person has chosen; empty: the suite's.
        command: a program of a person's own with its arguments; empty: the suite's.
        files_suffice: such a program needs nothing of the suite's package.
        on_host: its containers are in this machine's network, for they must reach what listens
            on loopback: systems under test, ports of other services.
        compose_files: options of clusters that have a Compose file besides the usual one, by its
            name.
    """

    name: str
    title: str
    start_within: float = 30.0
    server: Artifact
    programs: tuple[str, ...] = ("usr/bin",)
    image: Image
    ports: Mapping[str, int]
    peer_roles: tuple[str, ...] = ("client",)
    options: Mapping[str, Any] = {}
    location: Location
    unfit: str = ""
    hello: bytes
    untold: Mapping[str, str] = {}
    version_chosen: str = ""
    command: tuple[str, ...] = ()
    files_suffice: bool = False
    on_host: bool = False
    compose_files: Mapping[str, Mapping[str, Any]] = {}

    # -- what each service says ------------------------------------------------
    @abstractmethod
    def nodes(self, where: Where) -> list[Node]:
        """The servers of a cluster with ``where.options``; the first is the one for clients."""

    def form(self, endpoint: Endpoint, *, within: float) -> None:  # noqa: B027 -- most need none
        """Make one cluster of nodes that answer: join, replicate, create.

        Raises:
            Trouble: it did not come about in ``within`` seconds.
        """

    @abstractmethod
    def probe(self, endpoint: Endpoint, *, timeout: float) -> Probe:
        """A client of the probe's own; ``timeout``: seconds for each of its operations."""

    def writer(self, endpoint: Endpoint, name: str, *, timeout: float) -> Writer:
        """A client that writes under a name of its own; ``timeout``: seconds for each write.

        Raises:
            NotSupported: nobody has said how.
        """
        raise NotSupported(
            f"nobody has said how to write to {self.title} while it is broken",
            "its service has no writer", "see stackproof/services/writer.py",
        )  # fmt: skip

    @property
    @abstractmethod
    def unready(self) -> tuple[type[BaseException], ...]:
        """Exceptions of the probe that mean "not yet"."""

    # -- what follows from that ------------------------------------------------
    def default_options(self) -> dict[str, Any]:
        """Options and their defaults; what is not in here is refused."""
        return {**OF_EVERY_SERVICE, **self.options}

    def memory_mb(self, options: Mapping[str, Any]) -> int:
        """Memory that a cluster with these options needs, in MiB; small disks lie in it."""
        return sum(memory_mb(node, options) for node in self.nodes(Sketch(options)))

    def made(self, where: Where) -> list[Node]:
        """The nodes as they are started: with what comes before, and what records syncs.

        Raises:
            NotSupported: a disk is to be broken, and nothing is kept on one.
        """
        nodes, options = self.nodes(where), where.options
        if (options["disk_mb"] or options["syncs"]) and not any(node.data for node in nodes):
            raise NotSupported(f"{self.title} keeps nothing on a disk that could be broken")
        return [with_start(with_command(self, node, where), where) for node in nodes]

    def artifacts(self) -> Sequence[Artifact]:
        """What the native provider must obtain, in this order."""
        return (self.server,)

    def artifacts_with(self, options: Mapping[str, Any]) -> Sequence[Artifact]:
        """What clusters with these options need beside `artifacts`."""
        return ()

    def images_with(self, options: Mapping[str, Any]) -> Sequence[Image]:
        """The images of such clusters; nothing but `images` in most services."""
        return self.images()

    def needed(self) -> Sequence[Artifact]:
        """Those of them without which the program that is to run cannot be started."""
        return () if self.command and self.files_suffice else self.artifacts()

    def chosen(self, version: str = "", command: Sequence[str] = ()) -> Self:
        """The same service in another version, or with a program of one's own.

        Raises:
            Trouble: there can be no such version, or a placeholder stands for nothing.
        """
        other = copy(self)
        if version:
            other.version_chosen = version
            other.take(version)
        if command:
            other.command = tuple(command)
            other.made(Sketch(other.default_options()))
        return other

    def take(self, version: str) -> None:
        """Have another version of the package, and of the official image.

        Raises:
            Trouble: there can be no such version.
        """
        if not isinstance(self.server, InVersions):
            raise Trouble(
                f"{self.title} cannot be had in another version",
                "nobody has said how it is obtained then",
                "take a program of your own (`command`), or an endpoint",
            )
        self.server = self.server.of(version)
        self.image = self.image.of(version)

    def images(self) -> Sequence[Image]:
        """What the docker provider must obtain."""
        return (self.image,)

    def lay_out(self, site: Site) -> list[ProcessSpec]:
        """Write the files of each node; the processes to start."""
        self._settle_port(site)
        where = OnThisMachine(self, site)
        nodes = self.made(where)
        share(site, nodes)
        specs = []
        for node in nodes:
            place = where.directory(node.name)
            demand_plain(place, self.title, self.unfit)
            place.mkdir(parents=True)
            for name, text in node.files.items():
                (place / name).touch(mode=0o600)
                (place / name).write_text(text, encoding="utf-8")
            for name, target in node.links.items():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                (place / name).symlink_to(target)
            argv = [*apart(self, node, where), *as_other_user(self, node), *node.argv]
            env = {**where.variables, **node.env}
            data = Path(node.data) if node.data else None
            if data is not None:
                data.mkdir()
            after = [instance(site.cluster, name) for name in node.after]
            specs.append(
                ProcessSpec(
                    instance(site.cluster, node.name),
                    argv,
                    place,
                    env,
                    data,
                    after,
                    node.stop_signal,
                )
            )
        return specs

    def _settle_port(self, site: Site) -> None:
        first = self.nodes(Sketch(site.options))[0]
        site.port(f"{first.name} client", site.options["port"])

    def compose(self, site: Site) -> Composition:
        """The same cluster in containers."""
        self._settle_port(site)
        nodes = self.made(InContainers(self, site.options, site))
        instances = {instance(site.cluster, node.name): node.name for node in nodes}
        small = instances if site.options["disk_mb"] else {}
        return Composition(
            instances=instances,
            nodes=nodes,
            data=nodes[0].data,
            disks={name: site.directory / f"disk-{node}" for name, node in small.items()},
            shared=share(site, nodes),
        )

    def addresses(self, site: Site) -> dict[str, str]:
        """Address of each node, by its name; of its proxy, where clients come by one."""
        where = InContainers(self, site.options, site)
        suffix = self.location.suffix(self.location.default_path)
        return {
            node.name: host_and_port(*where.advertised(node.name)) + suffix
            for node in self.nodes(where)
        }

    def others(self, site: Site) -> dict[str, str]:
        """See `stackproof.services.base.Endpoint`."""
        where = InContainers(self, site.options, site)
        nodes = self.nodes(where)
        ports = {
            f"{node.name} {role}": host_and_port(*where.advertised(node.name, role))
            for node in nodes
            for role in node.roles
            if role != "client"
        }
        shared = {
            f"{node.name} {DIRECTORY}": str(shared_directory(site, node.name))
            for node in nodes
            if node.shared is not None
        }
        return ports | shared

    def direct(self, site: Site) -> dict[str, str]:
        """The same past the proxies; see `stackproof.services.base.Endpoint`."""
        suffix = self.location.suffix(self.location.default_path)
        return {
            name: host_and_port(LOOPBACK, site.port(f"{name} client")) + suffix
            for name in self.addresses(site)
        }

    def routes(self, site: Site) -> dict[str, list[tuple[int, int]]]:
        """Ports for clients, each with the one on which a node listens, by instance."""
        where = InContainers(self, site.options, site)
        return {
            instance(site.cluster, name): [(where.advertised(name)[1], site.port(f"{name} client"))]
            for name in self.addresses(site)
        }

    def peer_routes(self, site: Site) -> dict[str, list[tuple[int, int]]]:
        """Ports for peers, each with the one on which a node listens; as processes alone."""
        where = OnThisMachine(self, site)
        return {
            instance(site.cluster, node.name): [
                (where.peer(node.name, role)[1], where.listen(node.name, role)[1])
                for role in self.peer_roles
            ]
            for node in self.nodes(where)
        }

    def connection_settings(self) -> Sequence[ConnectionSetting]:
        """Settings that say where an external endpoint is, besides those of every service."""
        return self.location.settings(self.ports["client"])

    def connect(self, texts: Mapping[str, str], access: Access) -> tuple[dict[str, str], Access]:
        """Addresses and access of an external endpoint; the first node's name stands for one.

        Raises:
            Trouble: a setting is missing or cannot be understood.
        """
        found, access = self.location.each(self, texts, access, usual=self.ports["client"])
        options = self.default_options()
        if len(found) > 1:
            options["nodes"] = len(found)
        nodes = self.nodes(Sketch(options))
        first = nodes[0].name
        host = split_host_and_port(found[0])[0]
        others = {
            f"{first} {role}": texts.get(role) or host_and_port(host, self.ports[role])
            for role in self.location.others
        }
        if shared := texts.get(DIRECTORY):
            others[f"{first} {DIRECTORY}"] = shared
        named = {node.name: address for node, address in zip(nodes, found, strict=False)}
        return {**named, **others}, access

    def check(self, endpoint: Endpoint, *, timeout: float) -> None:
        """A real operation by the probe; raises one of `unready` while it is not ready yet."""
        with closing(self.probe(endpoint, timeout=timeout)) as probe:
            probe.healthy()

    def answers(self, endpoint: Endpoint, name: str, *, timeout: float) -> None:
        """The same of one instance, called as the provider calls it."""
        with closing(self.probe(endpoint, timeout=timeout)) as probe:
            probe.answers(name.removeprefix(f"{endpoint.cluster}-"))

    def why_unreachable(self, endpoint: Endpoint, *, timeout: float) -> Trouble | None:
        """What is wrong, looked at step by step: network, TLS, log-in; None: nothing definite."""
        address = next(iter(endpoint.addresses.values()))
        of_tls = self.location.encrypted  # others encrypt in the course of their own protocol
        try:
            look_through(address, endpoint.access if of_tls else OPEN, timeout=timeout)
            self.check(endpoint, timeout=timeout)
        except Exception as error:
            if isinstance(error, Trouble):
                return error
            found = explained(error)
            if isinstance(found, Trouble) and not isinstance(found, Passing):
                return type(found)(found.what, f"{address}: {found.why}", found.remedy)
            if of_tls:
                return unencrypted(address, endpoint.access, of_tls[0], timeout=timeout)
        return None

    def ready_line(self, endpoint: Endpoint) -> str:
        """How a person reaches it, for the display; without credentials."""
        return self._url(endpoint, "")

    def variables(self, endpoint: Endpoint) -> dict[str, str]:
        """Its URL, with user and password, and what else its first node listens for."""
        node = next(iter(endpoint.addresses))
        others = {names[0]: endpoint.at(node, role) for role, names in self.location.others.items()}
        return {self.location.variables["url"][0]: self.url(endpoint), **others}

    def url(self, endpoint: Endpoint) -> str:
        """Where its first node is, for any client; with user and password."""
        access = endpoint.access
        password = f":{quote(access.password, safe='')}" if access.password else ""
        login = f"{quote(access.username, safe='')}{password}"
        return self._url(endpoint, f"{login}@" if login else "")

    def _url(self, endpoint: Endpoint, login: str) -> str:
        tls = endpoint.access.tls and self.location.encrypted
        scheme = (self.location.encrypted if tls else self.location.plain)[0]
        return f"{scheme}://{login}{next(iter(endpoint.addresses.values()))}"


def instance(cluster: str, node: str) -> str:
    """What providers call a node: unique within the run."""
    return f"{cluster}-{node}"
