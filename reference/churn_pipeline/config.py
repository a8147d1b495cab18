"""Settings of the pipeline, checked, and the client properties that follow from them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_CONTRACT_DIR = Path(__file__).resolve().parents[2] / "contracts"
DEFAULT_GROUP = "churn-pipeline"
DEFAULT_BATCH_SIZE = 100
DEFAULT_MAX_MESSAGE_BYTES = 64 * 1024
DEFAULT_MAX_DEAD_LETTER_BYTES = 2 * 1024 * 1024

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

LARGEST_LIBRDKAFKA_MESSAGE = 1_000_000_000
"""Upper end of librdkafka's ``message.max.bytes``, in bytes."""

DEAD_LETTER_OVERHEAD = 1024
"""Bytes kept free in a dead letter for Kafka's own framing of a record and its batch."""

DELIVERY_TIMEOUT_MS = 30_000
"""How long librdkafka retries one delivery; must stay below ``max.poll.interval.ms``."""

# What the guarantees rest on, and what has an option of its own.
PROTECTED_PROPERTIES = frozenset(
    {
        "acks",
        "request.required.acks",
        "bootstrap.servers",
        "metadata.broker.list",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.idempotence",
        "group.id",
    }
)
_CLASSIC_GROUP_PROPERTIES = ("session.timeout.ms", "heartbeat.interval.ms")


class ConfigError(Exception):
    """The settings make no sense; the message is one sentence for the user."""


def default_model_cache() -> Path:
    """Return the directory that keeps the trained model between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "churn-pipeline"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that can be set; sizes are in bytes.

    ``kafka`` holds librdkafka properties for both clients; a name that begins
    with ``consumer.`` or ``producer.`` is for that client only and wins.

    Raises:
        ConfigError: a value is out of its range, the topics are not three
            different ones, or ``kafka`` touches what the guarantees rest on.
    """

    broker: str
    input_topic: str
    output_topic: str
    dead_letter_topic: str
    group: str = DEFAULT_GROUP
    metrics_port: int = 0
    model_cache: Path = field(default_factory=default_model_cache)
    contract_dir: Path = DEFAULT_CONTRACT_DIR
    batch_size: int = DEFAULT_BATCH_SIZE
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
    max_dead_letter_bytes: int = DEFAULT_MAX_DEAD_LETTER_BYTES
    log_level: str = "INFO"
    kafka: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what can be checked without a broker."""
        topics = {
            "--input-topic": self.input_topic,
            "--output-topic": self.output_topic,
            "--dead-letter-topic": self.dead_letter_topic,
        }
        if len(set(topics.values())) < len(topics):
            named = ", ".join(f"{option} {topic}" for option, topic in topics.items())
            raise ConfigError(f"the three topics must differ: {named}")
        if self.log_level not in LOG_LEVELS:
            raise ConfigError(
                f"--log-level must be one of {', '.join(LOG_LEVELS)}, not {self.log_level}"
            )
        if not self.group:
            raise ConfigError("--group must not be empty")
        _check_range("--metrics-port", self.metrics_port, 0, 65_535)
        _check_range("--batch-size", self.batch_size, 1, 10_000)
        _check_range("--max-message-bytes", self.max_message_bytes, 1, LARGEST_LIBRDKAFKA_MESSAGE)
        _check_range(
            "--max-dead-letter-bytes",
            self.max_dead_letter_bytes,
            16 * 1024,
            LARGEST_LIBRDKAFKA_MESSAGE,
        )
        if self.max_message_bytes >= self.max_dead_letter_bytes:
            raise ConfigError(
                f"--max-message-bytes ({self.max_message_bytes}) must be smaller than "
                f"--max-dead-letter-bytes ({self.max_dead_letter_bytes})"
            )
        for name in self.kafka:
            bare = name.removeprefix("consumer.").removeprefix("producer.")
            if bare in PROTECTED_PROPERTIES:
                raise ConfigError(
                    f"--kafka-config {name} cannot be set: it has an option of its own "
                    "or the delivery guarantees rest on it"
                )

    @property
    def dead_letter_budget(self) -> int:
        """Bytes that key, value and headers of one dead letter may take together."""
        return self.max_dead_letter_bytes - DEAD_LETTER_OVERHEAD

    def consumer_properties(self) -> dict[str, object]:
        """Return librdkafka's properties for the consumer.

        Tuned for a fast join and short ways rather than for bulk: the group
        notices a dead member after 6 s and a rebalance within half a second.
        """
        extra = self._extra("consumer")
        properties: dict[str, object] = {
            "bootstrap.servers": self.broker,
            "client.id": "churn-pipeline",
            "group.id": self.group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6_000,
            "heartbeat.interval.ms": 500,
            "max.poll.interval.ms": 120_000,
            # A fetch that waits for an idle partition holds up those of the
            # other partitions on the same broker: this bounds the wait.
            "fetch.wait.max.ms": 50,
            "fetch.error.backoff.ms": 100,
            "queued.min.messages": 10_000,
            **_connection_properties(),
        }
        if extra.get("group.protocol") == "consumer":
            # KIP-848 groups take these from the broker and refuse them from the client.
            for name in _CLASSIC_GROUP_PROPERTIES:
                del properties[name]
        return {**properties, **extra}

    def producer_properties(self) -> dict[str, object]:
        """Return librdkafka's properties for the producer."""
        return {
            "bootstrap.servers": self.broker,
            "client.id": "churn-pipeline",
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 2,
            "message.timeout.ms": DELIVERY_TIMEOUT_MS,
            "message.max.bytes": self.max_dead_letter_bytes,
            # Java's partitioner: equal keys meet, whoever produced the input.
            "partitioner": "murmur2_random",
            **_connection_properties(),
            **self._extra("producer"),
        }

    def _extra(self, client: str) -> dict[str, str]:
        own = f"{client}."
        common = {
            name: value
            for name, value in self.kafka.items()
            if not name.startswith(("consumer.", "producer."))
        }
        specific = {
            name.removeprefix(own): value
            for name, value in self.kafka.items()
            if name.startswith(own)
        }
        return common | specific


def _connection_properties() -> dict[str, object]:
    return {
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1_000,
        "topic.metadata.refresh.interval.ms": 10_000,
        "topic.metadata.refresh.fast.interval.ms": 100,
        "socket.keepalive.enable": True,
        "log.connection.close": False,
    }


def _check_range(option: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise ConfigError(f"{option} must be between {lowest} and {highest}, not {value}")
