"""How far a consumer group has got, and whether there is anything left for it to read."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from stackproof.access import Access
from stackproof.services.kafka.client.librdkafka import configuration, silent, translated

_ANSWERS_WITHIN = 10.0
_POLL = 0.05


class GroupProgress:
    """Looks at a group without being one of its members.

    Args:
        addresses: as of an endpoint: ``host:port``, or several, comma-separated.
        access: how to prove who one is.
        group: its real name.
    """

    def __init__(self, addresses: Mapping[str, str], access: Access, group: str):
        common = {
            **configuration(addresses, access),
            "group.id": group,
            "enable.auto.commit": False,
        }
        # As a committed reader it would wait for the end of each open transaction.
        self._offsets = Consumer({**common, "isolation.level": "read_uncommitted"}, logger=silent)
        self._consumer = Consumer(
            {
                **common,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
                "fetch.message.max.bytes": 4096,  # one batch is enough
                "queued.min.messages": 1,
                "fetch.queue.backoff.ms": 1,  # else a partition waits a second for each other one
            },
            logger=silent,
        )

    def committed(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        """The group's committed offsets, by partition; none of a partition without.

        Raises:
            KafkaError: the group's coordinator does not tell.
        """
        asked = [TopicPartition(topic, partition) for partition in partitions]
        found = {}
        with translated():
            for place in self._offsets.committed(asked, timeout=_ANSWERS_WITHIN):
                if place.error:
                    raise KafkaException(place.error)
                if place.offset >= 0:
                    found[place.partition] = place.offset
        return found

    def next_records(self, topic: str, positions: Mapping[int, int]) -> dict[int, int]:
        """The offset of the first record at or behind each position, as committed readers see it.

        Where there is none, it is where reading ends: the end of the partition, or the
        first record of a transaction that is open. Offsets of transaction markers, of aborted and
        of deleted records are passed over, because nobody can ever be handed these.

        Args:
            topic: its real name.
            positions: by partition; what does not answer in time stays as it is.
        """
        self._consumer.assign([TopicPartition(topic, p, o) for p, o in positions.items()])
        found: dict[int, int] = {}
        deadline = time.monotonic() + _ANSWERS_WITHIN
        while len(found) < len(positions) and time.monotonic() < deadline:
            message = self._consumer.poll(_POLL)
            if message is None:
                continue
            error = message.error()
            if error is None or error.code() == KafkaError._PARTITION_EOF:
                found.setdefault(message.partition(), message.offset())
        self._consumer.unassign()
        return {**positions, **found}

    def close(self) -> None:
        """Close the connections; the group notices nothing."""
        self._offsets.close()
        self._consumer.close()
