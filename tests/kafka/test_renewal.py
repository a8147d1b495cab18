"""A real broker made as good as new; each thing that is left is found by a look at it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from stackproof.errors import Trouble
from stackproof.polling import poll
from stackproof.services.base import Endpoint
from stackproof.services.kafka import Kafka
from stackproof.services.kafka.client.direct import DirectBroker
from tests.kafka.conftest import Broker

pytestmark = pytest.mark.kafka
KAFKA = Kafka()
_WITHIN = 60.0


def found(endpoint: Endpoint) -> str | None:
    return KAFKA.unlike_new(endpoint, timeout=10)


def renew(endpoint: Endpoint) -> None:
    KAFKA.clear(endpoint)
    poll(lambda: found(endpoint), until=lambda left: left is None, within=_WITHIN,
         awaiting="the broker to be as good as new")  # fmt: skip


def produce(broker: Broker, topic: str, **options: Any) -> None:
    from kafka import KafkaProducer

    with closing(KafkaProducer(**broker.connection, **options)) as producer:
        if options:
            producer.init_transactions()
            producer.begin_transaction()
        producer.send(topic, b"value")
        if options:
            producer.commit_transaction()


def consumer_of(broker: Broker, topic: str) -> Any:
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(
        topic, group_id="readers", auto_offset_reset="earliest", **broker.connection
    )
    poll(lambda: consumer.poll(timeout_ms=200), within=_WITHIN, awaiting="the record")
    consumer.commit()
    return consumer


def test_what_is_left_is_found_and_cleared(broker: Broker) -> None:
    endpoint = broker.endpoint
    assert found(endpoint) is None, "a new one is as good as new"
    topic = broker.topic()
    assert found(endpoint) == f"broker-1: there is the topic {topic}"
    renew(endpoint)

    topic = broker.topic()
    produce(broker, topic)
    consumer_of(broker, topic).close()
    assert found(endpoint) == "broker-1: there is the topic __consumer_offsets, and 1 more"
    broker.admin.delete([topic])
    (node,) = [DirectBroker(a) for a in endpoint.addresses.values()]
    assert node.groups(timeout=10) == {"readers": "Empty"}
    renew(endpoint)
    assert node.groups(timeout=10) == {}

    topic = broker.topic()
    produce(broker, topic, transactional_id="tx")
    assert list(node.transactions(timeout=10)) == ["tx"]
    renew(endpoint)
    assert node.transactions(timeout=10) == {}
    # It serves as ever: what was deleted with the rest is made again.
    topic = broker.topic()
    produce(broker, topic, transactional_id="tx")
    consumer_of(broker, topic).close()
    renew(endpoint)


def test_a_group_with_members_is_not_cleared_away(broker: Broker) -> None:
    topic = broker.topic()
    produce(broker, topic)
    with closing(consumer_of(broker, topic)), pytest.raises(Trouble, match="group readers still"):
        KAFKA.clear(broker.endpoint)
    renew(broker.endpoint)


def alter(of: str) -> Callable[[Broker, bool], None]:
    """Change a setting of one broker ("1") or of all (""), or change it back."""

    def do(broker: Broker, back: bool) -> None:
        from kafka.protocol.admin.configs import (
            IncrementalAlterConfigsRequest,
            IncrementalAlterConfigsResponse,
        )

        resource = IncrementalAlterConfigsRequest[1].AlterConfigsResource
        setting = resource.AlterableConfig(
            name="log.retention.ms", config_operation=int(back), value=None if back else "60000"
        )
        request = IncrementalAlterConfigsRequest[1](
            resources=[resource(resource_type=4, resource_name=of, configs=[setting])],
            validate_only=False,
        )
        node = DirectBroker(broker.endpoint.addresses["broker-1"])
        told = IncrementalAlterConfigsResponse[1].decode(node.ask(request, timeout=10), header=True)
        assert [answer.error_code for answer in told.responses] == [0]

    return do


def limit(broker: Broker, back: bool) -> None:
    """Give clients a quota, or take it back."""
    from kafka.protocol.admin.client_quotas import (
        AlterClientQuotasRequest,
        AlterClientQuotasResponse,
    )

    entry = AlterClientQuotasRequest[1].EntryData
    request = AlterClientQuotasRequest[1](
        entries=[entry(
            entity=[entry.EntityData(entity_type="client-id", entity_name="slow")],
            ops=[entry.OpData(key="producer_byte_rate", value=1000.0, remove=back)],
        )],
        validate_only=False,
    )  # fmt: skip
    node = DirectBroker(broker.endpoint.addresses["broker-1"])
    answer = AlterClientQuotasResponse[1].decode(node.ask(request, timeout=10), header=True)
    assert [e.error_code for e in answer.entries] == [0]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (alter("1"), "log.retention.ms"),
        (alter(""), "log.retention.ms"),
        (limit, "quota producer_byte_rate"),
    ],
    ids=["of a broker", "of all brokers", "of clients"],
)
def test_changed_settings_are_found(
    broker: Broker,
    change: Callable[[Broker, bool], None],
    name: str,
) -> None:
    renew(broker.endpoint)
    change(broker, False)
    try:
        expected = f"broker-1: there is the changed setting {name}"
        poll(lambda: found(broker.endpoint), until=lambda left: left == expected, within=_WITHIN,
             awaiting="it to be found")  # fmt: skip
    finally:
        change(broker, True)
    renew(broker.endpoint)


def test_a_broker_that_is_missed_is_found(broker: Broker) -> None:
    addresses = {**broker.endpoint.addresses, "broker-2": "127.0.0.1:1"}
    two = Endpoint("kafka", "kafka-1", "native", addresses)
    assert found(two) == "broker-1: there is the broker that is not alive: broker-2"
