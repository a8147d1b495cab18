"""The checks: one pure function per anomaly, and the register that names them.

A check takes a `FlowRecords` (the records of one flow, as columns) and returns an
`Anomaly`, with a count of 0 when all is well. To add one: write the function in
the module it belongs to, and enter it below.
"""

from collections.abc import Callable
from dataclasses import dataclass

from stackproof.history.anomaly import Anomaly
from stackproof.history.books import FlowRecords
from stackproof.history.checks import content, delivery, order, resume, routing
from stackproof.history.flow import Flow


@dataclass(frozen=True)
class Check:
    """A check: the anomaly's name, what it means, how to find it, and when it is looked for."""

    name: str
    meaning: str
    find: Callable[[FlowRecords], Anomaly]
    applies: Callable[[Flow], bool] = lambda flow: True


_REGISTER = (
    Check("lost", "acknowledged, but it never arrived", delivery.lost),
    Check("duplicated", "received more often than it was sent", delivery.duplicated),
    Check("unexpected", "received, but never sent on this path", delivery.unexpected),
    Check(
        "corrupted",
        "received with a content that was not sent",
        content.corrupted,
        lambda flow: flow.content is not None,
    ),
    Check(
        "reordered",
        "comes before a record that was sent earlier",
        order.reordered,
        lambda flow: flow.order is not None,
    ),
    Check(
        "inconsistent-offsets",
        "one position of a topic, two different records",
        content.inconsistent_offsets,
    ),
    Check(
        "conflicting-outcomes",
        "ended on two topics that exclude each other",
        routing.conflicting,
        lambda flow: bool(flow.exclusive_topics),
    ),
    Check(
        "misrouted",
        "ended only on a topic where it must not appear",
        routing.misrouted,
        lambda flow: bool(flow.exclusive_topics),
    ),
    Check(
        "gap-at-resume",
        "records left out where one consumer took over from another",
        resume.gap,
        lambda flow: bool(flow.group_clients),
    ),
    Check(
        "overlap-at-resume",
        "records handed to a consumer that another one had already received",
        resume.overlap,
        lambda flow: bool(flow.group_clients),
    ),
    Check(
        "unacknowledged-but-visible",
        "the send failed or its outcome is unknown, yet it arrived",
        delivery.unacknowledged,
    ),
)

CHECKS = {check.name: check for check in _REGISTER}
"""All checks by the name of their anomaly, in the order in which they are reported."""

__all__ = ["CHECKS", "Check"]
