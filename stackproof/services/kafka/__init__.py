"""Apache Kafka in KRaft mode: one node or several, each broker and controller.

It may touch what `services` may, and no other service.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackproof.access import Access
from stackproof.clients.kafka.librdkafka import admin_client, translated
from stackproof.clients.kafka.security import MECHANISMS, PROTOCOLS, secured
from stackproof.errors import Trouble
from stackproof.obtain import Artifact, Cache, MavenArtifact, Say
from stackproof.obtain.java import find_java
from stackproof.polling import DeadlineExceeded, poll
from stackproof.ports import LOOPBACK, free_port
from stackproof.processes.environment import server_environment
from stackproof.processes.process import file_end
from stackproof.services.base import (
    Composition,
    ConnectionSetting,
    Endpoint,
    Image,
    Leftover,
    ProcessSpec,
    Site,
)
from stackproof.services.external import host_and_port, required
from stackproof.services.kafka import containers
from stackproof.services.kafka.properties import (
    LOG4J_CONFIGURATION,
    cluster_id,
    jvm_flags,
    node_properties,
)

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

VERSION = "4.3.1"
_JAVA = 17
_LOG4J = "2.25.5"
#: Of an endpoint that is asked for leftovers; dead members of groups take a while to go.
_ANSWERS_WITHIN = 10.0
_REMOVED_WITHIN = 60.0


def class_path(jars: Path) -> str:
    """Explicit and sorted: class-data sharing demands the same string each time."""
    return os.pathsep.join(str(jar) for jar in sorted((jars / "lib").glob("*.jar")))


@dataclass(frozen=True)
class PreparedNode:
    """What a quick start needs on top of the jars, made once by running one node.

    ``bootstrap.checkpoint`` spares the formatting tool's JVM at each start; the
    archive of loaded classes (AppCDS) spares most of the class loading. Both are
    bound to the exact jars, the archive also to the exact Java and place.
    """

    jars: MavenArtifact

    @cached_property
    def key(self) -> str:
        """Names the jars' and Java's versions."""
        return f"{self.jars.key}-prepared-java-{find_java(at_least=_JAVA).version}"

    @property
    def title(self) -> str:
        """Name for people."""
        return f"{self.jars.title} start-up data"

    def build(self, into: Path, cache: Cache, say: Say) -> None:
        """Format a node, run it once, and keep its checkpoint and class archive."""
        say(f"{self.title}: running a node once")
        java = str(find_java(at_least=_JAVA).launcher)
        classes = class_path(cache.path(self.jars))
        # Inside the artifact's place, which is cleared whatever happens.
        place = into / "scratch"
        place.mkdir()
        port, controller = free_port(), free_port()
        properties = place / "server.properties"
        properties.write_text(
            node_properties(1, {1: (port, controller)}, extra={"num.partitions": "1"}),
            encoding="utf-8",
        )
        (place / "log4j2.xml").write_text(LOG4J_CONFIGURATION, encoding="utf-8")
        self._format([java, "-cp", classes, "kafka.tools.StorageTool", "format", "-t",
                      cluster_id(), "-c", properties.name], place, cache)  # fmt: skip
        shutil.copy(place / "data" / "bootstrap.checkpoint", into)
        archive = into / "classes.jsa"
        log = place / "node.log"
        with log.open("wb") as output:
            node = cache.launch(
                [java, *jvm_flags(384), f"-XX:ArchiveClassesAtExit={archive}",
                 "-Dlog4j2.configurationFile=log4j2.xml",
                 "-cp", classes, "kafka.Kafka", properties.name],
                output=output.fileno(), cwd=place, env=server_environment(),
            )  # fmt: skip
        try:
            self._exercise(f"{LOOPBACK}:{port}", node)
            node.terminate()
            node.wait(timeout=60)
        # Clients raise many kinds; a hung node is not told from a broken one here.
        except Exception as error:
            raise Trouble(
                f"{self.title} could not be made",
                f"{type(error).__name__}: {error}\nthe node's log ends:\n{file_end(log)}",
                "run again; if it persists, remove the servers' cache (stackproof doctor)",
            ) from error
        finally:
            cache.end(node)
        shutil.rmtree(place)
        if not archive.exists():
            say(f"{self.title}: this Java makes no class archive; starts will take 2 s longer")

    @staticmethod
    def _exercise(bootstrap: str, node: subprocess.Popen) -> None:
        """Touch what every scenario touches, so that its classes get into the archive."""
        from confluent_kafka.admin import NewTopic
        from kafka import KafkaConsumer, KafkaProducer
        from kafka.errors import KafkaError

        with contextlib.ExitStack() as clients:
            admin = poll(
                lambda: admin_client({"bootstrap": bootstrap}, timeout=0.5),
                within=60,
                awaiting="the node's first answer",
                retry_on=(KafkaError, OSError),
                alive=lambda: None if node.poll() is None else "it has ended",
            )
            admin.create_topics([NewTopic("warm-up", 1, 1)])["warm-up"].result()
            producer = KafkaProducer(bootstrap_servers=bootstrap)
            clients.callback(producer.close, timeout=5)
            producer.send("warm-up", b"value", key=b"key").get(timeout=20)
            consumer = KafkaConsumer(
                "warm-up", bootstrap_servers=bootstrap, group_id="g", auto_offset_reset="earliest"
            )
            clients.callback(consumer.close)
            poll(lambda: consumer.poll(timeout_ms=200), within=20, awaiting="the first record")
            consumer.commit()

    def _format(self, command: Sequence[str], place: Path, cache: Cache) -> None:
        try:
            done = cache.run(command, within=120, cwd=place, env=server_environment())
        except subprocess.TimeoutExpired as error:
            raise Trouble(f"{self.title} could not be made", str(error), "run again") from error
        if done.code or not (place / "data" / "bootstrap.checkpoint").exists():
            raise Trouble(f"{self.title} could not be made", done.output, "run again")


class Kafka:
    """The service ``kafka``.

    Options: ``brokers``, ``heap_mb``, ``config`` (pairs), ``port``; to be broken:
    ``proxied`` (clients reach brokers through proxies, which are what brokers advertise),
    ``disk_mb`` (each broker's disk has so many MiB), ``syncs`` (what brokers make durable is
    recorded, so that power can be lost).
    """

    name = "kafka"
    title = "Kafka"
    start_within = 60.0
    #: Options that `check` finds missing; others can be had of the suite's own servers alone.
    verified_options = ("brokers",)

    def __init__(self) -> None:
        self._jars = MavenArtifact(
            key=f"kafka-{VERSION}",
            title=f"Apache Kafka {VERSION}",
            coordinates=(
                f"org.apache.kafka:kafka_2.13:{VERSION}",
                f"org.apache.kafka:kafka-tools:{VERSION}",
                f"org.apache.logging.log4j:log4j-slf4j-impl:{_LOG4J}",
                f"org.apache.logging.log4j:log4j-core:{_LOG4J}",
            ),
        )
        self._prepared = PreparedNode(self._jars)

    def default_options(self) -> dict[str, Any]:
        """One broker with 384 MiB of heap, which stays within 512 MiB in all."""
        return {
            "brokers": 1, "heap_mb": 384, "config": (), "port": 0,
            "proxied": False, "disk_mb": 0, "syncs": False,
        }  # fmt: skip

    def memory_mb(self, options: Mapping[str, Any]) -> int:
        """The heap and what the JVM needs besides, for each broker."""
        return options["brokers"] * (options["heap_mb"] + 128 + options["disk_mb"])

    def artifacts(self) -> Sequence[Artifact]:
        """The jars, then the start-up data made from them."""
        return (self._jars, self._prepared)

    def lay_out(self, site: Site) -> list[ProcessSpec]:
        """One directory and process per node, ready formatted; paths are relative to it."""
        prepared = site.cache.path(self._prepared)
        archive = prepared / "classes.jsa"
        sharing = [f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []
        java = str(find_java(at_least=_JAVA).launcher)
        classes = class_path(site.cache.path(self._jars))
        cluster = cluster_id()
        nodes = range(1, site.options["brokers"] + 1)
        chosen = {1: site.options["port"]}  # of the first broker; the others take free ones
        ports = {
            n: (site.port(f"client-{n}", chosen.get(n, 0)), site.port(f"controller-{n}"))
            for n in nodes
        }
        beside = {}  # how clients and brokers are told apart, where clients come by proxies
        if site.options["proxied"]:
            beside = {n: (site.port(f"proxy-{n}"), site.port(f"between-{n}")) for n in nodes}
        specs = []
        for node in nodes:
            name = site.cluster if len(nodes) == 1 else f"{site.cluster}-{node}"
            place = site.directory / name
            data = place / "data"
            data.mkdir(parents=True)
            extra = dict(site.options["config"])
            (place / "server.properties").write_text(
                node_properties(node, ports, extra=extra, beside=beside),
                encoding="utf-8",
            )
            (place / "log4j2.xml").write_text(LOG4J_CONFIGURATION, encoding="utf-8")
            shutil.copy(prepared / "bootstrap.checkpoint", data)
            directory_id = cluster_id()
            (data / "meta.properties").write_text(
                f"version=1\nnode.id={node}\ncluster.id={cluster}\ndirectory.id={directory_id}\n",
                encoding="utf-8",
            )
            argv = [java, *jvm_flags(site.options["heap_mb"]), *sharing,
                    "-Dlog4j2.configurationFile=log4j2.xml", "-cp", classes,
                    "kafka.Kafka", "server.properties"]  # fmt: skip
            specs.append(ProcessSpec(name, argv, place, data=data))
        return specs

    def addresses(self, site: Site) -> dict[str, str]:
        """``bootstrap``: all brokers, comma-separated; ``direct``: past their proxies."""
        nodes = range(1, site.options["brokers"] + 1)
        direct = ",".join(f"{LOOPBACK}:{site.port(f'client-{n}')}" for n in nodes)
        if not site.options["proxied"]:
            return {"bootstrap": direct}
        proxied = ",".join(f"{LOOPBACK}:{site.port(f'proxy-{n}')}" for n in nodes)
        return {"bootstrap": proxied, "direct": direct}

    def routes(self, site: Site) -> dict[str, tuple[int, int]]:
        """From each proxy to its broker."""
        nodes = range(1, site.options["brokers"] + 1)
        names = [site.cluster] if len(nodes) == 1 else [f"{site.cluster}-{n}" for n in nodes]
        return {
            name: (site.port(f"proxy-{n}"), site.port(f"client-{n}"))
            for n, name in zip(nodes, names, strict=True)
        }

    def images(self) -> Sequence[Image]:
        """Apache Kafka's, or Redpanda's when ``KAFKA_FLAVOUR`` says so."""
        return (containers.image(),)

    def compose(self, site: Site) -> Composition:
        """One container per node; the properties are mounted."""
        return containers.compose(site)

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
        """``bootstrap``: as the native provider's."""
        listed = required(self, texts, "bootstrap_servers").split(",")
        addresses = [address.strip() for address in listed]
        for address in addresses:
            host_and_port(self, "bootstrap_servers", address)
        return {"bootstrap": ",".join(addresses)}, secured(access, texts)

    def why_unreachable(self, endpoint: Endpoint, *, timeout: float) -> Trouble | None:
        """Network, TLS, SASL, log-in, in this order."""
        from stackproof.clients.kafka.diagnosis import diagnose

        return diagnose(endpoint.addresses, endpoint.access, timeout=timeout,
                        brokers=endpoint.options.get("brokers", 1))  # fmt: skip

    def check(self, endpoint: Endpoint, *, timeout: float) -> None:
        """Every broker in the metadata, with a controller; of our own ones, each answers itself.

        A broker counts as registered some milliseconds before it serves clients, and what is
        before it (a container engine, a proxy) accepts their connections and drops them.
        """
        from stackproof.clients.kafka.direct import DirectBroker

        admin = admin_client(endpoint.addresses, endpoint.access, timeout=timeout)
        with translated():
            cluster = admin.describe_cluster(request_timeout=timeout).result()
        expected = endpoint.options.get("brokers", 1)
        if len(cluster.nodes) < expected or cluster.controller is None:
            leading = "unknown" if cluster.controller is None else cluster.controller.id
            raise _NotReadyError(
                f"{len(cluster.nodes)} of {expected} brokers registered, controller {leading}"
            )
        for address in endpoint.addresses["bootstrap"].split(",") if endpoint.instances else ():
            answer = DirectBroker(address).try_to_ask(timeout=timeout)
            if not answer.answered:
                raise _NotReadyError(f"{address} is registered, but serves no clients: {answer}")

    def version(self, endpoint: Endpoint) -> str:
        """A broker does not say its version, only which requests it knows in which versions."""
        from kafka import KafkaAdminClient

        from stackproof.clients.kafka.connection import connection

        with contextlib.closing(
            KafkaAdminClient(**connection(endpoint.addresses, endpoint.access))
        ) as client:
            known = client._manager.broker_version_data
        return f"knows the requests of Kafka {known.broker_version_str}"

    @cached_property
    def unready(self) -> tuple[type[BaseException], ...]:
        """Refused connections, time-outs and elections in progress."""
        from kafka.errors import KafkaError

        return (_NotReadyError, KafkaError, OSError)

    def leftovers(self, endpoint: Endpoint, prefix: str) -> list[Leftover]:
        """Groups, then topics."""
        from stackproof.clients.kafka import clearing

        with self._asked(endpoint) as admin:
            groups = clearing.groups(admin, prefix, within=_REMOVED_WITHIN)
            return [
                *(Leftover("group", name, used) for name, used in groups.items()),
                *(Leftover("topic", name) for name in clearing.topics(admin, prefix)),
            ]

    def remove(self, endpoint: Endpoint, leftovers: Sequence[Leftover]) -> None:
        """Groups are freed of dead members; a minute at most."""
        from stackproof.clients.kafka import clearing

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

    def clear(self, endpoint: Endpoint) -> None:
        """Delete all topics, and with the internal ones all groups and transactions."""
        from stackproof.services.kafka import renewal

        with self._asked(endpoint) as admin:
            renewal.clear(admin, endpoint.addresses, timeout=_ANSWERS_WITHIN)

    def unlike_new(self, endpoint: Endpoint, *, timeout: float) -> str | None:
        """Brokers that are missed; topics, groups, transactional IDs, settings, quotas."""
        from stackproof.services.kafka import renewal

        return renewal.unlike_new(endpoint.addresses, timeout=timeout)

    @contextlib.contextmanager
    def _asked(self, endpoint: Endpoint) -> Iterator[AdminClient]:
        """An admin client; its errors become a Trouble."""
        from kafka.errors import KafkaError

        try:
            yield admin_client(endpoint.addresses, endpoint.access, timeout=_ANSWERS_WITHIN)
        except (KafkaError, OSError, DeadlineExceeded) as error:
            raise Trouble(
                f"{self.title} at {self.ready_line(endpoint)} cannot be asked",
                f"{type(error).__name__}: {error}",
                "check that it is up, and the rights of the suite's user",
            ) from error

    def ready_line(self, endpoint: Endpoint) -> str:
        """The bootstrap servers."""
        return endpoint.addresses["bootstrap"]


class _NotReadyError(Exception):
    """It answers, but not completely yet."""


SERVICE = Kafka
