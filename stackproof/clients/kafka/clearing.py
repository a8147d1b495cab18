"""Finding and removing topics and groups by the beginning of their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kafka.admin import MemberToRemove
from kafka.errors import KafkaError, RetriableError, for_code

from stackproof.polling import DeadlineExceeded, poll

_GONE = ("OK", "NoError", "GroupIdNotFoundError", "UnknownTopicOrPartitionError")
_HAS_MEMBERS = "NonEmptyGroupError"
#: States of a group without members; brokers before 2.6 do not tell the state.
_WITHOUT_MEMBERS = ("", "Empty", "Dead", "Unknown")


def topics(admin: Any, prefix: str) -> list[str]:
    """Names of all topics that begin with ``prefix``."""
    return sorted(name for name in admin.list_topics() if name.startswith(prefix))


def groups(admin: Any, prefix: str, *, within: float) -> dict[str, bool]:
    """Groups that begin with ``prefix``, and whether they have members.

    Args:
        within: seconds to wait for coordinators that are just being made or moved.

    Raises:
        DeadlineExceeded: they were not there in time.
    """
    # Each broker tells of its own groups only.
    brokers = [broker["broker_id"] for broker in admin.describe_cluster()["brokers"]]
    listed = poll(
        lambda: admin.list_groups(brokers),
        until=lambda _: True,
        within=within,
        awaiting="the coordinators of all groups",
        retry_on=(RetriableError,),
    )
    return {
        group["group_id"]: group.get("group_state", "") not in _WITHOUT_MEMBERS
        for group in sorted(listed, key=lambda group: group["group_id"])
        if group["group_id"].startswith(prefix)
    }


def delete_topics(admin: Any, names: Sequence[str]) -> dict[str, str]:
    """Delete topics; why, by name, for those that could not be."""
    if not names:
        return {}
    answer = admin.delete_topics(names, raise_errors=False)
    return _left({t["name"]: for_code(t["error_code"]).__name__ for t in answer["topics"]})


def delete_groups(admin: Any, names: Sequence[str], *, within: float) -> dict[str, str]:
    """Delete groups, dead members included; why, by name, for those that could not be.

    A member that was killed counts as one until its session times out, which may take a
    minute: it is made to leave.

    Args:
        within: seconds to wait for groups to be without members.
    """
    left = dict.fromkeys(names, "")

    def attempt() -> dict[str, str]:
        nonlocal left
        left = _left(admin.delete_groups(list(left)))
        for name, error in left.items():
            if error == _HAS_MEMBERS:
                _evict(admin, name)
        return left

    if names:
        try:
            poll(attempt, until=lambda found: not found, within=within,
                 awaiting="groups to be deleted", retry_on=(KafkaError,))  # fmt: skip
        except DeadlineExceeded as late:
            return {name: error or str(late.seen) for name, error in left.items()}
    return left


def _evict(admin: Any, group: str) -> None:
    members = admin.describe_groups([group])[group]["members"]
    leaving = [
        # A static member does not go by its ID, only by its name.
        MemberToRemove(group_instance_id=member["group_instance_id"])
        if member.get("group_instance_id")
        else MemberToRemove(member_id=member["member_id"])
        for member in members
    ]
    if leaving:
        admin.remove_group_members(group, leaving)


def _left(answers: Mapping[str, str]) -> dict[str, str]:
    return {name: error for name, error in answers.items() if error not in _GONE}
