"""The checks: one pure function per anomaly, and the register that names them.

A check takes a `FlowRecords` (the records of one flow, as columns) and returns an
`Anomaly`, with a count of 0 when all is well. To add one: write the function in
the module it belongs to, and enter it below.

They may touch `history` alone.
"""

from stackproof.history.books import FlowRecords
from stackproof.history.checks import (
    content,
    delivery,
    durability,
    order,
    polling,
    resume,
    routing,
    sending,
    transactions,
)
from stackproof.history.flow import Flow
from stackproof.history.looked_for import Check

_REGISTER: tuple[Check[FlowRecords, Flow], ...] = (
    Check("lost", "acknowledged, but it never arrived", delivery.lost, lambda flow: flow.settled),
    Check(
        "outstanding",
        "acknowledged, not arrived so far, and it may still come",
        delivery.lost,
        lambda flow: not flow.settled,
    ),
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
    Check(
        "lost-write",
        "acknowledged and never seen, though later offsets of its partition were",
        durability.lost_write,
        lambda flow: flow.settled and flow.sent_topic == flow.received_topic,
    ),
    Check(
        "unseen",
        "acknowledged and never seen, nor anything after it",
        durability.unseen,
        lambda flow: flow.settled,
    ),
    Check("vanished", "received, and gone at the final drain", durability.vanished),
    Check("stored-twice", "lies at more offsets than it was sent to", durability.stored_twice),
    Check(
        "aborted-read",
        "seen, though its send or transaction failed for certain",
        transactions.aborted_read,
    ),
    Check(
        "precommitted-read",
        "seen before its transaction was committed",
        transactions.precommitted_read,
    ),
    Check(
        "torn-transaction",
        "a final drain saw a part of a transaction only",
        transactions.torn,
    ),
    Check(
        "poll-skip",
        "from one poll to the next, a consumer passed over records",
        polling.skipping("poll-skip", within=False),
    ),
    Check(
        "nonmonotonic-poll",
        "from one poll to the next, a consumer went back",
        polling.nonmonotonic("nonmonotonic-poll", within=False),
    ),
    Check(
        "int-poll-skip",
        "within one poll, records were passed over",
        polling.skipping("int-poll-skip", within=True),
    ),
    Check(
        "int-nonmonotonic-poll",
        "within one poll, offsets went back",
        polling.nonmonotonic("int-nonmonotonic-poll", within=True),
    ),
    Check(
        "unassigned-poll",
        "handed to a consumer after the partition was taken from it",
        polling.unassigned,
    ),
    Check(
        "nonmonotonic-send",
        "a producer's later send was acknowledged at an earlier offset",
        sending.nonmonotonic("nonmonotonic-send", within=False),
        lambda flow: flow.order == "sequence" or flow.guarantee in ("idempotent", "exactly-once"),
    ),
    Check(
        "int-nonmonotonic-send",
        "the same within a transaction",
        sending.nonmonotonic("int-nonmonotonic-send", within=True),
    ),
    Check(
        "int-send-skip",
        "others wrote between the records of a transaction",
        sending.skipping,
    ),
)

CHECKS = {check.name: check for check in _REGISTER}
"""All checks by the name of their anomaly, in the order in which they are reported."""

__all__ = ["CHECKS", "Check"]
