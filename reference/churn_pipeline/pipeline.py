"""The loop: take a batch, send all that follows from it, then commit it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from reference.churn_pipeline.clients import Clients, Message, Throttle
from reference.churn_pipeline.config import Config
from reference.churn_pipeline.dead_letters import OMITTED, DeadLetter, encode_original, to_json
from reference.churn_pipeline.metrics import Metrics
from reference.churn_pipeline.model import CHURN_THRESHOLD, ChurnModel
from reference.churn_pipeline.records import ANY_PARTITION, Record, size_of
from reference.churn_pipeline.validation import (
    Customer,
    CustomerValidator,
    InvalidMessageError,
)

POLL_SECONDS = 0.1
METADATA_SECONDS = 1.0
MAX_BATCH_BYTES = 8 * 1024 * 1024
"""A batch ends when its keys and values reach this size in bytes, however few they are."""

COMMIT_SECONDS = 30.0
"""How long a commit is tried before the pipeline gives up, in seconds."""
COMMIT_PAUSE_SECONDS = 0.25

# The group has moved on without this member: whoever has the partitions now
# begins at the last commit, so nothing is lost, and insisting would be wrong.
_GROUP_MOVED_ON = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError._ASSIGNMENT_LOST,
    }
)

log = logging.getLogger(__name__)


class PipelineError(Exception):
    """The pipeline cannot go on; a new start resumes at the last commit."""


class DeliveryError(PipelineError):
    """Something could not be delivered; nothing of its batch was committed."""


class CommitError(PipelineError):
    """Everything was delivered, but the offsets could not be committed."""


class ChurnPipeline:
    """Consumes customers, produces predictions and dead letters.

    One thread: callbacks of the clients run inside ``poll``, ``flush`` and
    ``close``. ``run`` does everything; the other methods are its parts.

    Args:
        stop: set from outside (a signal handler) to stop after the current batch.
    """

    def __init__(
        self,
        config: Config,
        clients: Clients,
        validator: CustomerValidator,
        model: ChurnModel,
        metrics: Metrics,
        stop: threading.Event,
    ) -> None:
        self.config = config
        self.validator = validator
        self.model = model
        self.metrics = metrics
        self.stop = stop
        self.ready = threading.Event()
        self.producer = clients.producer(config.producer_properties(), self.on_client_error)
        self.consumer = clients.consumer(config.consumer_properties(), self.on_client_error)
        self.batch: list[Message] = []
        self._delivery_errors: list[str] = []
        self._fatal: str | None = None
        self._last_client_error = ""
        self._subscribed = False
        self._throttle = Throttle()
        self._aligned_partitions = 0

    # -- the loop

    def run(self) -> None:
        """Work until ``stop`` is set, then finish the batch at hand, commit and leave the group.

        Raises:
            DeliveryError: a record could not be delivered within librdkafka's retries.
            CommitError: offsets could not be committed for 30 s.
            PipelineError: librdkafka reports an error that it cannot recover from.
        """
        try:
            self.wait_for_topics()
            if not self.stop.is_set():
                self.subscribe()
            while not self.stop.is_set():
                self.step()
        except BaseException:
            # Nothing of a batch that failed may be sent or committed on the way out.
            self.batch = []
            self.producer.purge()
            raise
        finally:
            self.consumer.close()

    def wait_for_topics(self) -> None:
        """Return when the broker answers and all three topics exist, or ``stop`` is set."""
        while not self.stop.is_set():
            try:
                topics = self.producer.list_topics(timeout=METADATA_SECONDS).topics
            except KafkaException as error:
                self.producer.poll(0)
                self._raise_fatal()
                reason = self._last_client_error or error.args[0].str()
                if self._throttle.passes("broker"):
                    log.warning("waiting for the broker %s: %s", self.config.broker, reason)
                self.stop.wait(0.1)
                continue
            config = self.config
            needed = (config.input_topic, config.output_topic, config.dead_letter_topic)
            missing = [
                name for name in needed if name not in topics or topics[name].error is not None
            ]
            if not missing:
                self._align_partitions(
                    len(topics[config.input_topic].partitions),
                    len(topics[config.output_topic].partitions),
                )
                return
            if self._throttle.passes(("topics", *missing)):
                log.warning("waiting for missing topics: %s", ", ".join(missing))
            self.stop.wait(0.1)

    def subscribe(self) -> None:
        """Join the group."""
        self.consumer.subscribe(
            [self.config.input_topic],
            on_assign=self.on_assign,
            on_revoke=self.on_revoke,
            on_lost=self.on_lost,
        )
        self._subscribed = True

    def step(self) -> None:
        """Take what is there, up to a batch, and finish it."""
        self.collect()
        self.finish_batch()
        self.producer.poll(0)
        self._raise_fatal()

    def collect(self) -> None:
        """Wait for a message for at most 0.1 s; then add all that is there, up to a batch."""
        message = self.consumer.poll(POLL_SECONDS)
        size = 0
        while message is not None:
            if message.error() is not None:
                self.on_client_error(message.error())
            else:
                self.batch.append(message)
                size += size_of(message.key(), message.value(), None)
            if (
                len(self.batch) >= self.config.batch_size
                or size >= MAX_BATCH_BYTES
                or self.stop.is_set()
            ):
                return
            message = self.consumer.poll(0)

    def finish_batch(self) -> None:
        """Process the batch at hand, if there is one."""
        # It is no longer at hand while it is being processed: a callback that
        # runs in the meantime must not begin it again.
        batch, self.batch = self.batch, []
        if batch:
            self.metrics.received.inc(len(batch))
            with self.metrics.batch_duration.time():
                self.process_batch(batch)

    def process_batch(self, batch: Sequence[Message]) -> None:
        """Deliver everything that follows from ``batch``, then commit it."""
        self.deliver([record for message in batch for record in self.records_for(message)])
        self.commit(batch)

    # -- what follows from a message

    def records_for(self, message: Message) -> list[Record]:
        """Return what is to be sent for ``message``: a prediction or a dead letter."""
        try:
            customer = self.validate(message)
        except InvalidMessageError as error:
            return [self.dead_letter(message, error)]
        return [self.prediction(message, customer)]

    def validate(self, message: Message) -> Customer:
        """Return the customer in ``message``.

        Raises:
            InvalidMessageError: there is none that meets the contract.
        """
        value = message.value()
        size = size_of(message.key(), value, message.headers())
        return self.validator.validate(value, size)

    def prediction(self, message: Message, customer: Customer) -> Record:
        """Return the prediction for ``customer``, who came with ``message``."""
        return Record(
            topic=self.config.output_topic,
            key=message.key(),
            value=to_json(self.prediction_fields(customer)),
            partition=self.output_partition(message),
        )

    def prediction_fields(self, customer: Customer) -> dict[str, Any]:
        """Return the prediction as ``prediction.schema.json`` has it."""
        probability = self.model.churn_probability(customer)
        return {
            "customerID": customer["customerID"],
            "prediction": int(probability >= CHURN_THRESHOLD),
            "churn_probability": probability,
            "event_ts": customer["event_ts"],
            "processed_ts": utc_now(),
        }

    def output_partition(self, message: Message) -> int:
        """Return the partition for the prediction.

        It is the input's where both topics have equally many partitions: order
        within a partition then holds for messages without key as well, whatever
        partitioner the input's producers use. Else the key decides.
        """
        partition = message.partition()
        return partition if partition < self._aligned_partitions else ANY_PARTITION

    def dead_letter(self, message: Message, error: InvalidMessageError) -> Record:
        """Return the dead letter for ``message``, small enough for its topic.

        What does not fit is left out: the original, else key and headers, else all of them.
        """
        letter = self.dead_letter_fields(message, error)
        complete = Record(
            topic=self.config.dead_letter_topic,
            key=message.key(),
            value=to_json(letter.to_value()),
            headers=message.headers(),
            error_type=letter.error_type,
        )
        if complete.size <= self.config.dead_letter_budget:
            return complete
        reference = replace(letter, original_message=None, original_encoding=OMITTED)
        without_original = replace(complete, value=to_json(reference.to_value()))
        without_key = replace(complete, key=None, headers=None)
        for record in (without_original, without_key):
            if record.size <= self.config.dead_letter_budget:
                return record
        return replace(without_original, key=None, headers=None)

    def dead_letter_fields(self, message: Message, error: InvalidMessageError) -> DeadLetter:
        """Return the envelope as ``dead_letter.schema.json`` has it."""
        original = message.value()
        text, encoding = encode_original(original)
        return DeadLetter(
            error_type=error.error_type,
            error_message=error.reason,
            original_message=text,
            original_encoding=encoding,
            original_size=None if original is None else len(original),
            source_topic=message.topic(),
            source_partition=message.partition(),
            source_offset=message.offset(),
            failed_ts=utc_now(),
        )

    # -- delivery and commit

    def deliver(self, records: Sequence[Record]) -> None:
        """Send ``records`` in order and return when the broker has confirmed every one.

        Raises:
            DeliveryError: one was not confirmed; others of them may have been.
        """
        self._delivery_errors = []
        for record in records:
            self.send(record)
        # librdkafka bounds the wait: after message.timeout.ms a record has failed.
        while self.producer.flush(1.0) > 0:
            self._raise_delivery_error()
        self._raise_delivery_error()
        for record in records:
            if record.error_type is None:
                self.metrics.predictions.inc()
            else:
                self.metrics.dead_letters.labels(record.error_type).inc()

    def send(self, record: Record) -> None:
        """Hand ``record`` to the producer, waiting while its queue is full.

        Raises:
            DeliveryError: the producer refuses it, or an earlier one has failed.
        """
        while True:
            try:
                self.producer.produce(
                    record.topic,
                    key=record.key,
                    value=record.value,
                    headers=record.headers,
                    partition=record.partition,
                    on_delivery=self.on_delivery,
                )
            except BufferError:
                self.producer.poll(0.1)
                self._raise_delivery_error()
            except KafkaException as error:
                raise DeliveryError(f"{record.topic}: {error.args[0].str()}") from error
            else:
                return

    def commit(self, batch: Sequence[Message]) -> None:
        """Commit that ``batch`` is done, so that the group resumes after it.

        Raises:
            CommitError: the broker did not take the commit for 30 s, or refused it for good.
        """
        positions = self.positions_after(batch)
        offsets = [TopicPartition(*place, position) for place, position in positions.items()]
        give_up = time.monotonic() + COMMIT_SECONDS
        while (error := self._try_commit(offsets)) is not None:
            if error.code() in _GROUP_MOVED_ON:
                log.warning("commit refused, the group has moved on: %s", error.str())
                return
            if error.fatal() or time.monotonic() >= give_up:
                raise CommitError(f"offsets cannot be committed: {error.str()}")
            if self._throttle.passes("commit"):
                log.warning("commit failed, trying again: %s", error.str())
            time.sleep(COMMIT_PAUSE_SECONDS)
        self.metrics.commits.inc()

    def positions_after(self, batch: Sequence[Message]) -> dict[tuple[str, int], int]:
        """Return for each topic and partition of ``batch`` the offset to resume at."""
        positions: dict[tuple[str, int], int] = {}
        for message in batch:
            place = (message.topic(), message.partition())
            positions[place] = max(positions.get(place, 0), message.offset() + 1)
        return positions

    def _try_commit(self, offsets: Sequence[TopicPartition]) -> Any:
        try:
            committed = self.consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            return error.args[0]
        return next((place.error for place in committed if place.error is not None), None)

    # -- what the clients tell

    def on_assign(self, consumer: Any, partitions: Sequence[Any]) -> None:
        """Note the partitions; the first assignment makes the pipeline ready."""
        self.metrics.assigned_partitions.set(len(partitions))
        places = sorted((place.topic, place.partition) for place in partitions)
        named = ", ".join(f"{topic}[{partition}]" for topic, partition in places) or "none"
        what = "assigned again" if self.ready.is_set() else "ready"
        log.info("%s: group %s, partitions %s", what, self.config.group, named)
        self.ready.set()

    def on_revoke(self, consumer: Any, partitions: Sequence[Any]) -> None:
        """Finish and commit the batch at hand while its partitions are still ours."""
        self.finish_batch()
        self.metrics.assigned_partitions.set(0)

    def on_lost(self, consumer: Any, partitions: Sequence[Any]) -> None:
        """Drop what is at hand of ``partitions``: they are another member's already."""
        lost = {(place.topic, place.partition) for place in partitions}
        self.batch = [
            message for message in self.batch if (message.topic(), message.partition()) not in lost
        ]
        self.metrics.assigned_partitions.set(0)
        log.warning("lost %d partitions: the group did not hear from here in time", len(lost))

    def on_delivery(self, error: Any, message: Any) -> None:
        """Note a delivery that failed."""
        if error is not None:
            self._delivery_errors.append(f"{message.topic()}: {error.str()}")

    def on_client_error(self, error: Any) -> None:
        """Log an error that belongs to no message; ``step`` raises if it is fatal.

        Until the group is joined, the line about waiting names the last error instead.
        """
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            self._last_client_error = error.str()
        if error.fatal():
            self._fatal = error.str()
        elif self._subscribed and self._throttle.passes(error.code()):
            log.warning("%s (%s)", error.str(), error.name())

    def _align_partitions(self, inputs: int, outputs: int) -> None:
        self._aligned_partitions = inputs if inputs == outputs else 0

    def _raise_delivery_error(self) -> None:
        if self._delivery_errors:
            failed = len(self._delivery_errors)
            raise DeliveryError(f"{failed} not delivered, the first: {self._delivery_errors[0]}")

    def _raise_fatal(self) -> None:
        if self._fatal is not None:
            raise PipelineError(f"the Kafka client cannot go on: {self._fatal}")


def utc_now() -> str:
    """Return the time in UTC, ISO 8601 with microseconds and 'Z'."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
