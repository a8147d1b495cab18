"""Brokers that are not ours: what they do not offer is named, and decides nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from kafka.errors import KafkaError, TopicAlreadyExistsError

from stackproof.access import OPEN
from stackproof.errors import NotSupported, Trouble
from stackproof.history import History
from stackproof.polling import poll
from stackproof.ports import free_port
from stackproof.services.base import Endpoint, Requirement
from stackproof.services.kafka import Kafka
from stackproof.services.kafka.client import (
    GroupConsumer,
    KafkaAdmin,
    Message,
    Publisher,
    TopicReader,
    TopicSpec,
    TransactionalPublisher,
)
from stackproof.services.kafka.client.connection import connection
from stackproof.stack.external import wait_answers
from tests.kafka import foreign as keys
from tests.kafka.foreign import ForeignBroker
from tests.native import native

pytestmark = pytest.mark.kafka

_NUMBERS = count()
BY_ITSELF = 3  # partitions of a topic that the broker makes unasked
PATIENCE = 30.0


@pytest.fixture(scope="module")
def somebodys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignBroker]:
    place = tmp_path_factory.mktemp("kafka")
    broker = ForeignBroker()
    broker.behind, between, controller = free_port(), free_port(), free_port()
    config = {
        # The broker's own words to itself do not go by the proxy.
        "listeners": f"PLAINTEXT://127.0.0.1:{broker.behind},BETWEEN://127.0.0.1:{between},"
        f"CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker.port},"
        f"BETWEEN://127.0.0.1:{between}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,BETWEEN:PLAINTEXT,"
        "CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "BETWEEN",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "auto.create.topics.enable": "true",
        "num.partitions": str(BY_ITSELF),
    }
    with native(place, time_factor=2) as provider:
        try:
            provider.obtain(Kafka(), lambda _: None)
            options = (("config", tuple(config.items())), ("port", broker.behind))
            provider.start(Kafka(), Requirement("kafka", options), "kafka-1")
            yield broker
        finally:
            broker.close()


@pytest.fixture
def broker(somebodys: ForeignBroker) -> Iterator[ForeignBroker]:
    yield somebodys
    somebodys.missing.clear()
    somebodys.mute.clear()


def at(broker: ForeignBroker) -> dict[str, str]:
    return {"bootstrap": f"127.0.0.1:{broker.port}"}


def admin_of(broker: ForeignBroker, *, foreign: bool = True, patience: float = 2.0) -> KafkaAdmin:
    return KafkaAdmin(at(broker), foreign=foreign, patience=patience)


def new_topic() -> str:
    return f"stackproof-foreign-{next(_NUMBERS)}"


def test_versions_that_are_answered_by_an_error_alone(
    broker: ForeignBroker, closing: Callable[[Any], Any]
) -> None:
    admin = closing(admin_of(broker, patience=PATIENCE))
    how, history, topic = connection(at(broker), OPEN), History("f", scenario="s"), new_topic()
    admin.provide([TopicSpec(topic, 2, {"retention.ms": "3600000"})], within=PATIENCE)
    assert (admin.partitions(topic), admin.config(topic)["retention.ms"]) == (2, "3600000")
    publisher = closing(Publisher(how, history, name="p"))
    assert publisher.publish(topic, [Message(key=b"k", value=b"v")], within=PATIENCE).ok == 1
    within = closing(TransactionalPublisher(how, history, name="t", transactional_id=topic,
                                            within=PATIENCE))  # fmt: skip
    within.begin()
    assert within.publish(topic, [Message(key=b"k", value=b"w")], within=PATIENCE).ok == 1
    within.commit()
    reader = closing(TopicReader(how, history, topic, name="r", isolation="read_committed"))
    assert [r.value for r in reader.drain(within=PATIENCE)] == [b"v", b"w"]
    member = closing(GroupConsumer(how, history, topic, group=topic, name="c"))
    member.receive(2, within=PATIENCE)
    assert admin.active_members(topic) and admin.lag(topic, topic) == 0
    assert (keys.API_VERSIONS, 3) in broker.asked, "nobody was answered by an error"


def test_one_without_describe_cluster_is_healthy(
    broker: ForeignBroker, closing: Callable[[Any], Any]
) -> None:
    broker.missing.add(keys.DESCRIBE_CLUSTER)
    wait_answers(Kafka(), Endpoint("kafka", "k", "external", at(broker)), within=PATIENCE)
    found = closing(admin_of(broker)).cluster()
    assert found.controller in found.brokers and len(found.brokers) == 1


@pytest.mark.parametrize("how", ["missing", "mute"])
def test_topics_that_the_broker_makes_by_itself_will_do(
    broker: ForeignBroker, how: str, closing: Callable[[Any], Any]
) -> None:
    getattr(broker, how).add(keys.CREATE_TOPICS)
    admin, topic = closing(admin_of(broker)), new_topic()
    admin.provide([TopicSpec(topic, BY_ITSELF, {"max.message.bytes": "2000"})], within=2)
    assert admin.partitions(topic) == BY_ITSELF
    poll(
        lambda: admin.config(topic)["max.message.bytes"] == "2000",
        within=PATIENCE, awaiting="the setting to be in force",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("how", "said"), [("missing", "not supported by broker"), ("mute", "Timed out")]
)
def test_topics_that_cannot_be_had_are_not_supported(
    broker: ForeignBroker, how: str, said: str, closing: Callable[[Any], Any]
) -> None:
    getattr(broker, how).add(keys.CREATE_TOPICS)
    admin, topic = closing(admin_of(broker)), new_topic()
    with pytest.raises(NotSupported, match=f"{topic} cannot be had") as caught:
        admin.provide([TopicSpec(topic, BY_ITSELF + 1)], within=2)
    assert said in caught.value.why
    assert "makes 3 partitions, not 4" in caught.value.why


def test_one_that_is_there_already_is_no_new_one(
    broker: ForeignBroker, closing: Callable[[Any], Any]
) -> None:
    admin, topic = closing(admin_of(broker)), new_topic()
    admin.provide([TopicSpec(topic)], within=PATIENCE)
    with pytest.raises(TopicAlreadyExistsError):
        admin.provide([TopicSpec(topic)], within=PATIENCE)


def test_what_is_not_answered_is_named(
    broker: ForeignBroker, closing: Callable[[Any], Any]
) -> None:
    broker.mute.add(keys.DESCRIBE_CONFIGS)
    admin, topic = closing(admin_of(broker)), new_topic()
    admin.provide([TopicSpec(topic)], within=PATIENCE)  # describing it is nobody's need yet
    with pytest.raises(NotSupported, match="does not offer DescribeConfigs") as caught:
        admin.config(topic)
    assert "Timed out" in caught.value.why


def test_our_own_broker_offers_everything(
    broker: ForeignBroker, closing: Callable[[Any], Any]
) -> None:
    """There, what goes wrong is no matter of what is offered."""
    broker.mute.add(keys.CREATE_TOPICS)
    admin, topic = closing(admin_of(broker, foreign=False)), new_topic()
    with pytest.raises(KafkaError, match="Timed out"):
        admin.provide([TopicSpec(topic, BY_ITSELF)], within=1)


def test_groups_that_cannot_be_listed_are_told_at_the_end(broker: ForeignBroker) -> None:
    broker.missing.add(keys.LIST_GROUPS)
    with pytest.raises(Trouble, match="cannot be asked") as caught:
        Kafka().leftovers(Endpoint("kafka", "k", "external", at(broker)), "stackproof-none-")
    assert "not supported by broker" in caught.value.why
