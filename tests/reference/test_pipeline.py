from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from confluent_kafka import KafkaError, KafkaException
from hypothesis import given, settings
from hypothesis import strategies as st

from reference.churn_pipeline import pipeline as pipeline_module
from reference.churn_pipeline.pipeline import (
    ANY_PARTITION,
    ChurnPipeline,
    CommitError,
    DeliveryError,
    PipelineError,
)
from tests.reference.customers import as_bytes, numbered
from tests.reference.fakes import CONFIG, CONTRACTS, FakeConsumer, FakeMessage, World


def valid(number: int, place: int = 0, **more: Any) -> FakeMessage:
    key = f"k{number}".encode()
    return FakeMessage(as_bytes(numbered(number)), number, place, key, **more)


def invalid(number: int, place: int = 0) -> FakeMessage:
    return FakeMessage(b"junk", number, place, f"k{number}".encode())


def partitions(*numbers: int) -> list[Any]:
    return [SimpleNamespace(topic="in", partition=number, offset=0) for number in numbers]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "COMMIT_PAUSE_SECONDS", 0)


def test_everything_is_delivered_before_the_commit() -> None:
    world = World().run(valid(0), invalid(1), valid(2))
    assert world.steps == [
        ("subscribe", ("in",)),
        ("deliver", "out", b"k0"),
        ("deliver", "dlq", b"k1"),
        ("deliver", "out", b"k2"),
        ("commit", "in", 0, 3),
        ("close",),
    ]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2)), max_size=30), st.integers(1, 7))
def test_at_every_commit_everything_before_it_is_delivered(
    plan: list[tuple[bool, int]], batch_size: int
) -> None:
    world = World(config=replace(CONFIG, batch_size=batch_size)).run(
        *((valid if good else invalid)(number, place) for number, (good, place) in enumerate(plan))
    )
    delivered: set[bytes] = set()
    committed = 0
    for what, *rest in world.steps:
        if what == "deliver":
            delivered.add(rest[1])
        elif what == "commit":
            _, place, position = rest
            before = {
                f"k{number}".encode()
                for number, (_, where) in enumerate(plan)
                if where == place and number < position
            }
            assert before <= delivered
            committed += 1
    assert len(delivered) == len(plan) == len(world.fake_producer.records)
    assert committed >= (1 if plan else 0)


def test_a_commit_covers_each_partition_once_at_its_end() -> None:
    world = World().run(valid(4, 1), valid(9, 2), valid(5, 1))
    assert [step for step in world.steps if step[0] == "commit"] == [
        ("commit", "in", 1, 6),
        ("commit", "in", 2, 10),
    ]


def test_batches_are_no_bigger_than_asked() -> None:
    world = World(config=replace(CONFIG, batch_size=2)).run(*map(valid, range(5)))
    assert [step[3] for step in world.steps if step[0] == "commit"] == [2, 4, 5]
    assert world.figure("churn_batch_duration_seconds_count") == 3


def test_batches_end_early_when_the_messages_are_big(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "MAX_BATCH_BYTES", 50)
    world = World().run(*(FakeMessage(b"x" * 30, number) for number in range(5)))
    assert [step[3] for step in world.steps if step[0] == "commit"] == [2, 4, 5]


@pytest.mark.parametrize(("topic", "failed"), [("out", 2), ("dlq", 1)])
def test_a_failed_delivery_is_not_committed(topic: str, failed: int) -> None:
    world = World()
    world.fake_producer.failing.add(topic)
    with pytest.raises(DeliveryError, match=f"{failed} not delivered, the first: {topic}: "):
        world.run(valid(0), invalid(1), valid(2))
    assert not [step for step in world.steps if step[0] == "commit"]
    assert world.steps[-1] == ("close",)


def test_an_earlier_batch_stays_committed_when_a_later_one_fails() -> None:
    world = World(config=replace(CONFIG, batch_size=1))
    world.fake_producer.failing.add("dlq")
    with pytest.raises(DeliveryError):
        world.run(valid(0), invalid(1), valid(2))
    assert [step for step in world.steps if step[0] == "commit"] == [("commit", "in", 0, 1)]
    assert ("deliver", "out", b"k2") not in world.steps


def test_a_full_queue_is_waited_for() -> None:
    world = World()
    world.fake_producer.capacity = 2
    world.run(*map(valid, range(7)))
    assert [record["key"] for record in world.sent_to("out")] == [
        f"k{number}".encode() for number in range(7)
    ]


def test_a_full_queue_that_does_not_empty_is_an_error() -> None:
    world = World()
    world.fake_producer.capacity = 1
    world.fake_producer.failing.add("out")
    with pytest.raises(DeliveryError):
        world.run(valid(0), valid(1))


def test_a_record_that_the_producer_refuses_is_an_error() -> None:
    world = World()

    def refuse(topic: str, **record: Any) -> None:
        raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))

    world.fake_producer.produce = refuse  # type: ignore[method-assign]
    with pytest.raises(DeliveryError, match="out: "):
        world.run(valid(0))


def test_a_commit_is_tried_again() -> None:
    world = World()
    world.fake_consumer.commit_errors.extend([KafkaError._WAIT_COORD, KafkaError._TIMED_OUT])
    world.run(valid(0))
    assert ("commit", "in", 0, 1) in world.steps
    assert world.figure("churn_commits_total") == 1


def test_a_commit_that_never_succeeds_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "COMMIT_SECONDS", 0)
    world = World()
    world.fake_consumer.commit_errors.append(KafkaError._WAIT_COORD)
    with pytest.raises(CommitError):
        world.run(valid(0))
    assert world.steps[-1] == ("close",)


def test_a_commit_to_a_group_that_moved_on_is_dropped() -> None:
    world = World()
    world.fake_consumer.commit_errors.append(KafkaError.ILLEGAL_GENERATION)
    world.run(valid(0))
    assert not [step for step in world.steps if step[0] == "commit"]
    assert world.figure("churn_commits_total") == 0


def test_a_revoked_partition_is_finished_and_committed_first() -> None:
    def revoke(consumer: FakeConsumer) -> None:
        consumer.callbacks["on_revoke"](consumer, partitions(0))
        world.steps.append(("revoked",))

    world = World()
    world.run(valid(0), revoke, valid(1))
    assert world.steps == [
        ("subscribe", ("in",)),
        ("deliver", "out", b"k0"),
        ("commit", "in", 0, 1),
        ("revoked",),
        ("deliver", "out", b"k1"),
        ("commit", "in", 0, 2),
        ("close",),
    ]


def test_a_lost_partition_is_neither_sent_nor_committed() -> None:
    def lose(consumer: FakeConsumer) -> None:
        consumer.callbacks["on_lost"](consumer, partitions(1))

    world = World().run(valid(0, 0), valid(1, 1), lose)
    assert [step for step in world.steps if step[0] in ("deliver", "commit")] == [
        ("deliver", "out", b"k0"),
        ("commit", "in", 0, 1),
    ]


def test_a_stop_finishes_what_was_taken_and_takes_no_more() -> None:
    world = World()
    poll = world.fake_consumer.poll

    def stop_and_poll(timeout: float) -> Any:
        world.stop.set()
        return poll(timeout)

    world.fake_consumer.poll = stop_and_poll  # type: ignore[method-assign]
    world.run(valid(0), valid(1))
    assert world.steps[1:] == [("deliver", "out", b"k0"), ("commit", "in", 0, 1), ("close",)]


def test_errors_among_the_messages_are_no_messages() -> None:
    trouble = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
    world = World().run(FakeMessage(None, trouble=trouble), valid(0))
    assert len(world.fake_producer.records) == 1


def test_a_fatal_error_ends_the_pipeline() -> None:
    trouble = SimpleNamespace(
        fatal=lambda: True, str=lambda: "fenced", code=lambda: -1, name=lambda: "_FATAL"
    )
    world = World()
    with pytest.raises(PipelineError, match="fenced"):
        world.run(FakeMessage(None, trouble=trouble))
    assert world.steps[-1] == ("close",)


def test_ready_is_said_at_the_first_assignment(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    world = World()
    assert not world.pipeline.ready.is_set()
    world.pipeline.on_assign(None, partitions(2, 0))
    world.pipeline.on_assign(None, [])
    assert world.pipeline.ready.is_set()
    assert caplog.messages == [
        "ready: group churn-pipeline, partitions in[0], in[2]",
        "assigned again: group churn-pipeline, partitions none",
    ]


def test_missing_topics_are_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    lacking = {"in": 3}
    world.fake_producer.topics, complete = lacking, world.fake_producer.topics
    listed = world.fake_producer.list_topics

    def list_topics(*, timeout: float) -> Any:
        answer = listed(timeout=timeout)
        world.fake_producer.topics = complete
        return answer

    world.fake_producer.list_topics = list_topics  # type: ignore[method-assign]
    world.run(valid(0))
    assert "waiting for missing topics: out, dlq" in caplog.messages
    assert len(world.fake_producer.records) == 1


def test_an_unreachable_broker_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.fake_producer.metadata_errors.extend(
        [KafkaException(KafkaError(KafkaError._TRANSPORT))] * 3
    )
    world.run(valid(0))
    waiting = [line for line in caplog.messages if "waiting for the broker" in line]
    assert len(waiting) == 1
    assert len(world.fake_producer.records) == 1


def test_a_stop_ends_the_waiting() -> None:
    world = World()
    world.fake_producer.topics = {}
    world.stop.set()
    world.run()
    assert world.steps == [("close",)]


def test_a_prediction_meets_its_contract_and_carries_what_it_must() -> None:
    contract = json.loads((CONTRACTS / "prediction.schema.json").read_text())
    world = World().run(*map(valid, range(20)))
    for number, record in enumerate(world.sent_to("out")):
        prediction = json.loads(record["value"])
        jsonschema.validate(prediction, contract)
        for name in contract["x-carried"]:
            assert prediction[name] == numbered(number)[name]
        assert prediction["prediction"] == (prediction["churn_probability"] >= 0.5)


def test_predictions_keep_key_and_partition() -> None:
    world = World().run(valid(0, 2), FakeMessage(as_bytes(numbered(1)), 1, 1, None))
    kept = [(record["key"], record["partition"]) for record in world.sent_to("out")]
    assert kept == [(b"k0", 2), (None, 1)]


def test_the_key_decides_when_the_topics_have_different_numbers_of_partitions() -> None:
    world = World()
    world.fake_producer.topics["out"] = 2
    world.run(valid(0, 1))
    assert world.sent_to("out")[0]["partition"] == ANY_PARTITION


def test_a_partition_that_came_later_is_left_to_the_key() -> None:
    world = World().run(valid(0, 3))
    assert world.sent_to("out")[0]["partition"] == ANY_PARTITION


def test_figures() -> None:
    world = World().run(valid(0), invalid(1), FakeMessage(None, 2), valid(3))
    assert world.figure("churn_messages_received_total") == 4
    assert world.figure("churn_predictions_total") == 2
    assert world.figure("churn_dead_letters_total", error_type="invalid_json") == 1
    assert world.figure("churn_dead_letters_total", error_type="null_message") == 1
    assert world.figure("churn_dead_letters_total", error_type="too_large") == 0
    assert world.figure("churn_commits_total") == 1


def test_a_part_can_be_replaced() -> None:
    class Silent(ChurnPipeline):
        def records_for(self, message: Any) -> list[Any]:
            return []

        def commit(self, batch: Sequence[Any]) -> None:
            pass

    assert World(Silent).run(valid(0)).steps == [("subscribe", ("in",)), ("close",)]
