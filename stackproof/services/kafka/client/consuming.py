"""Receiving, with each poll, each reception and each change of assignment recorded."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

from stackproof.errors import step_missing
from stackproof.history import Enclosed, History, preview
from stackproof.history.columns import Change, Isolation, Mode
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.kafka.client.messages import Reading, Received, as_delivered
from stackproof.texts import counted

# A poll returns as soon as there are records. One that is cut short while the group is
# joining or fetching its offsets starts that anew, and with 20 ms never gets through.
_POLL_MS = 50
_GROUP_POLL_MS = 300
# kafka-python 3.0 joins anew when the answer comes between two polls.
_JOINING_POLL_MS = 3000
_KNOWN_WITHIN = 5.0
_NO_PAUSE = 0.0  # the client's poll waits itself


class _Recorder:
    """Enters polls, receptions and assignments into a history.

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

    def poll(self, consumer: KafkaConsumer, **limits: int) -> list[Received]:
        """Poll once; what was handed over, in its order."""
        number = self._history.poll(self.name)
        returned = None
        try:
            batches = consumer.poll(**limits)
            returned = time.time()
            return self._take(batches, number)
        finally:
            self._history.polled(number, at=returned)

    def changed(self, change: Change, partitions: Iterable[TopicPartition]) -> None:
        """Enter partitions that were assigned, revoked or sought."""
        places = [(tp.topic, tp.partition) for tp in sorted(partitions)]
        if places:
            self._history.assignment(self.name, change, places)

    def _take(self, batches: Mapping[Any, list[Any]], number: int) -> list[Received]:
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
                    preview=preview(
                        digest.content if isinstance(digest, Enclosed) else record.value
                    ),
                    poll=number,
                    at=self._moment(record),
                )
                taken.append(record)
        return taken

    def _moment(self, record: Received) -> float | None:
        if self._as_of_record and record.timestamp > 0:
            return record.timestamp / 1000
        return None


class _Listener(ConsumerRebalanceListener):
    """Tells the history what the group's coordinator does with a consumer.

    A consumer that loses its partitions (its group went on without it) is told in the same
    way as one from which they are revoked.

    Attributes:
        joining: whether it is joining its group: what it had is revoked, or it had nothing yet.
    """

    def __init__(self, recorder: _Recorder, *, joining: bool):
        self._recorder = recorder
        self.joining = joining

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self.joining = False
        self._recorder.changed("assigned", assigned)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self.joining = True
        self._recorder.changed("revoked", revoked)


class TopicReader:
    """Reads whole topics from their beginning, without a group: an observer.

    Args:
        connection: how to reach the cluster.
        history: receives every reception.
        topic: what to read.
        name: the observer's name in the history.
        reading: how to understand its records.
        since: offsets to begin at, by partition; the beginning where there is none.
        isolation: "read_committed" leaves out what no transaction has committed.
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
        isolation: Isolation = "read_uncommitted",
    ):
        self.topic = topic
        self.records: list[Received] = []
        self._recorder = _Recorder(history, name, reading, as_of_record=True)
        self._consumer = KafkaConsumer(
            **connection,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=50,
            isolation_level=isolation,
        )
        partitions = self._consumer.partitions_for_topic(topic)
        if not partitions:
            self.close()
            raise step_missing(f"the topic {topic}", 'a topic "orders" with 3 partitions')
        self._partitions = [TopicPartition(topic, p) for p in sorted(partitions)]
        self._consumer.assign(self._partitions)
        self._consumer.seek_to_beginning(*self._partitions)
        for partition in self._partitions:
            if since and partition.partition in since:
                self._consumer.seek(partition, since[partition.partition])
        history.consumer(name, isolation=isolation)
        self._recorder.changed("assigned", self._partitions)

    def read(self) -> list[Received]:
        """Take what has arrived since the last call; returns all records so far."""
        self.records += self._recorder.poll(self._consumer, timeout_ms=_POLL_MS, max_records=5000)
        return self.records

    def drain(self, *, within: float) -> list[Received]:
        """Read up to the present end of every partition; returns all records so far.

        Raises:
            DeadlineExceeded: the end was not reached in time.
        """
        ends = self._consumer.end_offsets(self._partitions)
        return self.read_to({tp.partition: end for tp, end in ends.items()}, within=within)

    def read_to(self, ends: Mapping[int, int], *, within: float) -> list[Received]:
        """Read up to these offsets, by partition; returns all records so far.

        Raises:
            DeadlineExceeded: they were not reached in time.
        """
        places = {tp: ends[tp.partition] for tp in self._partitions if tp.partition in ends}

        def missing() -> int:
            self.read()
            return sum(max(0, end - self._consumer.position(tp)) for tp, end in places.items())

        poll(missing, until=lambda left: left == 0, within=within,
             awaiting=f'the end of topic "{self.topic}"',
             describe=lambda left: f"{counted(left, 'record')} from the end",
             first_pause=_NO_PAUSE, longest_pause=_NO_PAUSE)  # fmt: skip
        return self.records

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close(autocommit=False)


class GroupConsumer:
    """One member of a consumer group, committing by hand.

    It subscribes, so that the group's coordinator tells it what to read; or it is
    given ``partitions``, and then nobody moves it.

    Args:
        connection: how to reach the cluster.
        history: receives every reception.
        topic: what to subscribe to.
        group: the group's ID.
        name: the consumer's name in the history; no other one may have it.
        partitions: what it assigns itself; None: it subscribes.
        reading: how to understand the records.
        isolation: "read_committed" leaves out what no transaction has committed.
        options: further settings of kafka-python's consumer.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        history: History,
        topic: str,
        *,
        group: str,
        name: str,
        partitions: Sequence[int] | None = None,
        reading: Reading = as_delivered,
        isolation: Isolation = "read_uncommitted",
        **options: Any,
    ):
        self.records: list[Received] = []
        self.name = name
        self._recorder = _Recorder(history, name, reading)
        self._listener = _Listener(self._recorder, joining=partitions is None)
        self._consumer = KafkaConsumer(
            **connection,
            **{
                "group_id": group,
                "enable_auto_commit": False,
                "auto_offset_reset": "earliest",
                "fetch_max_wait_ms": 50,
                "isolation_level": isolation,
                **options,
            },
        )
        mode: Mode = "subscribe" if partitions is None else "assign"
        history.consumer(name, isolation=isolation, mode=mode, group=group)
        if partitions is None:
            self._know(topic)
            self._consumer.subscribe([topic], listener=self._listener)
        else:
            own = [TopicPartition(topic, partition) for partition in partitions]
            self._consumer.assign(own)
            self._recorder.changed("assigned", own)

    def _know(self, topic: str) -> None:
        """Learn the topic's partitions before joining.

        kafka-python 3.0 joins at once otherwise, has itself assigned nothing, and joins anew.
        A topic may come later.
        """
        with contextlib.suppress(DeadlineExceeded):
            poll(
                lambda: self._consumer.partitions_for_topic(topic),
                within=_KNOWN_WITHIN,
                awaiting=f'the partitions of "{topic}"',
                retry_on=(KafkaError,),
            )

    def receive(self, count: int, *, within: float) -> list[Received]:
        """Receive ``count`` more records and commit exactly these.

        Raises:
            DeadlineExceeded: fewer arrived in time.
        """
        wanted = len(self.records) + count

        def so_far() -> int:
            left = wanted - len(self.records)
            self.poll(max_records=left)
            return len(self.records)

        poll(so_far, until=lambda n: n >= wanted, within=within,
             awaiting=f"{counted(count, 'record')} for {self.name}",
             describe=lambda n: f"{counted(n - wanted + count, 'record')}",
             first_pause=_NO_PAUSE, longest_pause=_NO_PAUSE)  # fmt: skip
        self._consumer.commit()
        return self.records[-count:]

    def poll(self, **limits: int) -> list[Received]:
        """Poll once, without committing; ``limits`` may hold ``max_records``."""
        timeout_ms = _GROUP_POLL_MS
        if self._listener.joining:
            timeout_ms = _JOINING_POLL_MS
            # kafka-python 3.0 forgets a join that metadata had asked for when they are as before
            # by the time that a poll ended before it: for good, it is never assigned anything.
            self._consumer._coordinator.request_rejoin()
        taken = self._recorder.poll(self._consumer, timeout_ms=timeout_ms, **limits)
        self.records += taken
        return taken

    def commit(self) -> None:
        """Commit the offsets of all that was handed over.

        Raises:
            KafkaError: they could not be committed.
        """
        self._consumer.commit()

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Go on at another offset: an own wish, so that the jump is no anomaly."""
        place = TopicPartition(topic, partition)
        self._consumer.seek(place, offset)
        self._recorder.changed("sought", [place])

    @property
    def assigned(self) -> set[int]:
        """The partitions that it reads at present."""
        return {tp.partition for tp in self._consumer.assignment()}

    def progress(self) -> tuple[dict[TopicPartition, OffsetAndMetadata], Any]:
        """The offsets to commit within a transaction, and on whose behalf (KIP-447)."""
        offsets = {
            tp: OffsetAndMetadata(self._consumer.position(tp), "", -1)
            for tp in self._consumer.assignment()
        }
        return offsets, self._consumer.group_metadata()

    def positions(self) -> dict[int, int]:
        """The next offset to be read of each assigned partition."""
        return {tp.partition: self._consumer.position(tp) for tp in self._consumer.assignment()}

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close(autocommit=False)
