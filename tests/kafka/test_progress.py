"""How far a group has got: what is left counts in records, and members of either protocol."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import chain

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from stackproof.polling import poll
from tests.kafka.conftest import Broker

PATIENCE = 60.0
#: A member that never leaves by itself; it says what it is assigned.
MEMBER = """
import sys
from confluent_kafka import Consumer
server, group, topic, protocol = sys.argv[1:]
timing = {"session.timeout.ms": 6000} if protocol == "classic" else {}
member = Consumer({"bootstrap.servers": server, "group.id": group, "group.protocol": protocol,
                   "auto.offset.reset": "earliest", **timing})
member.subscribe([topic])
while True:
    member.poll(0.1)
"""


def transaction(broker: Broker, topic: str) -> Producer:
    producer = Producer({"bootstrap.servers": broker.endpoint.addresses["broker-1"],
                         "transactional.id": f"t-{topic}"})  # fmt: skip
    producer.init_transactions(PATIENCE)
    producer.begin_transaction()
    return producer


def produce(producer: Producer, topic: str, count: int) -> None:
    for _ in range(count):
        producer.produce(topic, b"x", partition=0)
    producer.flush(PATIENCE)


def plain(broker: Broker, topic: str, count: int) -> None:
    produce(Producer({"bootstrap.servers": broker.endpoint.addresses["broker-1"]}), topic, count)


def commit(broker: Broker, group: str, topic: str, offset: int) -> None:
    consumer = Consumer({"bootstrap.servers": broker.endpoint.addresses["broker-1"],
                         "group.id": group, "enable.auto.commit": False})  # fmt: skip
    poll(
        lambda: consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False),
        within=PATIENCE,
        awaiting="the coordinator of a new group",
        retry_on=(KafkaException,),
    )
    consumer.close()


# -- what makes offsets that are no records -----------------------------------
def committed_transaction(broker: Broker, topic: str) -> None:
    producer = transaction(broker, topic)
    produce(producer, topic, 3)
    producer.commit_transaction(PATIENCE)


def aborted_transaction(broker: Broker, topic: str) -> None:
    plain(broker, topic, 3)
    producer = transaction(broker, topic)
    produce(producer, topic, 4)
    producer.abort_transaction(PATIENCE)


def aborted_and_empty(broker: Broker, topic: str) -> None:
    aborted_transaction(broker, topic)
    broker.admin.delete_before(topic, {0: 5})


def deleted_records(broker: Broker, topic: str) -> None:
    plain(broker, topic, 8)
    broker.admin.delete_before(topic, {0: 8})


@pytest.mark.parametrize(
    "tail", [committed_transaction, aborted_transaction, aborted_and_empty, deleted_records]
)
def test_what_is_no_record_is_not_left_to_read(
    broker: Broker, tail: Callable[[Broker, str], None]
) -> None:
    topic = broker.topic()
    tail(broker, topic)
    group = f"g-{topic}"
    commit(broker, group, topic, 3)
    (end,) = broker.admin.end_offsets(topic).values()
    assert end > 3, "there is nothing that could be counted by mistake"
    assert broker.admin.lag(group, topic) == 0
    plain(broker, topic, 2)
    assert broker.admin.lag(group, topic) == 2, "records after it are left"


def test_a_group_that_never_committed_needs_none_of_what_was_deleted(broker: Broker) -> None:
    topic = broker.topic()
    plain(broker, topic, 4)
    assert broker.admin.lag(f"g-{topic}", topic) == 4
    assert broker.admin.lag(f"g-{topic}", topic, since={0: 3}) == 1
    broker.admin.delete_before(topic, {0: 4})
    assert broker.admin.lag(f"g-{topic}", topic) == 0


def test_an_open_transaction_is_left_to_read(broker: Broker) -> None:
    topic = broker.topic()
    producer = transaction(broker, topic)
    produce(producer, topic, 2)
    assert broker.admin.lag(f"g-{topic}", topic) == 2
    producer.abort_transaction(PATIENCE)
    assert broker.admin.lag(f"g-{topic}", topic) == 0


def test_what_a_hanging_transaction_would_commit_is_not_waited_for(broker: Broker) -> None:
    """After the crash of a transactional pipeline its last offsets hang for a minute."""
    topic = broker.topic()
    plain(broker, topic, 5)
    group = f"g-{topic}"
    commit(broker, group, topic, 3)
    consumer = Consumer({"bootstrap.servers": broker.endpoint.addresses["broker-1"],
                         "group.id": group})  # fmt: skip
    producer = transaction(broker, topic)
    producer.send_offsets_to_transaction(
        [TopicPartition(topic, 0, 5)], consumer.consumer_group_metadata(), PATIENCE
    )
    assert broker.admin.committed(group, topic) == {(topic, 0): 3}
    assert broker.admin.lag(group, topic) == 2
    producer.commit_transaction(PATIENCE)
    consumer.close()
    poll(lambda: broker.admin.lag(group, topic) == 0, within=PATIENCE, awaiting="the commit")


def test_a_commit_beyond_the_end_is_told(broker: Broker) -> None:
    topic = broker.topic()
    plain(broker, topic, 1)
    commit(broker, f"g-{topic}", topic, 2)
    with pytest.raises(AssertionError, match="beyond the end 1"):
        broker.admin.lag(f"g-{topic}", topic)


# -- members -------------------------------------------------------------------
@pytest.fixture
def member(broker: Broker) -> Iterator[Callable[[str, str, str], subprocess.Popen]]:
    started: list[subprocess.Popen] = []

    def start(group: str, topic: str, protocol: str) -> subprocess.Popen:
        server = broker.endpoint.addresses["broker-1"]
        argv = [sys.executable, "-c", MEMBER, server, group, topic, protocol]
        started.append(subprocess.Popen(argv, stderr=subprocess.DEVNULL))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_dead_member_is_replaced(
    broker: Broker, protocol: str, member: Callable[[str, str, str], subprocess.Popen]
) -> None:
    """The new protocol (KIP-848) leaves it to the broker when a member is dead: 45 s as shipped."""
    topic = broker.topic(2)
    group = f"g-{topic}"

    def shared_by(members: int) -> dict[str, list[int]]:
        return poll(
            lambda: broker.admin.shares(group, topic),
            until=lambda shares: (
                len(shares) == members and sorted(chain(*shares.values())) == [0, 1]
            ),
            within=25,
            awaiting=f"{members} members to share the partitions",
        )

    first = member(group, topic, protocol)
    shared_by(1)
    member(group, topic, protocol)
    both = shared_by(2)
    assert broker.admin.active_members(group) == both.keys()
    first.kill()
    (left,) = shared_by(1)
    assert left in both
    assert broker.admin.members(group) == {left}
