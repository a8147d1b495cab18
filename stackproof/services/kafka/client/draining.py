"""The final drain: what a topic holds in the end, read by a consumer of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from stackproof.history import History
from stackproof.history.columns import Isolation
from stackproof.services.kafka.client.consuming import TopicReader
from stackproof.services.kafka.client.messages import Reading, Received, as_delivered


def drain(
    connection: Mapping[str, Any],
    history: History,
    topic: str,
    *,
    name: str,
    within: float,
    reading: Reading = as_delivered,
    isolation: Isolation = "read_committed",
) -> list[Received]:
    """Read a topic whole by a fresh consumer, and record in the history that it was.

    Call it when faults are healed and nothing is sent any more. All partitions are read
    from their beginning to the end of the log, open transactions included: while one hangs
    open, a reader of committed records gets no further, and this waits for its end.

    Args:
        connection: how to reach the cluster.
        history: receives the receptions and the drain.
        topic: its real name.
        name: the consumer's name in the history, which nobody else may have.
        within: seconds for all of it.
        reading: how to understand the records.
        isolation: whether uncommitted records are read.

    Raises:
        DeadlineExceeded: the end was not reached in time; no drain is recorded.
        KafkaError: the cluster does not answer.
    """
    began = time.time()
    # The end of the log, not of what is committed: that is what uncommitted readers are told.
    with_ends = KafkaConsumer(**connection, enable_auto_commit=False)
    try:
        numbers = sorted(with_ends.partitions_for_topic(topic) or ())
        partitions = [TopicPartition(topic, number) for number in numbers]
        begins = {tp.partition: at for tp, at in with_ends.beginning_offsets(partitions).items()}
        ends = {tp.partition: at for tp, at in with_ends.end_offsets(partitions).items()}
    finally:
        with_ends.close(autocommit=False)
    reader = TopicReader(
        connection, history, topic, name=name, reading=reading, isolation=isolation
    )
    try:
        records = reader.read_to(ends, within=within)
    finally:
        reader.close()
    history.drain(name, topic, begins=begins, ends=ends, at=began)
    return records
