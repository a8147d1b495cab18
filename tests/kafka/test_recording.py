"""What clients record, of a real broker: polls, rebalances, transactions, final drains."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from kafka import errors as kafka_errors

from stackproof.history import Flow, History, check_flow
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.kafka import KafkaFixture
from stackproof.services.kafka.client import (
    GroupConsumer,
    Message,
    Publisher,
    TopicReader,
    TopicSpec,
    TransactionalPublisher,
    consuming,
    drain,
    transform,
)

PATIENCE = 30.0

pytestmark = pytest.mark.kafka


def messages(*keys: str) -> list[Message]:
    return [Message(key.encode(), f"content of {key}".encode()) for key in keys]


def flow(topic: str, **rules: object) -> Flow:
    return Flow("delivery", topic, topic, content="bytes", order="sequence", **rules)  # type: ignore[arg-type]


def names(history: History, topic: str, **rules: object) -> list[str]:
    return [found.name for found in check_flow(history, flow(topic, **rules)).violations]


@pytest.fixture
def history() -> History:
    return History("a test")


@pytest.fixture
def producer(broker, history, closing):
    return closing(Publisher(broker.connection, history, name="producer"))


@pytest.fixture
def transactional(broker, history, closing):
    def make(name: str, transactional_id: str = "", **options: object):
        return closing(
            TransactionalPublisher(
                broker.connection, history, name=name, within=PATIENCE,
                transactional_id=transactional_id or f"{name} of {id(history)}", **options,
            )
        )  # fmt: skip

    return make


def drained(broker, history, topic, name="drain", **how):
    return drain(broker.connection, history, topic, name=name, within=PATIENCE, **how)


def test_a_final_drain_reads_all_partitions_whole(broker, history, producer):
    topic = broker.topic(3)
    producer.publish(topic, messages(*"abcdefgh"), within=PATIENCE)
    assert len(drained(broker, history, topic)) == 8
    verdict = check_flow(history, flow(topic, guarantee="idempotent", drained=True))
    assert verdict.ok and verdict.conclusive and verdict.drained, verdict.explain()
    (done,) = history.snapshot().drains
    assert set(done.begins.values()) == {0}
    assert sum(done.ends.values()) == 8
    (reader,) = history.snapshot().consumers
    assert (reader.isolation, reader.mode) == ("read_committed", "assign")


def test_an_acknowledged_record_that_is_gone_is_found_by_a_drain(broker, history, producer):
    topic = broker.topic()
    producer.publish(topic, messages("a", "b"), within=PATIENCE)
    # Nobody sent it to this broker: the history says that it was acknowledged.
    op = history.send(client="liar", topic=topic, ident="ghost", digest=1)
    history.complete(op, "ok", partition=0, offset=2)
    drained(broker, history, topic)
    assert names(history, topic) == ["lost", "unseen"]


def test_acks_0_tells_no_offset_and_what_is_lost_is_still_found(broker, history, closing):
    topic = broker.topic()
    producer = closing(
        Publisher(broker.connection, history, name="p", acks=0, enable_idempotence=False)
    )
    assert producer.publish(topic, messages("a", "b"), within=PATIENCE).ok == 2
    assert history.snapshot().sends.offset.tolist() == [-1, -1]
    rules = {"guarantee": "at-most-once", "drained": True}
    poll(lambda: broker.admin.end_offsets(topic), until=lambda ends: sum(ends.values()) == 2,
         within=PATIENCE, awaiting="both to arrive")  # fmt: skip
    # A third is "acknowledged" and never sent: as if the broker had died.
    history.complete(history.send(client="p", topic=topic, ident="c", digest=1), "ok", partition=0)
    drained(broker, history, topic)
    verdict = check_flow(history, flow(topic, expected=("lost", "unseen"), **rules))
    assert verdict.ok and verdict.conclusive, verdict.explain()
    assert not check_flow(history, flow(topic, expected=("vanished",), **rules)).conclusive
    assert names(history, topic) == ["lost", "unseen"]


def test_an_observer_goes_on_where_it_was(broker, history, producer, closing):
    topic = broker.topic(2)
    reader = closing(TopicReader(broker.connection, history, topic, name="observer"))
    for part in ("abc", "def", "ghi"):
        producer.publish(topic, messages(*part), within=PATIENCE)
        reader.drain(within=PATIENCE)
    drained(broker, history, topic)
    assert names(history, topic) == []
    snapshot = history.snapshot()
    assert (snapshot.receptions.poll >= 0).all()
    assert len(set(snapshot.receptions.poll.tolist())) >= 3


def test_a_member_that_is_moved_is_not_blamed_for_it(broker, history, producer, closing):
    topic = broker.topic(2)
    group = f"group of {topic}"

    def join(name: str) -> GroupConsumer:
        return closing(GroupConsumer(broker.connection, history, topic, group=group, name=name))

    producer.publish(topic, messages(*"abcdefgh"), within=PATIENCE)
    one = join("one")
    poll(lambda: one.poll(), until=lambda _: len(one.records) == 8, within=PATIENCE,
         awaiting="eight records")  # fmt: skip
    # Nothing is committed: whoever gets a partition next begins at its start.
    two = join("two")

    def shared() -> bool:
        one.poll()
        two.poll()
        return bool(two.assigned) and len(one.assigned) == 1

    poll(shared, until=bool, within=PATIENCE, awaiting="both to have a partition")
    poll(lambda: (one.poll(), two.poll()), until=lambda _: len(two.records) > 0, within=PATIENCE,
         awaiting="the second to receive")  # fmt: skip
    two.close()
    poll(lambda: one.poll(), until=lambda _: len(one.records) > 8, within=PATIENCE,
         awaiting="the first to have its partition back, and to read it again")  # fmt: skip
    snapshot = history.snapshot()
    assert {(a.client, a.change) for a in snapshot.assignments} >= {
        ("one", "assigned"), ("one", "revoked"), ("two", "assigned"),
    }  # fmt: skip
    found = check_flow(history, flow(topic, guarantee="at-least-once"))
    assert found.ok, found.explain()
    # The same receptions without the rebalances are an anomaly.
    blind = replace(snapshot, assignments=())
    assert "nonmonotonic-poll" in [a.name for a in check_flow(blind, flow(topic)).violations]


def test_a_member_whose_poll_ends_before_it_has_joined_is_assigned_its_partitions(
    broker, history, producer, closing, monkeypatch
):
    topic = broker.topic(2)
    producer.publish(topic, messages(*"abcdefgh"), within=PATIENCE)
    member = closing(
        GroupConsumer(broker.connection, history, topic, group=f"group of {topic}", name="one")
    )
    poll(lambda: member.poll(), until=lambda _: len(member.records) == 8, within=PATIENCE,
         awaiting="eight records")  # fmt: skip
    # For as long as one short poll, the topic's partitions seem to have changed.
    coordinator = member._consumer._coordinator
    known = coordinator._metadata_snapshot
    with monkeypatch.context() as short:
        short.setattr(consuming, "_GROUP_POLL_MS", 1)
        changed = itertools.count(100)

        def disturbed() -> bool:
            coordinator._metadata_snapshot = {topic: {next(changed)}}
            member.poll()
            return member._listener.joining

        poll(disturbed, within=PATIENCE, awaiting="a poll to begin to join, and to end")
    coordinator._metadata_snapshot = known
    producer.publish(topic, messages(*"ijkl"), within=PATIENCE)
    poll(lambda: member.poll(), until=lambda _: len(member.records) >= 12, within=PATIENCE,
         awaiting="its partitions to be assigned again")  # fmt: skip
    assert not member._listener.joining


def test_one_that_assigns_itself_its_partitions_is_blamed_for_going_back(
    broker, history, producer, closing
):
    topic = broker.topic()
    producer.publish(topic, messages(*"abcd"), within=PATIENCE)
    consumer = closing(
        GroupConsumer(
            broker.connection, history, topic, group=f"g {topic}", name="one", partitions=[0]
        )
    )
    consumer.receive(4, within=PATIENCE)
    consumer.seek(topic, 0, 0)
    consumer.receive(2, within=PATIENCE)
    assert "nonmonotonic-poll" not in names(history, topic)
    consumer._consumer.seek(*_place(topic), 0)  # behind the history's back
    consumer.receive(2, within=PATIENCE)
    assert "nonmonotonic-poll" in names(history, topic)
    assert "poll-skip" not in names(history, topic)
    consumer._consumer.seek(*_place(topic), 3)
    consumer.receive(1, within=PATIENCE)
    assert "poll-skip" in names(history, topic)


def _place(topic: str):
    from kafka import TopicPartition

    return (TopicPartition(topic, 0),)


def test_committed_transactions_are_seen_and_aborted_ones_are_not(
    broker, history, transactional, closing
):
    topic = broker.topic(2)
    publisher = transactional("tx")
    for keys, end in (("abc", publisher.commit), ("def", publisher.abort),
                      ("ghi", publisher.commit)):  # fmt: skip
        publisher.begin()
        publisher.publish(topic, messages(*keys), within=PATIENCE)
        end()
    seen = {record.ident for record in drained(broker, history, topic)}
    assert seen == set("abcghi")
    verdict = check_flow(history, flow(topic, guarantee="exactly-once", drained=True))
    assert verdict.ok and verdict.conclusive, verdict.explain()
    assert (verdict.figures.acknowledged, verdict.figures.failed) == (6, 3)
    # Who reads uncommitted records sees the aborted ones, and that is no anomaly.
    everything = drained(broker, history, topic, "uncommitted", isolation="read_uncommitted")
    assert {record.ident for record in everything} == set("abcdefghi")
    assert names(history, topic, guarantee="exactly-once") == []


def test_aborted_records_seen_by_a_reader_of_committed_ones_are_found(
    broker, history, transactional
):
    topic = broker.topic()
    publisher = transactional("tx")
    publisher.begin()
    publisher.publish(topic, messages("a"), within=PATIENCE)
    publisher.abort()
    # It says that it reads committed records, and does not.
    real = drained(broker, History(), topic, isolation="read_uncommitted")
    history.consumer("liar", isolation="read_committed")
    number = history.poll("liar")
    for record in real:
        history.receive(
            client="liar", topic=topic, partition=0, offset=record.offset, ident=record.ident,
            digest=int(history.snapshot().sends.digest[0]), poll=number,
        )  # fmt: skip
    history.polled(number)
    assert names(history, topic) == ["aborted-read"]


def test_a_transaction_that_hangs_open_stops_the_drain(broker, history, transactional):
    topic = broker.topic()
    publisher = transactional("tx")
    publisher.begin()
    publisher.publish(topic, messages("a"), within=PATIENCE)
    publisher.leave_open()
    with pytest.raises(DeadlineExceeded, match="1 record from the end"):
        drain(broker.connection, history, topic, name="drain", within=1)
    assert not history.snapshot().drains
    # Its successor ends it.
    transactional("next", transactional_id=publisher.transactional_id)
    assert drained(broker, history, topic, "second drain") == []
    verdict = check_flow(history, flow(topic, guarantee="exactly-once"))
    assert verdict.ok and not verdict.conclusive, verdict.explain()


def test_a_zombie_is_fenced_and_what_it_sent_is_never_seen(broker, history, transactional):
    topic = broker.topic()
    zombie = transactional("zombie")
    zombie.begin()
    zombie.publish(topic, messages("a"), within=PATIENCE)
    successor = transactional("successor", transactional_id=zombie.transactional_id)
    with pytest.raises((kafka_errors.ProducerFencedError, kafka_errors.InvalidProducerEpochError)):
        zombie.commit()
    successor.begin()
    successor.publish(topic, messages("b"), within=PATIENCE)
    successor.commit()
    assert [record.ident for record in drained(broker, history, topic)] == ["b"]
    verdict = check_flow(history, flow(topic, guarantee="exactly-once"))
    assert verdict.ok, verdict.explain()
    assert (verdict.figures.acknowledged, verdict.figures.failed) == (1, 1)


def test_consume_transform_produce(broker, history, producer, transactional, closing):
    source, target = broker.topic(2), broker.topic(2)
    producer.publish(source, messages(*"abcdef"), within=PATIENCE)
    group = f"group of {source}"
    publisher = transactional("transformer")

    def work(name: str, until: int) -> int:
        consumer = closing(
            GroupConsumer(
                broker.connection, history, source, group=group, name=name,
                isolation="read_committed", max_poll_records=2,
            )
        )  # fmt: skip
        done = 0

        def some() -> int:
            nonlocal done
            done += transform(
                consumer, publisher, target,
                lambda record: Message(record.key, record.value), within=PATIENCE,
            )  # fmt: skip
            return done

        poll(some, until=lambda n: n >= until, within=PATIENCE, awaiting="the work")
        consumer.close()
        return done

    # The second goes on where the first has committed, within its transactions.
    first = work("one", 3)
    assert first + work("two", 6 - first) == 6
    assert broker.admin.lag(group, source) == 0
    drained(broker, history, target)
    verdict = check_flow(
        history,
        Flow("through", source, target, content="bytes", guarantee="exactly-once", drained=True),
    )
    assert verdict.ok and verdict.conclusive, verdict.explain()
    assert verdict.figures.acknowledged == 6


class Scenario:
    """As much of a scenario's session as its work with Kafka asks for."""

    def __init__(self, broker, history: History):
        self.history = history
        self.endpoint = lambda _: broker.endpoint
        self.cleanups: list[object] = []
        self.add_cleanup = self.cleanups.append

    def own(self, name: str) -> str:
        return f"{name}-{id(self)}"

    def scaled(self, seconds: float) -> float:
        return seconds * 2


def test_a_scenario_has_all_of_it(broker, history):
    scenario = Scenario(broker, history)
    kafka = KafkaFixture(scenario)  # type: ignore[arg-type]
    try:
        kafka.create_topics([TopicSpec("t", 2)])
        topic = kafka.own("t")
        first, second = kafka.transactional("tx"), kafka.transactional("tx")
        assert first.name != second.name
        second.begin()
        second.publish(topic, messages(*"abcd"), within=PATIENCE)
        second.commit()
        consumer = kafka.join("t", "g", isolation="read_committed", partitions=[0, 1])
        consumer.receive(4, within=PATIENCE)
        assert len(kafka.final_drain(topic)) == len(kafka.final_drain(topic)) == 4
        rules = kafka.delivery("t", guarantee="exactly-once", drained=True)
        verdict = check_flow(history, rules)
        assert verdict.ok and verdict.conclusive, verdict.explain()
        assert (verdict.figures.received, verdict.figures.redelivered) == (4, 0)
        assert verdict.figures.lag_worst is not None
        # kafka-python had the refusal while sending, and does not ask to commit any more.
        with pytest.raises(kafka_errors.KafkaError, match=r"error state: .*ProducerFenced"):
            first.begin()
            first.publish(topic, messages("e"), within=PATIENCE)
            first.commit()
        assert check_flow(history, rules).figures.failed == 1
    finally:
        for cleanup in reversed(scenario.cleanups):
            cleanup()  # type: ignore[operator]


def test_what_an_observer_finds_is_told_apart_from_what_others_were_handed(broker, history):
    scenario = Scenario(broker, history)
    kafka = KafkaFixture(scenario)  # type: ignore[arg-type]
    try:
        kafka.create_topics([TopicSpec("t", 1)])
        kafka.publish("t", messages(*"abc"))
        consumer = kafka.join("t", "g", partitions=[0])
        consumer.receive(3, within=PATIENCE)
        assert check_flow(history, kafka.observed("t", within=PATIENCE)).ok
        assert not check_flow(history, kafka.delivery("t")).ok, "the consumer's count, too"
        kafka.new_publisher("another").publish(kafka.own("t"), messages("d"), within=PATIENCE)
        flow = kafka.observed("t", within=PATIENCE)
        assert set(flow.scope_clients or ()) == {"producer", "another", "observer"}
        assert check_flow(history, flow).ok
    finally:
        for cleanup in reversed(scenario.cleanups):
            cleanup()  # type: ignore[operator]
