"""The loop: take a batch, have the engine write it, set aside what it refuses, commit."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from reference.search_indexer.engine import Change, Engine, EngineError, Outcome

POLL_SECONDS = 0.1
PAUSE_SECONDS = 0.25
# Another member has the partitions and begins at the last commit: nothing is lost.
_GROUP_MOVED_ON = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError._ASSIGNMENT_LOST,
    }
)

log = logging.getLogger(__name__)


class IndexerError(Exception):
    """The program cannot go on; a new start resumes at the last commit."""


class RefusedError(Exception):
    """A message that can never be a document.

    Args:
        kind: "invalid_json", "not_an_object", "empty_message" or "rejected".
        reason: for people.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind, self.reason = kind, reason


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that can be set."""

    broker: str
    input_topic: str
    dead_letter_topic: str
    group: str
    url: str
    ca_file: str = ""
    mapping: dict[str, Any] | None = None
    batch_messages: int = 500
    kafka: dict[str, str] = field(default_factory=dict)


class Indexer:
    """Consumes messages and has them indexed, in one thread.

    Args:
        stop: set from outside to stop after the batch at hand.
    """

    def __init__(self, config: Config, stop: threading.Event) -> None:
        self.config = config
        self.stop = stop
        self.engine = Engine(config.url, config.input_topic.lower(), config.ca_file)
        self.last_error = ""
        self._failed: list[str] = []
        self.producer = Producer(self._connected({"enable.idempotence": True, "linger.ms": 2}))
        self.consumer = Consumer(
            self._connected({
                "group.id": config.group, "enable.auto.commit": False,
                "enable.auto.offset.store": False, "auto.offset.reset": "earliest",
                "isolation.level": "read_committed", "session.timeout.ms": 6000,
                "heartbeat.interval.ms": 500, "fetch.wait.max.ms": 50,
            })
        )  # fmt: skip

    def run(self) -> None:
        """Work until ``stop`` is set; the batch at hand is finished first.

        Raises:
            IndexerError: it cannot go on.
        """
        try:
            self.make_index()
            if not self.stop.is_set():
                self.consumer.subscribe([self.config.input_topic], on_assign=self.on_assign)
            while not self.stop.is_set():
                batch = self.collect()
                if batch and self.index(batch):
                    self.commit(batch)
        finally:
            self.consumer.close()

    def make_index(self) -> None:
        """Make the index, as soon as the engine answers.

        Raises:
            IndexerError: the engine refuses.
        """
        while not self.stop.is_set():
            try:
                self.engine.create(self.config.mapping)
            except EngineError as error:
                raise IndexerError(str(error)) from error
            except requests.RequestException as error:
                self.tell(f"waiting for the search engine: {error}")
                self.stop.wait(PAUSE_SECONDS)
            else:
                return

    def collect(self) -> list[Any]:
        """Wait for messages for at most 0.1 s."""
        found = self.consumer.consume(self.config.batch_messages, POLL_SECONDS)
        for message in found:
            if message.error() is not None:
                self.on_error(message.error())
        return [message for message in found if message.error() is None]

    def index(self, batch: Sequence[Any]) -> bool:
        """Have each message of ``batch`` indexed or set aside; False: told to stop before.

        Raises:
            IndexerError: a dead letter was not delivered.
        """
        left: list[tuple[Any, Change]] = []
        self._failed = []
        for message in batch:
            try:
                left.append((message, change_of(message)))
            except RefusedError as error:
                self.set_aside(message, error)
        while left:
            outcomes = self.write([change for _, change in left])
            again = []
            for (message, change), became in zip(left, outcomes, strict=True):
                if became.kind == "refused":
                    self.set_aside(message, RefusedError("rejected", became.reason))
                elif became.kind == "again":
                    again.append((message, change))
                    self.tell(f"trying again: {became.reason}")
            left = again
            if left and self.stop.wait(PAUSE_SECONDS):
                return False  # what is not acknowledged is not committed
        self.deliver()
        return True

    def write(self, changes: Sequence[Change]) -> list[Outcome]:
        """What the engine makes of these, in their order."""
        return self.engine.write(changes)

    def set_aside(self, message: Any, error: RefusedError) -> None:
        """Send a message as it is to the dead letters, with the reason in its headers."""
        about = {
            "error-type": error.kind,
            "error-message": error.reason,
            "source-topic": message.topic(),
            "source-partition": str(message.partition()),
            "source-offset": str(message.offset()),
            "failed-at": datetime.now(UTC).isoformat(timespec="microseconds"),
        }
        own = [(name, text.encode()) for name, text in about.items()]
        self.producer.produce(
            self.config.dead_letter_topic, key=message.key(), value=message.value(),
            headers=[*(message.headers() or []), *own], on_delivery=self.on_delivery,
        )  # fmt: skip

    def deliver(self) -> None:
        """Return when the broker has all dead letters.

        Raises:
            IndexerError: one was not delivered.
        """
        while self.producer.flush(1.0) > 0 and not self._failed:
            pass
        if self._failed:
            raise IndexerError(f"{len(self._failed)} not delivered, the first: {self._failed[0]}")

    def commit(self, batch: Sequence[Any]) -> None:
        """Commit that ``batch`` is done.

        Raises:
            IndexerError: the broker refuses.
        """
        positions: dict[tuple[str, int], int] = {}
        for message in batch:
            place = (message.topic(), message.partition())
            positions[place] = max(positions.get(place, 0), message.offset() + 1)
        offsets = [TopicPartition(*place, offset) for place, offset in positions.items()]
        try:
            self.consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in _GROUP_MOVED_ON:
                raise IndexerError(f"cannot commit: {error.args[0].str()}") from error
            log.warning("commit refused, the group has moved on: %s", error.args[0].str())

    def on_assign(self, consumer: Any, partitions: Sequence[Any]) -> None:
        """Say that the group works; the first time it means that this instance is ready."""
        named = ", ".join(str(place.partition) for place in partitions) or "none"
        log.info("ready: group %s, partitions %s", self.config.group, named)

    def on_delivery(self, error: Any, message: Any) -> None:
        """Note a delivery that failed."""
        if error is not None:
            self._failed.append(f"{message.topic()}: {error.str()}")

    def on_error(self, error: Any) -> None:
        """Log an error that belongs to no message; librdkafka goes on by itself."""
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            self.tell(error.str())

    def tell(self, text: str) -> None:
        """Log a trouble, once as long as it stays the same."""
        if text != self.last_error:
            self.last_error = text
            log.warning("%s", text)

    def _connected(self, properties: dict[str, Any]) -> dict[str, Any]:
        return {
            "bootstrap.servers": self.config.broker,
            "client.id": "search-indexer",
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 500,
            "log.connection.close": False,
            "error_cb": self.on_error,
            "logger": logging.getLogger("librdkafka"),
            **properties,
            **self.config.kafka,
        }


def change_of(message: Any) -> Change:
    """The change that a message stands for.

    Raises:
        RefusedError: it can be no document.
    """
    key, value = message.key(), message.value()
    ident = (
        f"{message.topic()}-{message.partition()}-{message.offset()}"
        if key is None
        else key.decode("utf-8", "backslashreplace")
    )
    if value is None:
        return Change(ident, message.offset(), None)
    if not value:
        raise RefusedError("empty_message", "the message is empty")
    try:
        content = json.loads(value.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise RefusedError("invalid_json", str(error)) from error
    if not isinstance(content, dict):
        raise RefusedError("not_an_object", "the message is no JSON object")
    return Change(ident, message.offset(), content)


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")
