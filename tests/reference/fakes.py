"""Stand-ins for the Kafka clients that note, in one common list, what happened in which order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from reference.churn_pipeline.config import Config
from reference.churn_pipeline.metrics import Metrics
from reference.churn_pipeline.model import CATEGORICAL_FEATURES, NUMERIC_FEATURES, ChurnModel
from reference.churn_pipeline.pipeline import ChurnPipeline
from reference.churn_pipeline.validation import CustomerValidator

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"

TOPICS = {"in": 3, "out": 3, "dlq": 1}

CONFIG = Config(
    broker="127.0.0.1:9092", input_topic="in", output_topic="out", dead_letter_topic="dlq"
)

MODEL = ChurnModel(
    intercept=-1.0,
    numeric=dict.fromkeys(NUMERIC_FEATURES, (10.0, 5.0, 0.1)),
    categorical={
        name: {value: 0.01 * place for place, value in enumerate(known)}
        for name, known in CATEGORICAL_FEATURES.items()
    },
)

Step = tuple[Any, ...]


@dataclass
class FakeMessage:
    content: bytes | None
    at: int = 0
    place: int = 0
    name: bytes | None = b"key"
    extra: list[tuple[str, bytes | None]] | None = None
    trouble: Any = None

    def error(self) -> Any:
        return self.trouble

    def topic(self) -> str:
        return "in"

    def partition(self) -> int:
        return self.place

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return self.name

    def value(self) -> bytes | None:
        return self.content

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return self.extra


@dataclass
class FakeConsumer:
    """Gives out ``incoming``; a function in it is called instead, as a rebalance would be."""

    steps: list[Step]
    stop: threading.Event
    incoming: deque[FakeMessage | Callable[[FakeConsumer], None] | None] = field(
        default_factory=deque
    )
    commit_errors: deque[int] = field(default_factory=deque)
    callbacks: dict[str, Callable[..., None]] = field(default_factory=dict)

    def subscribe(self, topics: list[str], **callbacks: Callable[..., None]) -> None:
        self.callbacks = callbacks
        self.steps.append(("subscribe", tuple(topics)))

    def poll(self, timeout: float) -> FakeMessage | None:
        if not self.incoming:
            self.stop.set()
            return None
        item = self.incoming.popleft()
        if callable(item):
            item(self)
            return None
        return item

    def commit(self, *, offsets: Sequence[Any], asynchronous: bool) -> Sequence[Any]:
        assert asynchronous is False
        if self.commit_errors:
            raise KafkaException(KafkaError(self.commit_errors.popleft()))
        for place in offsets:
            self.steps.append(("commit", place.topic, place.partition, place.offset))
        return offsets

    def assign(self, partitions: Sequence[Any]) -> None:
        self.steps.append(("assign", tuple((p.partition, p.offset) for p in partitions)))

    def close(self) -> None:
        self.steps.append(("close",))


@dataclass
class FakeProducer:
    """Confirms what it is given when flushed; the topics in ``failing`` never take anything."""

    steps: list[Step]
    failing: set[str] = field(default_factory=set)
    capacity: int = 10_000
    topics: dict[str, int] = field(default_factory=lambda: dict(TOPICS))
    metadata_errors: deque[Exception] = field(default_factory=deque)
    records: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)

    def produce(self, topic: str, **record: Any) -> None:
        if len(self.waiting) >= self.capacity:
            raise BufferError("queue full")
        self.waiting.append({"topic": topic, **record})

    def poll(self, timeout: float) -> int:
        if timeout:
            self._confirm()
        return 0

    def flush(self, timeout: float) -> int:
        self._confirm()
        return 0

    def purge(self) -> None:
        self.waiting = []

    def list_topics(self, *, timeout: float) -> Any:
        if self.metadata_errors:
            raise self.metadata_errors.popleft()
        return SimpleNamespace(
            topics={
                name: SimpleNamespace(error=None, partitions=range(count))
                for name, count in self.topics.items()
            }
        )

    def _confirm(self) -> None:
        waiting, self.waiting = self.waiting, []
        for record in waiting:
            told = SimpleNamespace(topic=lambda name=record["topic"]: name)
            if record["topic"] in self.failing:
                record["on_delivery"](KafkaError(KafkaError._MSG_TIMED_OUT), told)
                continue
            self.records.append(record)
            self.steps.append(("deliver", record["topic"], record["key"]))
            record["on_delivery"](None, told)


class World:
    """A pipeline between a fake consumer and a fake producer."""

    def __init__(
        self, pipeline_class: type[ChurnPipeline] = ChurnPipeline, config: Config = CONFIG
    ) -> None:
        self.steps: list[Step] = []
        self.stop = threading.Event()
        self.fake_consumer = FakeConsumer(self.steps, self.stop)
        self.fake_producer = FakeProducer(self.steps)
        self.metrics = Metrics()
        self.pipeline = pipeline_class(
            config,
            self,
            CustomerValidator(CONTRACTS, config.max_message_bytes),
            MODEL,
            self.metrics,
            self.stop,
        )

    def consumer(
        self, properties: Mapping[str, object], on_error: Callable[[Any], None]
    ) -> FakeConsumer:
        return self.fake_consumer

    def producer(
        self, properties: Mapping[str, object], on_error: Callable[[Any], None]
    ) -> FakeProducer:
        return self.fake_producer

    def run(self, *incoming: FakeMessage | Callable[[FakeConsumer], None] | None) -> World:
        self.fake_consumer.incoming.extend(incoming)
        self.pipeline.run()
        return self

    def sent_to(self, topic: str) -> list[dict[str, Any]]:
        return [record for record in self.fake_producer.records if record["topic"] == topic]

    def figure(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)
