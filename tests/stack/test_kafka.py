"""Apache Kafka itself: one node for most of it, three where one breaks."""

from __future__ import annotations

import re
import secrets
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Node
from confluent_kafka.admin import DescribeClusterResult

from stackproof.actions import Crash, Start
from stackproof.errors import Trouble
from stackproof.obtain import Cache
from stackproof.polling import poll
from stackproof.ports import free_port
from stackproof.processes.run import Run
from stackproof.services.base import Endpoint, Requirement
from stackproof.services.kafka import Kafka
from stackproof.services.kafka import probe as probe_module
from stackproof.services.kafka.prepared import PreparedNode
from stackproof.services.kafka.properties import Reached, kafka_id, logging_of, properties_of
from stackproof.stack.native import NativeCluster, NativeProvider
from tests.native import own_run
from tests.stack.conftest import lives, posix_only

START = 120.0


@dataclass
class Site:
    """What the tests share: a provider on the user's cache, and a broker that runs."""

    kafka: Kafka
    run: Run
    provider: NativeProvider
    broker: NativeCluster
    said: list[str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = tmp_path_factory.mktemp("kafka")
    kafka, said = Kafka(), []
    with own_run(place) as run:
        provider = NativeProvider(run, place / "logs", Cache(), time_factor=2)
        provider.obtain(kafka, said.append)
        broker = provider.start(kafka, Requirement("kafka"), "kafka-1")
        yield Site(kafka, run, provider, broker, said)


def test_a_broker_tells_what_it_knows_and_its_package_which_version_it_is(site: Site) -> None:
    assert site.provider.origin(site.kafka) == "Apache Kafka 4.3.1"
    told = site.kafka.version(site.broker.endpoint)
    assert re.fullmatch(r"knows the requests of Kafka 4\.\d+(\.\d+)?", told)


def bootstrap(cluster: NativeCluster) -> list[str]:
    return list(cluster.endpoint.addresses.values())


def create_topic(servers: list[str], *, copies: int) -> str:
    from kafka import KafkaAdminClient
    from kafka.admin import NewTopic

    topic = f"t-{secrets.token_hex(8)}"
    admin = KafkaAdminClient(bootstrap_servers=servers)
    admin.create_topics([NewTopic(topic, 1, copies)])
    admin.close()
    return topic


def exchange(servers: list[str], topic: str, value: bytes) -> list[bytes]:
    """All that a topic holds after one message more."""
    from kafka import KafkaConsumer, KafkaProducer

    producer = KafkaProducer(bootstrap_servers=servers, acks="all")
    try:
        producer.send(topic, value).get(timeout=30)
    finally:
        producer.close(timeout=5)
    values: list[bytes] = []
    consumer = KafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest")

    def last() -> bytes:
        for batch in consumer.poll(timeout_ms=200).values():
            values.extend(record.value for record in batch)
        return values[-1] if values else b""

    try:
        poll(last, until=lambda seen: seen == value, within=30, awaiting=f"{value!r}")
    finally:
        consumer.close()
    return values


@pytest.mark.kafka
def test_a_broker_takes_and_gives_messages(site: Site) -> None:
    topic = create_topic(bootstrap(site.broker), copies=1)
    assert exchange(bootstrap(site.broker), topic, b"through") == [b"through"]
    assert site.broker.death() is None


@pytest.mark.kafka
def test_its_memory_stays_within_what_was_promised(site: Site) -> None:
    topic = create_topic(bootstrap(site.broker), copies=1)
    exchange(bootstrap(site.broker), topic, b"x" * 500_000)
    (process_id,) = site.broker.processes().values()
    promised = site.kafka.memory_mb(site.broker.endpoint.options)
    assert promised == 512
    assert psutil.Process(process_id).memory_info().rss < promised * 2**20


@pytest.mark.kafka
def test_it_listens_on_loopback_only(site: Site) -> None:
    (process_id,) = site.broker.processes().values()
    listening = {
        (connection.laddr.ip.removeprefix("::ffff:"), connection.laddr.port)
        for connection in psutil.Process(process_id).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN or connection.type.name == "SOCK_DGRAM"
    }
    assert {host for host, _ in listening} == {"127.0.0.1"}
    assert len(listening) == 3  # clients, brokers and controllers
    assert bootstrap(site.broker)[0] in {f"{host}:{port}" for host, port in listening}


@pytest.mark.kafka
def test_it_writes_inside_its_directory_only(site: Site) -> None:
    (process_id,) = site.broker.processes().values()
    written = [
        Path(file.path)
        for file in psutil.Process(process_id).open_files()
        if file.mode != "r" and not file.path.startswith("/dev/")
    ]
    log = site.broker.logs()["kafka-1-broker-1"].resolve()
    assert written
    assert [p for p in written if not p.is_relative_to(site.run.directory) and p != log] == []


@pytest.mark.kafka
def test_its_log_holds_no_error(site: Site) -> None:
    log = site.broker.logs()["kafka-1-broker-1"].read_text()
    assert "Kafka Server started" in log
    assert [line for line in log.splitlines() if " ERROR " in line or "Exception" in line] == []


@pytest.mark.kafka
def test_a_wrong_configuration_is_told_with_its_reason(site: Site) -> None:
    wrong = Requirement("kafka", (("config", (("num.io.threads", "0"),)),))
    with pytest.raises(Trouble, match="Kafka died while it was starting") as caught:
        site.provider.start(site.kafka, wrong, "kafka-wrong")
    assert "num.io.threads" in str(caught.value)
    assert not (site.run.directory / "kafka-wrong").exists()


@pytest.mark.kafka
def test_three_brokers_survive_the_crash_of_one(site: Site) -> None:
    cluster = site.provider.start(site.kafka, Requirement("kafka", (("brokers", 3),)), "kafka-3")
    servers = bootstrap(cluster)
    try:
        assert len(servers) == 3
        assert cluster.endpoint.instances == tuple(f"kafka-3-broker-{n}" for n in (1, 2, 3))
        topic = create_topic(servers, copies=3)
        cluster.act("kafka-3-broker-2", Crash())
        assert not lives(cluster.processes()["kafka-3-broker-2"])
        # Two of three copies are enough, wherever the leader was.
        assert exchange([servers[0], servers[2]], topic, b"one") == [b"one"]
        cluster.act("kafka-3-broker-2", Start())
        cluster.wait_healthy(START)
        assert cluster.death() is None
        assert exchange([servers[1]], topic, b"two") == [b"one", b"two"]
    finally:
        processes = list(cluster.processes().values())
        cluster.stop()
    assert [pid for pid in processes if lives(pid)] == []
    assert not (site.run.directory / "kafka-3").exists()


@pytest.mark.kafka
def test_after_stop_the_data_are_gone(site: Site) -> None:
    cluster = site.provider.start(site.kafka, Requirement("kafka"), "kafka-4")
    (process_id,) = cluster.processes().values()
    assert list((site.run.directory / "kafka-4").rglob("meta.properties"))
    cluster.stop()
    assert not lives(process_id)
    assert not (site.run.directory / "kafka-4").exists()
    with pytest.raises(site.kafka.unready):
        site.kafka.check(cluster.endpoint, timeout=0.5)


# -- without a broker --------------------------------------------------------
def test_a_check_that_fails_leaves_nothing_behind() -> None:
    """kafka-python leaves a thread with every client that could not connect."""
    from kafka.errors import KafkaError

    from stackproof.services.kafka.client.librdkafka import admin_client

    before = threading.active_count()
    with pytest.raises(OSError, match="refused"):
        admin_client({"bootstrap": f"127.0.0.1:{free_port()}"}, timeout=5)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        with pytest.raises(KafkaError):
            admin_client({"bootstrap": f"127.0.0.1:{mute.getsockname()[1]}"}, timeout=0.1)
    poll(
        lambda: threading.active_count() <= before,
        within=10,
        awaiting="the client's thread to end",
        describe=lambda _: str(threading.enumerate()),
    )


@posix_only
@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo no class StorageTool; exit 1", "no class StorageTool"),
        # The formatting succeeds, the node dies.
        (
            "case $* in *StorageTool*) mkdir data; : > data/bootstrap.checkpoint;;"
            " *) echo out of memory; exit 1;; esac",
            "out of memory",
        ),
    ],
)
def test_start_up_data_that_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, told: str
) -> None:
    """Made for real by whoever runs the tests above first on a machine."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\n{script}\n")
    java.chmod(0o755)
    (tmp_path / "release").write_text('JAVA_VERSION="17.0.1"\n')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    cache = Cache(tmp_path / "cache")
    prepared = PreparedNode(Kafka().server, logging_of("4.3.1"))
    assert prepared.key == "kafka-4.3.1-prepared-java-17.0.1"
    with pytest.raises(Trouble, match="start-up data could not be made") as caught:
        cache.ensure(prepared, lambda line: None)
    assert told in str(caught.value)
    assert not cache.has(prepared)
    assert not list(cache.directory.glob("*.partial"))


@pytest.mark.kafka
def test_start_up_data_are_made_on_a_machine_without_any(tmp_path: Path) -> None:
    kafka, cache = Kafka(), Cache(tmp_path / "cache")
    jars, prepared = kafka.artifacts()
    place = cache.path(jars)
    place.parent.mkdir(parents=True)
    place.symlink_to(Cache().ensure(jars, lambda _: None))
    made = cache.ensure(prepared, lambda _: None)
    assert (made / "bootstrap.checkpoint").stat().st_size > 0
    assert (made / "classes.jsa").stat().st_size > 10 * 2**20


class Admin:
    """Describes a cluster as librdkafka does."""

    def __init__(self, brokers: int, controller: int | None):
        nodes = [Node(number, "h", 1) for number in range(brokers)]
        leading = None if controller is None else nodes[controller]
        self._found = DescribeClusterResult(leading, nodes)

    def describe_cluster(self, **_: object) -> Future:
        future: Future = Future()
        future.set_result(self._found)
        return future


@pytest.mark.parametrize(
    ("brokers", "controller", "told"),
    [
        (2, 1, "2 of 3 brokers registered, controller 1"),
        (3, None, "3 of 3 brokers registered, controller unknown"),
        (3, 0, ""),
    ],
)
def test_all_brokers_and_a_controller_are_needed_for_health(
    monkeypatch: pytest.MonkeyPatch, brokers: int, controller: int | None, told: str
) -> None:
    kafka = Kafka()
    monkeypatch.setattr(probe_module, "admin_client", lambda *_, **__: Admin(brokers, controller))
    endpoint = Endpoint("kafka", "k", "native", {"bootstrap": "h:1,h:2,h:3"}, {"brokers": 3})
    if told:
        with pytest.raises(kafka.unready, match=told):
            kafka.check(endpoint, timeout=1)
    else:
        kafka.check(endpoint, timeout=1)


def test_a_broker_that_is_registered_but_drops_its_clients_is_not_healthy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe_module, "admin_client", lambda *_, **__: Admin(1, 0))
    kafka = Kafka()
    with socket.create_server(("127.0.0.1", 0)) as dropping:
        address = f"127.0.0.1:{dropping.getsockname()[1]}"
        threading.Thread(target=lambda: dropping.accept()[0].close(), daemon=True).start()
        endpoint = Endpoint("kafka", "k", "docker", {"broker-1": address}, instances=["k-broker-1"])
        with pytest.raises(kafka.unready, match="is registered, but serves no clients"):
            kafka.check(endpoint, timeout=1)


def test_ids_are_kafkas_and_the_same_for_the_same_cluster() -> None:
    ids = {kafka_id("cluster", number) for number in range(500)}
    assert len(ids) == 500
    assert all(len(one) == 22 and not one.startswith("-") for one in ids)
    assert kafka_id("cluster", 1) in ids


def reached(number: int) -> Reached:
    """A broker behind a proxy, whose client port is 1000, another's 2000, and so on."""
    ports = {"PLAINTEXT": number, "BETWEEN": number + 1, "CONTROLLER": number + 2}
    listens = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    return Reached(listens, f"h:{number + 9}", listens["BETWEEN"], listens["CONTROLLER"])


def test_the_properties_of_a_node() -> None:
    brokers = {n: reached(n * 1000) for n in (1, 2, 3)}
    text = properties_of(2, brokers, data="data", extra={"num.partitions": "5"})
    properties = dict(line.split("=", 1) for line in text.splitlines())
    assert properties["node.id"] == "2"
    assert properties["listeners"] == (
        "PLAINTEXT://127.0.0.1:2000,BETWEEN://127.0.0.1:2001,CONTROLLER://127.0.0.1:2002"
    )
    assert properties["advertised.listeners"] == "PLAINTEXT://h:2009,BETWEEN://127.0.0.1:2001"
    assert properties["controller.quorum.voters"] == (
        "1@127.0.0.1:1002,2@127.0.0.1:2002,3@127.0.0.1:3002"
    )
    assert properties["min.insync.replicas"] == "2"
    assert properties["num.partitions"] == "5"
    assert properties["log.dirs"] == "data", "in its working directory, whatever that is called"
    alone = properties_of(1, {1: brokers[1]}, data="data", extra={"min.insync.replicas": "9"})
    assert "default.replication.factor=1\n" in alone
    assert alone.count("min.insync.replicas=") == 1  # what is given replaces
