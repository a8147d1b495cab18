"""Apache Kafka in KRaft mode: one node or several, each broker and controller."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackproof.access import Access
from stackproof.errors import NotSupported, Trouble
from stackproof.obtain import Artifact, MavenArtifact
from stackproof.polling import DeadlineExceeded
from stackproof.services.base import Composition, ConnectionSetting, Endpoint, Image, Leftover, Site
from stackproof.services.external import host_and_port, required
from stackproof.services.kafka.client.connection import bootstrap
from stackproof.services.kafka.client.security import MECHANISMS, PROTOCOLS, secured
from stackproof.services.kafka.known import VERSION, node_of
from stackproof.services.kafka.prepared import CHECKPOINT, CLASSES, PreparedNode, class_path
from stackproof.services.kafka.properties import (
    BROKERS,
    CLIENTS,
    CONTROLLER,
    Logging,
    Reached,
    jvm_flags,
    kafka_id,
    logging_of,
    properties_of,
)
from stackproof.services.location import Location
from stackproof.services.prepared import java
from stackproof.services.probe import Probe
from stackproof.services.renewal import Renewal, Renewing
from stackproof.services.where import Node, Where
from stackproof.services.writer import Writer

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

#: Of an endpoint that is asked for leftovers; dead members of groups take a while to go.
_ANSWERS_WITHIN = 10.0
_REMOVED_WITHIN = 60.0

_PROPERTIES, _META = "server.properties", "meta.properties"
#: Brokers are not their own controllers before.
_OLDEST = (3, 3, 0)
_ROLES = {CLIENTS: "client", BROKERS: "between", CONTROLLER: "controller"}
# -- in containers -----------------------------------------------------------------
_VOLUME = "/var/lib/kafka/data"
_SCRIPT = "/opt/kafka/bin/kafka-run-class.sh"
#: The image has archives of the classes of the server and of the tool that formats.
_SHARED = "-XX:SharedArchiveFile=/opt/kafka/{}.jsa"
_FORMAT = f"""\
[ -e {_VOLUME}/{_META} ] || KAFKA_HEAP_OPTS=-Xmx128m \\
  KAFKA_JVM_PERFORMANCE_OPTS="$KAFKA_JVM_PERFORMANCE_OPTS {_SHARED.format("storage")}" \\
  {_SCRIPT} kafka.tools.StorageTool format --cluster-id {{cluster}} --config {{properties}}
"""
#: A real request (Metadata, version 0) and an answer that names a broker. Without a virtual
#: machine of its own, for which the memory would not suffice.
_HEALTH = r"""exec 3<>/dev/tcp/127.0.0.1/9092 &&
printf '\0\0\0\016\0\003\0\0\0\0\0\001\377\377\0\0\0\0' >&3 &&
test "$(head -c 12 <&3 | od -An -tu1 | tr -s ' \n' ' ' | cut -d' ' -f13)" -ge 1"""
_FLAVOUR_VARIABLE = "KAFKA_FLAVOUR"
_FLAVOURS = {
    "apache": Image("KAFKA_IMAGE", f"apache/kafka:{VERSION}", f"stackproof/kafka:{VERSION}"),
    "redpanda": Image("REDPANDA_IMAGE", "redpandadata/redpanda:v24.2.4"),
}
_REDPANDA_MB = 512
_REDPANDA_BESIDES_MB = 256


class Kafka(Renewing):
    """The service ``kafka``.

    Options: ``brokers``, ``heap_mb``, ``config`` (pairs), ``flavour`` (of containers: "apache" or
    "redpanda"; empty: as the variable ``KAFKA_FLAVOUR`` says).
    """

    name = "kafka"
    title = "Kafka"
    start_within = 60.0
    programs = ()
    ports: Mapping[str, int] = {"client": 9092, "between": 19092, "controller": 9093}
    peer_roles = ("between", "controller")
    options: Mapping[str, Any] = {"brokers": 1, "heap_mb": 384, "config": (), "flavour": ""}
    compose_files: Mapping[str, Mapping[str, Any]] = {
        "kafka-three": {"brokers": 3},
        "redpanda": {"flavour": "redpanda"},
    }
    #: A request for metadata, in the version that every broker knows.
    hello = b"\0\0\0\x0e\0\x03\0\0\0\0\0\x01\xff\xff\0\0\0\0"
    #: Several addresses name one endpoint, none of them by a URL.
    location = Location(plain=(), encrypted=(), path="", variables={})
    #: Options that `check` finds missing; others can be had of the suite's own servers alone.
    verified_options = ("brokers",)

    def __init__(self) -> None:
        self._logging = logging_of(VERSION)
        self.server: MavenArtifact = _jars(VERSION, self._logging)
        self._prepared = PreparedNode(self.server, self._logging)

    def take(self, version: str) -> None:
        """Other jars, from the same repository."""
        numbers = tuple(map(int, re.findall(r"\d+", version)))
        if not re.fullmatch(r"\d+\.\d+\.\d+", version) or numbers < _OLDEST:
            raise Trouble(
                f"Kafka cannot be had in version {version!r}",
                f"three numbers are expected, {'.'.join(map(str, _OLDEST))} or newer: "
                "brokers are their own controllers here",
                'e.g. version = "3.9.2"',
            )
        self._logging = logging_of(version)
        self.server = _jars(version, self._logging)
        self._prepared = PreparedNode(self.server, self._logging)

    def artifacts(self) -> Sequence[Artifact]:
        """The jars, then the start-up data made from them."""
        return (self.server, self._prepared)

    @property
    def image(self) -> Image:  # type: ignore[override]
        """Apache Kafka's, or Redpanda's when ``KAFKA_FLAVOUR`` says so."""
        found = _FLAVOURS[flavour()]
        return found.of(self.version_chosen) if self.version_chosen else found

    # -- its nodes -----------------------------------------------------------------
    def nodes(self, where: Where) -> list[Node]:
        """Each broker a controller, too; clients, brokers and controllers come by ports apart."""
        numbers = range(1, where.options["brokers"] + 1)
        reached = {number: _reached(where, node_of(number)) for number in numbers}
        return [self._node(where, number, reached) for number in numbers]

    def _node(self, where: Where, number: int, reached: Mapping[int, Reached]) -> Node:
        name, heap = node_of(number), where.options["heap_mb"]
        jars = where.obtained(self.server)
        if jars is None and flavour(where.options) == "redpanda":
            return _redpanda(name, reached[number])
        cluster = kafka_id(*reached.values())
        data = where.data(name, _VOLUME)
        # Relative, on this machine: nobody knows which characters stand above.
        properties = properties_of(
            number, reached, data=Path(data).name if jars else data,
            extra=dict(where.options["config"]),
        )  # fmt: skip
        files = {_PROPERTIES: properties, self._logging.file: self._logging.text}
        if jars is None:
            path = where.file(name, _PROPERTIES)
            return Node(
                name,
                [_SCRIPT, "kafka.Kafka", path],
                before=_FORMAT.format(cluster=cluster, properties=path),
                files=files,
                env={
                    "KAFKA_HEAP_OPTS": f"-Xmx{heap}m",
                    "KAFKA_JVM_PERFORMANCE_OPTS": " ".join(
                        [*jvm_flags(heap)[1:], _SHARED.format("kafka")]
                    ),
                    "KAFKA_LOG4J_OPTS": self._logging.flag(where.file(name, self._logging.file)),
                    # Not empty, or the official scripts switch JMX on.
                    "KAFKA_JMX_OPTS": "-Djava.awt.headless=true",
                },
                data=data,
                memory_mb=heap + 128,
                health=("/bin/bash", "-c", _HEALTH),
            )
        prepared = where.obtained(self._prepared)
        assert prepared is not None
        files[_META] = (
            f"version=1\nnode.id={number}\ncluster.id={cluster}\n"
            f"directory.id={kafka_id(number, *reached.values())}\n"
        )
        archive = prepared / CLASSES
        return Node(
            name,
            [java(), *jvm_flags(heap),
             *([f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []),
             self._logging.flag(self._logging.file),
             "-cp", class_path(jars), "kafka.Kafka", _PROPERTIES],
            before=_format(data, [prepared / CHECKPOINT, where.file(name, _META)]),
            files=files,
            data=data,
            memory_mb=heap + 128,
        )  # fmt: skip

    def compose(self, site: Site) -> Composition:
        """The same cluster in containers.

        Raises:
            NotSupported: Redpanda with several brokers.
        """
        brokers, config = site.options["brokers"], dict(site.options["config"])
        if flavour(site.options) == "redpanda" and (brokers > 1 or config):
            raise NotSupported(
                "Redpanda runs as one broker with its own configuration here",
                f"asked for: {brokers} brokers, configuration {config}",
                f"unset {_FLAVOUR_VARIABLE}",
            )
        return super().compose(site)

    # -- an endpoint ---------------------------------------------------------------
    def connection_settings(self) -> Sequence[ConnectionSetting]:
        """Bootstrap servers, and how to log in."""
        return (
            ConnectionSetting(
                "bootstrap_servers", ("KAFKA_BOOTSTRAP_SERVERS",), "host:port, comma-separated"
            ),
            ConnectionSetting(
                "security_protocol",
                ("KAFKA_SECURITY_PROTOCOL",),
                f"{', '.join(PROTOCOLS)}; default: what tls and username amount to",
            ),
            ConnectionSetting(
                "sasl_mechanism",
                ("KAFKA_SASL_MECHANISM",),
                f"{', '.join(MECHANISMS)}; default with a user: {MECHANISMS[0]}",
            ),
        )

    def connect(self, texts: Mapping[str, str], access: Access) -> tuple[dict[str, str], Access]:
        """``bootstrap``: one or several of its brokers, comma-separated."""
        listed = required(self, texts, "bootstrap_servers").split(",")
        addresses = [address.strip() for address in listed]
        for address in addresses:
            host_and_port(self, "bootstrap_servers", address)
        return {"bootstrap": ",".join(addresses)}, secured(access, texts)

    def why_unreachable(self, endpoint: Endpoint, *, timeout: float) -> Trouble | None:
        """Network, TLS, SASL, log-in, in this order."""
        from stackproof.services.kafka.client.diagnosis import diagnose

        return diagnose(endpoint.addresses, endpoint.access, timeout=timeout,
                        brokers=endpoint.options.get("brokers", 1))  # fmt: skip

    def ready_line(self, endpoint: Endpoint) -> str:
        """The bootstrap servers."""
        return bootstrap(endpoint.addresses)

    def variables(self, endpoint: Endpoint) -> dict[str, str]:
        """The bootstrap servers; the suite's own ones need no log-in."""
        return {"KAFKA_BOOTSTRAP_SERVERS": self.ready_line(endpoint)}

    # -- what a running one says ---------------------------------------------------
    def probe(self, endpoint: Endpoint, *, timeout: float) -> Probe:
        """See `stackproof.services.kafka.probe`."""
        from stackproof.services.kafka.probe import KafkaProbe

        return KafkaProbe(endpoint, timeout=timeout)

    def writer(self, endpoint: Endpoint, name: str, *, timeout: float) -> Writer:
        """See `stackproof.services.kafka.writer`."""
        from stackproof.services.kafka.writer import RecordsWriter

        return RecordsWriter(endpoint, name, timeout=timeout)

    @cached_property
    def unready(self) -> tuple[type[BaseException], ...]:
        """Refused connections, time-outs and elections in progress."""
        from kafka.errors import KafkaError

        from stackproof.services.kafka.probe import NotReady

        return (NotReady, KafkaError, OSError)

    def version(self, endpoint: Endpoint) -> str:
        """A broker does not say its version, only which requests it knows in which versions."""
        from kafka import KafkaAdminClient

        from stackproof.services.kafka.client.connection import connection

        with contextlib.closing(
            KafkaAdminClient(**connection(endpoint.addresses, endpoint.access))
        ) as client:
            known = client._manager.broker_version_data
        return f"knows the requests of Kafka {known.broker_version_str}"

    def leftovers(self, endpoint: Endpoint, prefix: str) -> list[Leftover]:
        """Groups, then topics."""
        from stackproof.services.kafka.client import clearing

        with self._asked(endpoint) as admin:
            groups = clearing.groups(admin, prefix, within=_REMOVED_WITHIN)
            return [
                *(Leftover("group", name, used) for name, used in groups.items()),
                *(Leftover("topic", name) for name in clearing.topics(admin, prefix)),
            ]

    def remove(self, endpoint: Endpoint, leftovers: Sequence[Leftover]) -> None:
        """Groups are freed of dead members; a minute at most."""
        from stackproof.services.kafka.client import clearing

        topics = [item.name for item in leftovers if item.kind == "topic"]
        groups = [item.name for item in leftovers if item.kind == "group"]
        with self._asked(endpoint) as admin:
            left = clearing.delete_topics(admin, topics)
            left |= clearing.delete_groups(
                admin, groups, within=_REMOVED_WITHIN,
                evict=partial(clearing.evict, endpoint.addresses, endpoint.access),
            )  # fmt: skip
        if left:
            raise Trouble(
                f"{len(left)} of {len(leftovers)} topics and groups could not be removed",
                "\n".join(f"{name}: {error}" for name, error in sorted(left.items())),
                "remove them by hand, or give the suite's user the right to delete",
            )

    def renewal(self, endpoint: Endpoint, *, timeout: float) -> Renewal:
        """See `stackproof.services.kafka.renewal`."""
        from stackproof.services.kafka.renewal import KafkaRenewal

        return KafkaRenewal(endpoint, timeout=timeout)

    @contextlib.contextmanager
    def _asked(self, endpoint: Endpoint) -> Iterator[AdminClient]:
        """An admin client; its errors become a Trouble."""
        from kafka.errors import KafkaError

        from stackproof.services.kafka.client.librdkafka import admin_client

        try:
            yield admin_client(endpoint.addresses, endpoint.access, timeout=_ANSWERS_WITHIN)
        except (KafkaError, OSError, DeadlineExceeded) as error:
            raise Trouble(
                f"{self.title} at {self.ready_line(endpoint)} cannot be asked",
                f"{type(error).__name__}: {error}",
                "check that it is up, and the rights of the suite's user",
            ) from error


def flavour(options: Mapping[str, Any] | None = None) -> str:
    """Which make of broker containers run: "apache" or "redpanda".

    Raises:
        Trouble: another one is asked for.
    """
    asked = (options or {}).get("flavour") or os.environ.get(_FLAVOUR_VARIABLE) or "apache"
    if asked not in _FLAVOURS:
        raise Trouble(
            f"{_FLAVOUR_VARIABLE} cannot be {asked!r}",
            f"it can be: {', '.join(_FLAVOURS)}",
            "correct the variable or unset it",
        )
    return asked


def _jars(version: str, logging: Logging) -> MavenArtifact:
    return MavenArtifact(
        key=f"kafka-{version}",
        title=f"Apache Kafka {version}",
        coordinates=(
            f"org.apache.kafka:kafka_2.13:{version}",
            f"org.apache.kafka:kafka-tools:{version}",
            *logging.jars,
        ),
    )


def _reached(where: Where, name: str) -> Reached:
    listens = {}
    for listener, role in _ROLES.items():
        host, port = where.listen(name, role)
        listens[listener] = f"{'0.0.0.0' if host == '*' else host}:{port}"

    def text(place: tuple[str, int]) -> str:
        return f"{place[0]}:{place[1]}"

    return Reached(
        listens,
        clients=text(where.advertised(name)),
        brokers=text(where.peer(name, "between")),
        controller=text(where.peer(name, "controller")),
    )


def _format(data: str, files: Sequence[Path | str]) -> str:
    """What Kafka's own tool does in a second, done once."""
    meta = shlex.quote(f"{data}/{_META}")
    copied = " ".join(shlex.quote(str(file)) for file in files)
    return f"[ -e {meta} ] || cp {copied} {shlex.quote(data)}\n"


def _redpanda(name: str, reached: Reached) -> Node:
    """Redpanda as one small broker, its data in memory."""
    places = f"PLAINTEXT://{reached.listens[CLIENTS]},BETWEEN://{reached.listens[BROKERS]}"
    told = f"PLAINTEXT://{reached.clients},BETWEEN://{reached.brokers}"
    return Node(
        name,
        ["/entrypoint.sh", "redpanda", "start", "--mode=dev-container", "--smp=1",
         f"--memory={_REDPANDA_MB}M", "--reserve-memory=0M", "--overprovisioned", "--node-id=0",
         "--check=false", f"--kafka-addr={places}", f"--advertise-kafka-addr={told}"],
        image=_FLAVOURS["redpanda"],
        in_memory=("/var/lib/redpanda/data",),
        memory_mb=_REDPANDA_MB + _REDPANDA_BESIDES_MB,
        health=("rpk", "cluster", "health", "--exit-when-healthy"),
    )  # fmt: skip


SERVICE = Kafka
