"""A group that no broker coordinates yet: librdkafka answers nothing until its time is over."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupState, KafkaError, KafkaException
from kafka.errors import KafkaTimeoutError

from stackproof.services.kafka.client.admin import KafkaAdmin


def admin_that_answers_after(silences: int, asked: list[float]) -> KafkaAdmin:
    class Client:
        def describe_consumer_groups(
            self, groups: list[str], *, request_timeout: float
        ) -> dict[str, Any]:
            asked.append(request_timeout)
            future: Future[Any] = Future()
            if len(asked) <= silences:
                future.set_exception(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
            else:
                future.set_result(SimpleNamespace(state=ConsumerGroupState.STABLE, members=[]))
            return {groups[0]: future}

    admin = KafkaAdmin.__new__(KafkaAdmin)
    admin._foreign = False
    admin._soon = {"request_timeout": 10.0}
    admin._client = Client()
    return admin


def test_a_group_without_a_coordinator_is_asked_for_again() -> None:
    asked: list[float] = []
    assert admin_that_answers_after(3, asked).members("readers") == frozenset()
    assert asked == [1.0, 2.0, 4.0, 10.0]


def test_a_broker_that_answers_nothing_is_told() -> None:
    asked: list[float] = []
    with pytest.raises(KafkaTimeoutError):
        admin_that_answers_after(9, asked).members("readers")
    assert asked == [1.0, 2.0, 4.0, 10.0]
