"""The loop: take a batch, send all that follows from it, commit it; in transactions if wanted."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from reference.vector_stream.codec import ErrorType, PoisonError, Vectors, decode, transformed

POLL_SECONDS = 0.1
TRANSACTION_SECONDS = 30.0
ANY_PARTITION = -1

# Another member has the partitions and begins at the last commit: nothing is lost.
_GROUP_MOVED_ON = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError._ASSIGNMENT_LOST,
    }
)
_FENCED = frozenset(
    {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}
)

log = logging.getLogger(__name__)


class StreamError(Exception):
    """The program cannot go on; a new start resumes at the last commit."""


class NoBrokerError(StreamError):
    """No broker answered in the time allowed."""


class FencedError(StreamError):
    """Another instance has taken over this one's transactional ID."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that can be set; sizes in bytes, times in seconds.

    Attributes:
        transactional_id: set: exactly-once, by transactions; no two instances may share one.
        give_up_after: how long to wait for a broker at the start; 0: for ever.
    """

    broker: str
    input_topic: str
    output_topic: str
    dead_letter_topic: str
    group: str
    dimension: int
    batch_messages: int = 4000
    batch_bytes: int = 4 * 1024 * 1024
    max_message_bytes: int = 8 * 1024 * 1024
    transactional_id: str = ""
    give_up_after: float = 0.0
    kafka: dict[str, str] = field(default_factory=dict)


class VectorStream:
    """Consumes, transforms and produces vectors, in one thread.

    Args:
        stop: set from outside to stop after the batch at hand.
    """

    def __init__(self, config: Config, stop: threading.Event) -> None:
        self.config = config
        self.stop = stop
        self.name = f"{socket.gethostname()}-{os.getpid()}"
        self.last_error = ""
        self.batch: list[Any] = []
        self._aligned = 0
        self._over = False
        self._failed: list[str] = []
        self.producer = Producer(self._producer_properties())
        self.consumer = Consumer(self._consumer_properties())

    @property
    def transactional(self) -> bool:
        """Whether outputs and offsets are committed together."""
        return bool(self.config.transactional_id)

    # -- the loop

    def run(self) -> None:
        """Work until ``stop`` is set, finish the batch at hand, commit it and leave the group.

        Raises:
            StreamError: it cannot go on.
        """
        try:
            self.wait_for_topics()
            if self.transactional:
                self._transaction(self.producer.init_transactions, TRANSACTION_SECONDS)
            if not self.stop.is_set():
                self.consumer.subscribe(
                    [self.config.input_topic],
                    on_assign=self.on_assign, on_revoke=self.on_revoke, on_lost=self.on_lost,
                )  # fmt: skip
            while not self.stop.is_set():
                self.collect()
                self.finish_batch()
        except BaseException:
            # Nothing more is sent or committed on the way out.
            self.batch, self._over = [], True
            self.producer.purge()
            raise
        finally:
            self.consumer.close()

    def wait_for_topics(self) -> None:
        """Return when the broker answers and has all topics, or ``stop`` is set.

        Raises:
            NoBrokerError: no broker has answered in ``give_up_after`` seconds.
        """
        config, began, told = self.config, time.monotonic(), ""
        needed = (config.input_topic, config.output_topic, config.dead_letter_topic)
        while not self.stop.is_set():
            try:
                topics = self.producer.list_topics(timeout=1).topics
            except KafkaException as error:
                self.producer.poll(0)
                reason = self.last_error or error.args[0].str()
                if config.give_up_after and time.monotonic() - began > config.give_up_after:
                    raise NoBrokerError(f"no broker at {config.broker}: {reason}") from error
                reason = f"waiting for the broker {config.broker}: {reason}"
            else:
                missing = [n for n in needed if n not in topics or topics[n].error is not None]
                if not missing:
                    inputs, outputs = (len(topics[n].partitions) for n in needed[:2])
                    self._aligned = inputs if inputs == outputs else 0
                    return
                reason = f"waiting for missing topics: {', '.join(missing)}"
            if reason != told:
                log.warning("%s", reason)
                told = reason
            self.stop.wait(0.1)

    def collect(self) -> None:
        """Wait for a message for at most 0.1 s; then add all that is there, up to a batch."""
        found = self.consumer.consume(1, POLL_SECONDS)
        size = 0
        while found:
            for message in found:
                if message.error() is not None:
                    self.on_error(message.error())
                else:
                    self.batch.append(message)
                    size += len(message)
            left = self.config.batch_messages - len(self.batch)
            if left <= 0 or size >= self.config.batch_bytes or self.stop.is_set():
                return
            found = self.consumer.consume(min(left, 500), 0)

    def finish_batch(self) -> None:
        """Deliver all that follows from the batch at hand, and commit it."""
        if self._over:
            return
        batch, self.batch = self.batch, []
        if not batch:
            self.producer.poll(0)
        elif self.transactional:
            self.process_in_transaction(batch)
        else:
            self.deliver(batch)
            self.commit(batch)

    # -- at least once

    def deliver(self, batch: Sequence[Any]) -> None:
        """Send what follows from ``batch``; return when the broker has all of it.

        Raises:
            StreamError: something was not delivered.
        """
        self._failed = []
        self.send(batch)
        while self.producer.flush(1.0) > 0 and not self._failed:
            pass
        if self._failed:
            raise StreamError(f"{len(self._failed)} not delivered, the first: {self._failed[0]}")

    def commit(self, batch: Sequence[Any]) -> None:
        """Commit that ``batch`` is done.

        Raises:
            StreamError: the broker refuses.
        """
        try:
            self.consumer.commit(offsets=positions_after(batch), asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in _GROUP_MOVED_ON:
                raise StreamError(f"cannot commit: {error.args[0].str()}") from error
            log.warning("commit refused, the group has moved on: %s", error.args[0].str())

    # -- exactly once

    def process_in_transaction(self, batch: Sequence[Any]) -> None:
        """Outputs and offsets are committed together, or nothing is and the batch comes again.

        Raises:
            FencedError: another instance has taken over.
            StreamError: nobody knows whether the transaction was committed.
        """
        producer = self.producer
        try:
            self._transaction(producer.begin_transaction)
            self.send(batch)
            self._transaction(
                producer.send_offsets_to_transaction,
                positions_after(batch), self.consumer.consumer_group_metadata(),
                TRANSACTION_SECONDS,
            )  # fmt: skip
            self._transaction(producer.commit_transaction, TRANSACTION_SECONDS)
        except KafkaException as error:
            log.warning("transaction aborted: %s", error.args[0].str())
            self._transaction(producer.abort_transaction, TRANSACTION_SECONDS)
            self._rewind(batch)

    def _transaction(self, call: Any, *arguments: Any) -> None:
        """Call; what can be tried again is, an error that asks for an abort is handed on."""
        give_up = time.monotonic() + TRANSACTION_SECONDS
        while True:
            try:
                call(*arguments)
            except KafkaException as error:
                cause = error.args[0]
                if cause.code() in _FENCED:
                    raise FencedError(f"another instance has taken over: {cause.str()}") from error
                if cause.retriable() and time.monotonic() < give_up:
                    continue
                if cause.txn_requires_abort():
                    raise
                raise StreamError(f"transaction: {cause.str()}") from error
            else:
                return

    def _rewind(self, batch: Sequence[Any]) -> None:
        first: dict[tuple[str, int], int] = {}
        for message in batch:
            first.setdefault((message.topic(), message.partition()), message.offset())
        own = {(place.topic, place.partition) for place in self.consumer.assignment()}
        for place, offset in first.items():
            if place in own:
                self.consumer.seek(TopicPartition(*place, offset))

    # -- what follows from messages

    def send(self, batch: Sequence[Any]) -> None:
        """Hand over the output or the dead letter of each message, in their order."""
        decoded: list[Vectors | PoisonError] = []
        for message in batch:
            try:
                decoded.append(self.decode(message))
            except PoisonError as error:
                decoded.append(error)
        values = iter(self.transform([one for one in decoded if not isinstance(one, PoisonError)]))
        for message, one in zip(batch, decoded, strict=True):
            result = one if isinstance(one, PoisonError) else next(values)
            if not isinstance(result, PoisonError) and len(result) > self.config.max_message_bytes:
                result = PoisonError(ErrorType.TOO_LARGE, f"{len(result)} bytes of output")
            if isinstance(result, PoisonError):
                self.set_aside(message, result)
            else:
                self.send_output(message, result)

    def decode(self, message: Any) -> Vectors:
        """The vectors of a message; raises PoisonError."""
        return decode(message.value(), self.config.dimension)

    def transform(self, messages: Sequence[Vectors]) -> list[bytes | PoisonError]:
        """What becomes of the vectors of each message."""
        return transformed(messages)

    def send_output(self, message: Any, value: bytes) -> None:
        """Send what became of a message, to the partition of the same number if there is one."""
        partition = message.partition()
        self._produce(
            self.config.output_topic,
            key=message.key(),
            value=value,
            headers=[*(message.headers() or []), ("transformed-by", self.name.encode())],
            partition=partition if partition < self._aligned else ANY_PARTITION,
        )

    def set_aside(self, message: Any, error: PoisonError) -> None:
        """Send a message as it is to the dead letters, with the reason in its headers."""
        about = {
            "error-type": error.error_type.value,
            "error-message": error.reason,
            "source-topic": message.topic(),
            "source-partition": str(message.partition()),
            "source-offset": str(message.offset()),
            "failed-at": datetime.now(UTC).isoformat(timespec="microseconds"),
        }
        own = [(name, text.encode()) for name, text in about.items()]
        self._produce(
            self.config.dead_letter_topic,
            key=message.key(), value=message.value(), headers=[*(message.headers() or []), *own],
        )  # fmt: skip

    def _produce(self, topic: str, **record: Any) -> None:
        while True:
            try:
                self.producer.produce(topic, on_delivery=self.on_delivery, **record)
            except BufferError:
                self.producer.poll(0.1)
            else:
                return

    # -- what the clients tell

    def on_assign(self, consumer: Any, partitions: Sequence[Any]) -> None:
        """Say that the group works; the first time it means that this instance is ready."""
        named = ", ".join(str(place.partition) for place in partitions) or "none"
        log.info("ready: group %s, partitions %s", self.config.group, named)

    def on_revoke(self, consumer: Any, partitions: Sequence[Any]) -> None:
        """Finish the batch at hand while its partitions are still ours."""
        self.finish_batch()

    def on_lost(self, consumer: Any, partitions: Sequence[Any]) -> None:
        """Drop the batch at hand: another member has its partitions already."""
        self.batch = []
        log.warning("lost %d partitions", len(partitions))

    def on_delivery(self, error: Any, message: Any) -> None:
        """Note a delivery that failed."""
        if error is not None:
            self._failed.append(f"{message.topic()}: {error.str()}")

    def on_error(self, error: Any) -> None:
        """Keep and log an error that belongs to no message; librdkafka goes on by itself."""
        if error.code() != KafkaError._ALL_BROKERS_DOWN and error.str() != self.last_error:
            self.last_error = error.str()
            log.warning("%s", error.str())

    # -- settings of the clients

    def _producer_properties(self) -> dict[str, Any]:
        properties = {
            "linger.ms": 2,
            "batch.size": 1024 * 1024,
            "message.max.bytes": self.config.max_message_bytes + 64 * 1024,
            "message.timeout.ms": 30_000,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
        }
        if self.transactional:
            properties |= {
                "transactional.id": self.config.transactional_id,
                "transaction.timeout.ms": 10_000,
                "message.timeout.ms": 10_000,
            }
        return self._connected(properties, "producer.", "consumer.")

    def _consumer_properties(self) -> dict[str, Any]:
        properties = {
            "group.id": self.config.group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 500,
            "fetch.wait.max.ms": 50,
            "fetch.message.max.bytes": self.config.max_message_bytes,
            "queued.max.messages.kbytes": 16 * 1024,
        }
        return self._connected(properties, "consumer.", "producer.")

    def _connected(self, properties: dict[str, Any], own: str, other: str) -> dict[str, Any]:
        extra = {
            name.removeprefix(own): value
            for name, value in self.config.kafka.items()
            if not name.startswith(other)
        }
        return {
            "bootstrap.servers": self.config.broker,
            "client.id": "vector-stream",
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 500,
            "log.connection.close": False,
            "error_cb": self.on_error,
            "logger": logging.getLogger("librdkafka"),
            **properties,
            **extra,
        }


def positions_after(batch: Sequence[Any]) -> list[TopicPartition]:
    """Where to resume when ``batch`` is done."""
    positions: dict[tuple[str, int], int] = {}
    for message in batch:
        place = (message.topic(), message.partition())
        positions[place] = max(positions.get(place, 0), message.offset() + 1)
    return [TopicPartition(*place, offset) for place, offset in positions.items()]
