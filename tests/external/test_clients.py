"""Every client gets in by every way: the suite's own, librdkafka's, and Java's."""

from __future__ import annotations

import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from stackproof.access import Access
from stackproof.errors import NotSupported
from stackproof.history import History
from stackproof.obtain import Cache
from stackproof.obtain.java import find_java
from stackproof.services.base import Endpoint
from stackproof.services.kafka import Kafka
from stackproof.services.kafka.client import (
    GroupConsumer,
    KafkaAdmin,
    Message,
    Publisher,
    TopicReader,
    TopicSpec,
)
from stackproof.services.kafka.client.connection import connection
from stackproof.services.kafka.client.diagnosis import diagnose
from stackproof.services.kafka.client.direct import DirectBroker
from stackproof.services.kafka.client.properties import (
    java_properties,
    librdkafka_properties,
    write_properties,
)
from stackproof.services.kafka.prepared import class_path
from stackproof.services.kafka.probe import KafkaProbe
from tests.external.broker import USER, SecuredBroker
from tests.external.conftest import access_by, mutual

pytestmark = pytest.mark.kafka

WAYS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "not encrypted", "certificate", "unverified")


def way(broker: SecuredBroker, name: str) -> tuple[dict[str, str], Access]:
    """Addresses and access."""
    if name == "certificate":
        return {"bootstrap": broker.addresses["MUTUAL"]}, mutual(broker)
    if name == "unverified":
        access = Access(tls=True, ca_file=str(broker.authority.file), verify_hostname=False)
        return {"bootstrap": broker.addresses["MISNAMED"]}, access
    if name == "not encrypted":
        access = access_by(broker, "SCRAM-SHA-512", tls=False, ca_file="")
        return {"bootstrap": broker.addresses["OPENLY"]}, access
    return {"bootstrap": broker.addresses["SECURED"]}, access_by(broker, name)


@pytest.mark.parametrize("name", WAYS)
def test_the_suites_clients(broker: SecuredBroker, name: str) -> None:
    arguments = connection(*way(broker, name))
    topic = f"stackproof-r00000001-s001-{name.replace(' ', '-')}"
    history = History("secured", scenario="s001", provider="external")
    admin = KafkaAdmin(*way(broker, name))
    admin.create([TopicSpec(topic)])
    publisher = Publisher(arguments, history, name="producer")
    reader = consumer = None
    try:
        sent = publisher.publish(topic, [Message(key=b"k", value=b"v")], within=20)
        assert sent.ok == 1, str(sent)
        reader = TopicReader(arguments, history, topic, name="observer")
        assert [r.value for r in reader.drain(within=20)] == [b"v"]
        group = f"{topic}-group"
        consumer = GroupConsumer(arguments, history, topic, group=group, name="consumer")
        assert [r.value for r in consumer.receive(1, within=20)] == [b"v"]
        assert admin.lag(group, topic) == 0
    finally:
        for client in (reader, consumer, publisher):
            if client is not None:
                client.close()
        admin.delete([topic])
        admin.close()
        with broker.owner() as owner:
            owner.delete_groups([f"{topic}-group"])


@pytest.mark.parametrize("name", WAYS)
def test_one_broker_alone(broker: SecuredBroker, name: str) -> None:
    """As the proofs of faults ask it."""
    addresses, access = way(broker, name)
    asked = DirectBroker(addresses["bootstrap"], access)
    answer = asked.try_to_ask(timeout=10)
    assert answer.answered, answer
    assert asked.view(timeout=10).alive == {1}
    assert asked.controller(timeout=10) == 1


@pytest.mark.parametrize("name", WAYS)
def test_one_broker_alone_lets_nobody_else_in(broker: SecuredBroker, name: str) -> None:
    addresses, access = way(broker, name)
    wrong = replace(access, ca_file=str(broker.stranger.file))
    if access.sasl_mechanism:
        wrong = replace(access, password="wrong-password")
    answer = DirectBroker(addresses["bootstrap"], wrong).try_to_ask(timeout=10)
    assert answer.connected and not answer.answered and answer.problem, answer


def test_all_brokers_that_may_come_to_lead_must_be_known(broker: SecuredBroker) -> None:
    def probe(*nodes: str) -> KafkaProbe:
        addresses = dict.fromkeys(nodes, broker.addresses["SECURED"])
        endpoint = Endpoint("kafka", "kafka-1", "external", addresses, instances=nodes,
                            access=access_by(broker, "PLAIN"))  # fmt: skip
        return KafkaProbe(endpoint, timeout=10)

    probe("broker-1").healthy()
    with pytest.raises(NotSupported, match="of broker-1 nothing says how it can be broken"):
        probe("broker-0", "broker-2").healthy()


@pytest.mark.parametrize("name", WAYS)
def test_librdkafka(broker: SecuredBroker, name: str, tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    write_properties(file, librdkafka_properties(*way(broker, name)))
    lines = file.read_text(encoding="utf-8").splitlines()
    client = AdminClient(dict(line.partition("=")[::2] for line in lines))
    assert len(client.list_topics(timeout=10).brokers) == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):  # whoever made it first could read what follows
        write_properties(file, {})


@pytest.mark.parametrize("name", WAYS)
def test_java(broker: SecuredBroker, name: str, tmp_path: Path) -> None:
    """Kafka's own tool reads the file."""
    addresses, access = way(broker, name)
    if name == "certificate":
        # Kafka 4.3 with Java 17 knows none of the algorithms that keys are encrypted by today:
        # "PBES2 SecretKeyFactory not available".
        plain = broker.authority.issue("java", "suite@example.org", common_name=USER)
        access = replace(access, key_file=str(plain.key), key_password="",
                         certificate_file=str(plain.certificate))  # fmt: skip
    file = tmp_path / "java.properties"
    write_properties(file, java_properties(addresses, access), java=True)
    jars = Cache().path(Kafka().artifacts()[0])
    done = subprocess.run(
        [str(find_java(at_least=17).launcher), "-cp", class_path(jars),
         "org.apache.kafka.tools.TopicCommand", "--list", "--bootstrap-server",
         addresses["bootstrap"], "--command-config", str(file)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", WAYS)
def test_nothing_is_found_wrong_with_what_works(broker: SecuredBroker, name: str) -> None:
    assert diagnose(*way(broker, name), timeout=10) is None


def test_one_of_several_addresses_is_enough(broker: SecuredBroker) -> None:
    addresses, access = way(broker, "PLAIN")
    assert (
        diagnose({"bootstrap": f"127.0.0.1:9,{addresses['bootstrap']}"}, access, timeout=5) is None
    )


def test_too_few_brokers_are_no_trouble_of_the_run(broker: SecuredBroker) -> None:
    found = diagnose(*way(broker, "PLAIN"), timeout=10, brokers=3)
    assert isinstance(found, NotSupported) and "1 of 3 brokers" in str(found)
