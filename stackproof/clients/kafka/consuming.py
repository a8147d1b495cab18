"""Receiving, with each reception recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from stackproof.clients.kafka.messages import Received, preview
from stackproof.history import History, digest_of
from stackproof.polling import poll

# A poll returns as soon as there are records. One that is cut short while the group is
# joining or fetching its offsets starts that anew, and with 20 ms never gets through.
_POLL_MS = 50
_GROUP_POLL_MS = 300
_NO_PAUSE = 0.0  # the client's poll waits itself

#: What an output means: digest of its content, digest of what it carried, its ident.
#: The default reads a plain delivery.
Reading = Callable[[Received], tuple[str, int, int | None]]


def as_delivered(record: Received) -> tuple[str, int, int | None]:
    """A record that should arrive as it was sent: its key, its bytes."""
    return record.ident, digest_of(record.value), None


class _Recorder:
    """Enters receptions into a history.

    An observer polls one topic after the other, so the moment it is handed a record says
    nothing; with ``as_of_record`` the record's own timestamp counts.
    """

    def __init__(
        self, history: History, name: str, reading: Reading, *, as_of_record: bool = False
    ):
        self._history = history
        self.name = name
        self._reading = reading
        self._as_of_record = as_of_record

    def take(self, batches: Mapping[Any, list[Any]]) -> list[Received]:
        taken = []
        for records in batches.values():
            for raw in records:
                record = Received(
                    raw.topic, raw.partition, raw.offset, raw.key, raw.value, raw.timestamp,
                    dict(raw.headers or ()),
                )  # fmt: skip
                ident, digest, carried = self._reading(record)
                self._history.receive(
                    client=self.name,
                    topic=record.topic,
                    partition=record.partition,
                    offset=record.offset,
                    ident=ident,
                    digest=digest,
                    carried=carried,
                    preview=preview(record.value),
                    at=self._moment(record),
                )
                taken.append(record)
        return taken

    def _moment(self, record: Received) -> float | None:
        if self._as_of_record and record.timestamp > 0:
            return record.timestamp / 1000
        return None


class TopicReader:
    """Reads whole topics from their beginning, without a group: an observer.

    Args:
        connection: how to reach the cluster.
        history: receives every reception.
        topic: what to read.
        name: the observer's name in the history.
        reading: how to understand its records.
        since: offsets to begin at, by partition; the beginning where there is none.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        history: History,
        topic: str,
        *,
        name: str,
        reading: Reading = as_delivered,
        since: Mapping[int, int] | None = None,
    ):
        self.topic = topic
        self.records: list[Received] = []
        self._recorder = _Recorder(history, name, reading, as_of_record=True)
        self._consumer = KafkaConsumer(
            **connection,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=50,
        )
        self._partitions = [
            TopicPartition(topic, p) for p in sorted(self._consumer.partitions_for_topic(topic))
        ]
        self._consumer.assign(self._partitions)
        self._consumer.seek_to_beginning(*self._partitions)
        for partition in self._partitions:
            if since and partition.partition in since:
                self._consumer.seek(partition, since[partition.partition])

    def read(self) -> list[Received]:
        """Take what has arrived since the last call; returns all records so far."""
        batches = self._consumer.poll(timeout_ms=_POLL_MS, max_records=5000)
        self.records += self._recorder.take(batches)
        return self.records

    def drain(self, *, within: float) -> list[Received]:
        """Read up to the present end of every partition; returns all records so far.

        Raises:
            DeadlineExceeded: the end was not reached in time.
        """
        ends = self._consumer.end_offsets(self._partitions)

        def missing() -> int:
            self.read()
            return sum(max(0, ends[tp] - self._consumer.position(tp)) for tp in self._partitions)

        poll(missing, until=lambda left: left == 0, within=within,
             awaiting=f'the end of topic "{self.topic}"',
             describe=lambda left: f"{left} records from the end",
             first_pause=_NO_PAUSE, longest_pause=_NO_PAUSE)  # fmt: skip
        return self.records

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close(autocommit=False)


class GroupConsumer:
    """One member of a consumer group, committing by hand.

    Args:
        connection: how to reach the cluster.
        history: receives every reception.
        topic: what to subscribe to.
        group: the group's ID.
        name: the consumer's name in the history.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        history: History,
        topic: str,
        *,
        group: str,
        name: str,
        **options: Any,
    ):
        self.records: list[Received] = []
        self.name = name
        self._recorder = _Recorder(history, name, as_delivered)
        self._consumer = KafkaConsumer(
            topic,
            **connection,
            **{
                "group_id": group,
                "enable_auto_commit": False,
                "auto_offset_reset": "earliest",
                "fetch_max_wait_ms": 50,
                **options,
            },
        )

    def receive(self, count: int, *, within: float) -> list[Received]:
        """Receive ``count`` more records and commit exactly these.

        Raises:
            DeadlineExceeded: fewer arrived in time.
        """
        wanted = len(self.records) + count

        def so_far() -> int:
            left = wanted - len(self.records)
            batches = self._consumer.poll(timeout_ms=_GROUP_POLL_MS, max_records=left)
            self.records += self._recorder.take(batches)
            return len(self.records)

        poll(so_far, until=lambda n: n >= wanted, within=within,
             awaiting=f"{count} records for {self.name}",
             describe=lambda n: f"{n - wanted + count} records",
             first_pause=_NO_PAUSE, longest_pause=_NO_PAUSE)  # fmt: skip
        self._consumer.commit()
        return self.records[-count:]

    def receive_what_comes(self) -> list[Received]:
        """Take whatever arrives in one poll, without committing."""
        taken = self._recorder.take(self._consumer.poll(timeout_ms=_GROUP_POLL_MS))
        self.records += taken
        return taken

    def positions(self) -> dict[int, int]:
        """The next offset to be read of each assigned partition."""
        return {tp.partition: self._consumer.position(tp) for tp in self._consumer.assignment()}

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close(autocommit=False)
