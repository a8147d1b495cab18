"""Making a cluster of the suite's own as good as new, and looking whether it is.

A new cluster has no topics at all: those of groups' offsets and of transactions are made when
they are first used. They are deleted with the others, and groups and transactions go with them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from stackproof.clients.kafka import clearing
from stackproof.clients.kafka.direct import DirectBroker, brokers_at
from stackproof.errors import Trouble
from stackproof.services.renewal import first_of

_WITHOUT_MEMBERS = ("Empty", "Dead")


def clear(admin: Any, addresses: Mapping[str, str], *, timeout: float) -> None:
    """Delete all topics, the internal ones too; they are gone some time after.

    Args:
        admin: librdkafka's client for administration.
        addresses: as of an endpoint.
        timeout: seconds for each question.

    Raises:
        Trouble: a group has members, or a topic cannot be deleted.
        OSError: a broker does not answer.
    """
    for broker in brokers_at(addresses).values():
        groups = broker.groups(timeout=timeout)
        used = [name for name, state in groups.items() if state not in _WITHOUT_MEMBERS]
        if used:  # somebody is left who would go on
            raise Trouble(f"group {used[0]} still has members")
    left = clearing.delete_topics(admin, clearing.topics(admin, ""))
    for name, error in left.items():
        raise Trouble(f"topic {name} cannot be deleted", str(error))


def unlike_new(addresses: Mapping[str, str], *, timeout: float) -> str | None:
    """What tells one of the brokers from a new one, in words; None: nothing does."""
    brokers = brokers_at(addresses)
    for number, broker in brokers.items():
        try:
            found = _found_at(number, broker, brokers, timeout)
        except OSError as error:
            found = f"it does not tell: {error or type(error).__name__}"
        if found:
            return f"broker {number}: {found}"
    return None


def _found_at(
    number: int, broker: DirectBroker, brokers: Collection[int], timeout: float
) -> str | None:
    view = broker.view(timeout=timeout)
    missed = [other for other in brokers if other not in view.alive]
    if missed:
        return f"broker {missed[0]} is not alive, as it sees it"
    if broker.controller(timeout=timeout) not in brokers:
        return "it knows no controller"
    left = {
        "topic": sorted({topic for topic, _ in view.partitions}),
        "group": sorted(broker.groups(timeout=timeout)),
        "transactional ID": sorted(broker.transactions(timeout=timeout)),
        "changed setting": broker.changed_settings(number, timeout=timeout),
    }
    return first_of(left)
