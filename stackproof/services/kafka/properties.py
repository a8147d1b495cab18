"""How a node is configured, wherever it runs."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from stackproof.ports import LOOPBACK

LOG4J_CONFIGURATION = """<Configuration status="error">
 <Appenders><Console name="out" target="SYSTEM_OUT">
  <PatternLayout pattern="%d{yyyy-MM-dd'T'HH:mm:ss.SSS} %-5p %c{1}: %m%n"/>
 </Console></Appenders>
 <Loggers>
  <Root level="warn"><AppenderRef ref="out"/></Root>
  <Logger name="kafka.server" level="info"/>
  <Logger name="org.apache.kafka.controller" level="info"/>
  <Logger name="org.apache.kafka.coordinator.group" level="info"/>
  <Logger name="state.change.logger" level="info"/>
 </Loggers>
</Configuration>
"""


def jvm_flags(heap_mb: int) -> list[str]:
    """Flags for a quick start and a small footprint; peak throughput is not the aim."""
    return [
        f"-Xmx{heap_mb}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",
        "-Xlog:disable",
        "-Xlog:all=error:stderr",
        "-Djava.awt.headless=true",
        "-Djava.net.preferIPv4Stack=true",
    ]


def cluster_id() -> str:
    """A random cluster ID in Kafka's form: 16 bytes in URL-safe base64, no leading dash."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


@dataclass(frozen=True)
class Node:
    """Where one node is reached.

    Attributes:
        listeners: what it binds, by listener name, e.g. ``{"PLAINTEXT": "127.0.0.1:9092"}``.
        advertised: what it tells clients and other brokers, by listener name.
        voter: ``host:port`` of its controller, as the other nodes reach it.
        between: name of the listener for other brokers; empty: the one for clients.
    """

    listeners: Mapping[str, str]
    advertised: Mapping[str, str]
    voter: str
    between: str = ""


def node_properties(
    node: int,
    ports: Mapping[int, tuple[int, int]],
    *,
    extra: Mapping[str, str],
    beside: Mapping[int, tuple[int, int]] | None = None,
) -> str:
    """The ``server.properties`` of one node on loopback; its data go to its folder ``data``.

    Args:
        node: its number.
        ports: node -> (client, controller).
        extra: properties that override.
        beside: node -> (what clients are told instead, for brokers among each other); empty:
            all use the port for clients.
    """
    nodes = {}
    for number, (client, controller) in ports.items():
        reached = {"PLAINTEXT": f"{LOOPBACK}:{client}"}
        told, between = dict(reached), ""
        voter = f"{LOOPBACK}:{controller}"
        if beside:
            between = "BETWEEN"
            proxy, other = beside[number]
            reached[between] = told[between] = f"{LOOPBACK}:{other}"
            told["PLAINTEXT"] = f"{LOOPBACK}:{proxy}"
        nodes[number] = Node({**reached, "CONTROLLER": voter}, told, voter, between)
    return properties_of(node, nodes, data=PurePath("data"), extra=extra)


def properties_of(
    node: int, nodes: Mapping[int, Node], *, data: PurePath, extra: Mapping[str, str]
) -> str:
    """The ``server.properties`` of one combined node among ``nodes``."""
    own = nodes[node]
    copies = min(3, len(nodes))
    properties: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": node,
        "controller.quorum.voters": ",".join(f"{n}@{o.voter}" for n, o in sorted(nodes.items())),
        "listeners": _listeners(own.listeners),
        "advertised.listeners": _listeners(own.advertised),
        "controller.listener.names": "CONTROLLER",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "default.replication.factor": copies,
        "min.insync.replicas": max(1, copies - 1),
        "offsets.topic.replication.factor": copies,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": max(1, copies - 1),
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": max(1, copies - 1),
        "share.coordinator.state.topic.num.partitions": 4,
        # The first member of a group need not wait for company.
        "group.initial.rebalance.delay.ms": 0,
        # Scenarios about dying members would otherwise wait six seconds at least.
        "group.min.session.timeout.ms": 1000,
        # In the newer protocols (KIP-848, KIP-932, KIP-1071) the broker says when a member is dead.
        **{
            f"group.{protocol}.{name}.ms": value
            for protocol in ("consumer", "share", "streams")
            for name, value in {
                "min.session.timeout": 1000,
                "session.timeout": 6000,
                "min.heartbeat.interval": 300,
                "heartbeat.interval": 500,
            }.items()
        },
        "broker.session.timeout.ms": 2000,
        "broker.heartbeat.interval.ms": 300,
        "controller.quorum.election.timeout.ms": 300,
        "controller.quorum.fetch.timeout.ms": 800,
        # A stopped container's address answers nothing at all, and what its brokers forward to
        # the controller would wait there twice ten seconds after another one was elected.
        "socket.connection.setup.timeout.ms": 1000,
        "socket.connection.setup.timeout.max.ms": 2000,
        "num.network.threads": 2,
        "num.io.threads": 3,
        "background.threads": 2,
        "num.replica.fetchers": 1,
        # A follower that hangs would hold up writes for half a minute.
        "replica.lag.time.max.ms": 8000,
        "log.cleaner.dedupe.buffer.size": 4_194_304,
        "log.segment.delete.delay.ms": 1000,
    }
    if own.between:
        properties["inter.broker.listener.name"] = own.between
        properties["listener.security.protocol.map"] = ",".join(
            f"{name}:PLAINTEXT" for name in own.listeners
        )
    properties |= extra
    return "".join(f"{key}={value}\n" for key, value in properties.items())


def _listeners(places: Mapping[str, str]) -> str:
    return ",".join(f"{name}://{place}" for name, place in places.items())
