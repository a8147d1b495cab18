"""Finding and removing topics and groups: what a broker may answer meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from kafka.errors import CoordinatorLoadInProgressError, GroupAuthorizationFailedError

from stackproof.clients.kafka import clearing
from stackproof.polling import DeadlineExceeded


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
            if isinstance(found, Exception):
                raise found
            return found

        return answer

    def called(self, name: str) -> list[tuple[Any, ...]]:
        return [arguments for called, arguments in self.calls if called == name]


BROKERS = [{"brokers": [{"broker_id": 1}, {"broker_id": 2}]}]
LISTED = [
    {"group_id": "p-b", "group_state": "Stable"},
    {"group_id": "p-a", "group_state": "Empty"},
    {"group_id": "q-a", "group_state": "Stable"},
]


def test_a_coordinator_that_is_just_being_made_is_waited_for() -> None:
    admin = Admin(describe_cluster=BROKERS, list_groups=[CoordinatorLoadInProgressError(), LISTED])
    assert clearing.groups(admin, "p-", within=10) == {"p-a": False, "p-b": True}
    assert admin.called("list_groups") == [([1, 2],)] * 2, "all brokers are asked"


def test_not_for_ever() -> None:
    admin = Admin(describe_cluster=BROKERS, list_groups=[CoordinatorLoadInProgressError()])
    with pytest.raises(DeadlineExceeded, match="CoordinatorLoadInProgress"):
        clearing.groups(admin, "p-", within=0.05)


def test_what_waiting_does_not_mend_is_raised() -> None:
    admin = Admin(describe_cluster=BROKERS, list_groups=[GroupAuthorizationFailedError()])
    with pytest.raises(GroupAuthorizationFailedError):
        clearing.groups(admin, "p-", within=10)


MEMBERS = {"a": {"members": [{"member_id": "m-1"}, {"member_id": "m-2", "group_instance_id": "x"}]}}


def test_dead_members_are_made_to_leave() -> None:
    admin = Admin(
        delete_groups=[{"a": "NonEmptyGroupError", "b": "OK"}, {"a": "OK"}],
        describe_groups=[MEMBERS],
        remove_group_members=[{}],
    )
    assert clearing.delete_groups(admin, ["a", "b"], within=10) == {}
    ((group, leaving),) = admin.called("remove_group_members")
    assert group == "a"
    assert [(m.member_id, m.group_instance_id) for m in leaving] == [("m-1", None), (None, "x")]
    assert admin.called("delete_groups") == [(["a", "b"],), (["a"],)], "what is gone is gone"


def test_what_is_gone_already_is_as_good_as_removed() -> None:
    admin = Admin(delete_groups=[{"a": "GroupIdNotFoundError"}])
    assert clearing.delete_groups(admin, ["a"], within=10) == {}


def test_what_stays_is_told_with_the_reason() -> None:
    admin = Admin(delete_groups=[{"a": "GroupAuthorizationFailedError"}])
    left = clearing.delete_groups(admin, ["a"], within=0.05)
    assert left == {"a": "GroupAuthorizationFailedError"}
    topics = [{"name": "t", "error_code": 29}, {"name": "u", "error_code": 3},
              {"name": "v", "error_code": 0}]  # fmt: skip
    admin = Admin(delete_topics=[{"topics": topics}])
    assert clearing.delete_topics(admin, ["t", "u", "v"]) == {"t": "TopicAuthorizationFailedError"}


def test_nothing_is_asked_for_nothing() -> None:
    admin = Admin()
    assert clearing.delete_topics(admin, []) == {} == clearing.delete_groups(admin, [], within=1)
    assert admin.calls == []
