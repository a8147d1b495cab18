"""Finding and removing topics and groups: what a broker may answer meanwhile."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupState, KafkaError, KafkaException
from confluent_kafka.admin import ConsumerGroupListing, ListConsumerGroupsResult
from kafka.errors import GroupAuthorizationFailedError

from stackproof.polling import DeadlineExceeded
from stackproof.services.kafka.client import clearing

LOADING = KafkaException(KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS))
FORBIDDEN = KafkaException(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))
BUSY = KafkaException(KafkaError(KafkaError.NON_EMPTY_GROUP))
GONE = KafkaException(KafkaError(KafkaError.GROUP_ID_NOT_FOUND))
UNKNOWN = KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))


def answered(answer: Any) -> Future:
    future: Future = Future()
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
    return future


class Admin:
    """Answers from lists, one after the other; the last one again and again."""

    def __init__(self, **answers: list[Any]):
        self._answers = answers
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        def answer(*arguments: Any, **_: Any) -> Any:
            self.calls.append((name, arguments))
            answers = self._answers[name]
            found = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(found, dict):
                return {key: answered(value) for key, value in found.items()}
            return answered(found)

        return answer

    def called(self, name: str) -> list[tuple[Any, ...]]:
        return [arguments for called, arguments in self.calls if called == name]


def listed(*errors: Exception) -> ListConsumerGroupsResult:
    states = {"p-b": "STABLE", "p-a": "EMPTY", "q-a": "STABLE", "p-c": "UNKNOWN"}
    return ListConsumerGroupsResult(
        [ConsumerGroupListing(n, False, state=ConsumerGroupState[s]) for n, s in states.items()],
        list(errors),
    )


def evicting(evicted: list[str]) -> Any:
    return lambda group: evicted.append(group)


@pytest.mark.parametrize("loading", [LOADING, listed(LOADING.args[0])])
def test_a_coordinator_that_is_just_being_made_is_waited_for(loading: Any) -> None:
    admin = Admin(list_consumer_groups=[loading, listed()])
    assert clearing.groups(admin, "p-", within=10) == {"p-a": False, "p-b": True, "p-c": False}


def test_not_for_ever() -> None:
    admin = Admin(list_consumer_groups=[LOADING])
    with pytest.raises(DeadlineExceeded, match="CoordinatorLoadInProgress"):
        clearing.groups(admin, "p-", within=0.05)


@pytest.mark.parametrize("forbidden", [FORBIDDEN, listed(FORBIDDEN.args[0])])
def test_what_waiting_does_not_mend_is_raised(forbidden: Any) -> None:
    admin = Admin(list_consumer_groups=[forbidden])
    with pytest.raises(GroupAuthorizationFailedError):
        clearing.groups(admin, "p-", within=10)


def test_dead_members_are_made_to_leave() -> None:
    evicted: list[str] = []
    admin = Admin(delete_consumer_groups=[{"a": BUSY, "b": None}, {"a": None}])
    how = {"within": 10, "evict": evicting(evicted)}
    assert clearing.delete_groups(admin, ["a", "b"], **how) == {}
    assert evicted == ["a"]
    assert admin.called("delete_consumer_groups") == [(["a", "b"],), (["a"],)], "gone is gone"


def test_what_is_gone_already_is_as_good_as_removed() -> None:
    admin = Admin(delete_consumer_groups=[{"a": GONE}], delete_topics=[{"t": UNKNOWN}])
    assert clearing.delete_groups(admin, ["a"], within=10, evict=evicting([])) == {}
    assert clearing.delete_topics(admin, ["t"]) == {}


def test_what_stays_is_told_with_the_reason() -> None:
    admin = Admin(delete_consumer_groups=[{"a": FORBIDDEN}])
    left = clearing.delete_groups(admin, ["a"], within=0.05, evict=evicting([]))
    assert "GroupAuthorizationFailed" in str(left["a"])
    forbidden = KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    admin = Admin(delete_topics=[{"t": forbidden, "u": UNKNOWN, "v": None}])
    left = clearing.delete_topics(admin, ["t", "u", "v"])
    assert [*left] == ["t"] and "TopicAuthorizationFailed" in str(left["t"])


def test_nothing_is_asked_for_nothing() -> None:
    admin = Admin()
    how = {"within": 1, "evict": evicting([])}
    assert clearing.delete_topics(admin, []) == {} == clearing.delete_groups(admin, [], **how)
    assert admin.calls == []
