"""How a node is configured, wherever it runs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stackproof.services.kafka.known import LOG4J

#: Names of listeners.
CLIENTS, BROKERS, CONTROLLER = "PLAINTEXT", "BETWEEN", "CONTROLLER"

_LOG4J2 = """<Configuration status="error">
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


_LOG4J1 = """log4j.rootLogger=WARN, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{yyyy-MM-dd'T'HH:mm:ss.SSS} %-5p %c{1}: %m%n
log4j.logger.kafka.server=INFO
log4j.logger.org.apache.kafka.controller=INFO
log4j.logger.org.apache.kafka.coordinator.group=INFO
log4j.logger.state.change.logger=INFO
"""


@dataclass(frozen=True)
class Logging:
    """How a version of Kafka logs: a file of settings, the option that names it, jars for it."""

    file: str
    text: str
    option: str
    jars: Sequence[str]

    def flag(self, path: str) -> str:
        """Of the virtual machine."""
        return f"{self.option}{path}"


def logging_of(version: str) -> Logging:
    """Log4j 2 since Kafka 4."""
    if int(version.partition(".")[0]) < 4:
        return Logging("log4j.properties", _LOG4J1, "-Dlog4j.configuration=file:",
                       ("org.slf4j:slf4j-reload4j:1.7.36",))  # fmt: skip
    return Logging(
        "log4j2.xml", _LOG4J2, "-Dlog4j2.configurationFile=",
        (f"org.apache.logging.log4j:log4j-slf4j-impl:{LOG4J}",
         f"org.apache.logging.log4j:log4j-core:{LOG4J}"),
    )  # fmt: skip


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


def kafka_id(*parts: object) -> str:
    """An ID in Kafka's form, the same for the same parts: 16 bytes in URL-safe base64."""
    digest = hashlib.sha256(repr(parts).encode()).digest()[:16]
    text = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return f"A{text[1:]}" if text.startswith("-") else text  # a leading dash would be an option


@dataclass(frozen=True)
class Reached:
    """Where one broker is reached, each by ``host:port``.

    Attributes:
        listens: what it binds, by listener.
        clients: what it tells clients.
        brokers: what it tells other brokers.
        controller: its controller, as the other nodes reach it.
    """

    listens: Mapping[str, str]
    clients: str
    brokers: str
    controller: str


def voters(nodes: Mapping[int, Reached]) -> str:
    """The controllers, as Kafka wants to be told them."""
    return ",".join(f"{number}@{one.controller}" for number, one in sorted(nodes.items()))


def properties_of(
    node: int, nodes: Mapping[int, Reached], *, data: str, extra: Mapping[str, str]
) -> str:
    """The ``server.properties`` of one combined node among ``nodes``."""
    own = nodes[node]
    copies = min(3, len(nodes))
    properties: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": node,
        "controller.quorum.voters": voters(nodes),
        "listeners": _listeners(own.listens),
        "advertised.listeners": _listeners({CLIENTS: own.clients, BROKERS: own.brokers}),
        "controller.listener.names": CONTROLLER,
        "inter.broker.listener.name": BROKERS,
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in own.listens),
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
    properties |= extra
    return "".join(f"{key}={value}\n" for key, value in properties.items())


def _listeners(places: Mapping[str, str]) -> str:
    return ",".join(f"{name}://{place}" for name, place in places.items())
