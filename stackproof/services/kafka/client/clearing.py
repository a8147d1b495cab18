"""Finding and removing topics and groups by the beginning of their names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from kafka.errors import (
    GroupIdNotFoundError,
    KafkaError,
    NonEmptyGroupError,
    RetriableError,
    UnknownTopicOrPartitionError,
)

from stackproof.access import Access
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.kafka.client.connection import connection
from stackproof.services.kafka.client.librdkafka import translated

_GONE = (GroupIdNotFoundError, UnknownTopicOrPartitionError)
#: Of groups without members; brokers before 2.6 do not tell the state.
_WITHOUT_MEMBERS = ("EMPTY", "DEAD", "UNKNOWN")
_ANSWERS_WITHIN = 10.0


def topics(admin: Any, prefix: str) -> list[str]:
    """Names of all topics that begin with ``prefix``.

    Raises:
        KafkaError: the broker does not tell.
    """
    with translated():
        found = admin.list_topics(timeout=_ANSWERS_WITHIN).topics
    return sorted(name for name in found if name.startswith(prefix))


def groups(admin: Any, prefix: str, *, within: float) -> dict[str, bool]:
    """Groups that begin with ``prefix``, and whether they have members.

    Args:
        within: seconds to wait for coordinators that are just being made or moved.

    Raises:
        DeadlineExceeded: they were not there in time.
        KafkaError: the broker does not tell.
    """

    def listed() -> list[Any]:
        with translated():
            answer = admin.list_consumer_groups(request_timeout=_ANSWERS_WITHIN).result()
            for error in answer.errors:  # of one of the brokers: each tells of its own groups
                raise error
        return list(answer.valid)

    found = poll(
        listed,
        until=lambda _: True,
        within=within,
        awaiting="the coordinators of all groups",
        retry_on=(RetriableError,),
    )
    return {
        group.group_id: group.state.name not in _WITHOUT_MEMBERS
        for group in sorted(found, key=lambda group: group.group_id)
        if group.group_id.startswith(prefix)
    }


def delete_topics(admin: Any, names: Sequence[str]) -> dict[str, KafkaError]:
    """Delete topics; why, by name, for those that could not be."""
    if not names:
        return {}
    return _left(admin.delete_topics(list(names), request_timeout=_ANSWERS_WITHIN))


def delete_groups(
    admin: Any, names: Sequence[str], *, within: float, evict: Callable[[str], None]
) -> dict[str, KafkaError]:
    """Delete groups, dead members included; why, by name, for those that could not be.

    A member that was killed counts as one until its session times out, which may take a
    minute: it is made to leave.

    Args:
        within: seconds to wait for groups to be without members.
        evict: makes the members of a group leave, as far as that is possible.
    """
    left: dict[str, KafkaError] = {}

    def attempt() -> dict[str, KafkaError]:
        nonlocal left
        wanted = list(left or names)
        left = _left(admin.delete_consumer_groups(wanted, request_timeout=_ANSWERS_WITHIN))
        for name, error in left.items():
            if isinstance(error, NonEmptyGroupError):
                evict(name)
        return left

    if names:
        with contextlib.suppress(DeadlineExceeded):
            poll(attempt, until=lambda found: not found, within=within,
                 awaiting="groups to be deleted")  # fmt: skip
    return left


def evict(addresses: Mapping[str, str], access: Access, group: str) -> None:
    """Make the members of a group leave: librdkafka cannot do that, kafka-python can.

    Where the broker or this client cannot, the members' sessions time out some time.
    """
    from kafka import KafkaAdminClient
    from kafka.admin import MemberToRemove

    # Whatever comes of it: what a client raises of a broker that it does not know is not told.
    with contextlib.suppress(Exception), contextlib.closing(
        KafkaAdminClient(**connection(addresses, access))
    ) as admin:  # fmt: skip
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


def _left(asked: Mapping[str, Future]) -> dict[str, KafkaError]:
    left = {}
    for name, future in asked.items():
        try:
            with translated():
                future.result()
        except _GONE:
            pass
        except KafkaError as error:
            left[name] = error
    return left
