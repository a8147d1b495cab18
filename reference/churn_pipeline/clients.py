"""What the pipeline needs from a Kafka client, and the real ones of confluent-kafka."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import confluent_kafka

from reference.churn_pipeline.config import ConfigError

Headers = list[tuple[str, bytes | None]]

log = logging.getLogger("reference.churn_pipeline.librdkafka")

SECONDS_BETWEEN_REPEATS = 10.0
"""A trouble that lasts is logged this often, in seconds."""


class Message(Protocol):
    """A message as consumed."""

    def error(self) -> Any: ...  # noqa: D102
    def topic(self) -> str: ...  # noqa: D102
    def partition(self) -> int: ...  # noqa: D102
    def offset(self) -> int: ...  # noqa: D102
    def key(self) -> bytes | None: ...  # noqa: D102
    def value(self) -> bytes | None: ...  # noqa: D102
    def headers(self) -> Headers | None: ...  # noqa: D102


class Consumer(Protocol):
    """The part of ``confluent_kafka.Consumer`` that the pipeline uses."""

    def subscribe(self, topics: list[str], **callbacks: Callable[..., None]) -> None: ...  # noqa: D102
    def poll(self, timeout: float) -> Message | None: ...  # noqa: D102
    def assign(self, partitions: Sequence[Any]) -> None: ...  # noqa: D102
    def commit(self, *, offsets: Sequence[Any], asynchronous: bool) -> Sequence[Any]: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


class Producer(Protocol):
    """The part of ``confluent_kafka.Producer`` that the pipeline uses."""

    def produce(self, topic: str, **record: Any) -> None: ...  # noqa: D102
    def poll(self, timeout: float) -> int: ...  # noqa: D102
    def flush(self, timeout: float) -> int: ...  # noqa: D102
    def purge(self) -> None: ...  # noqa: D102
    def list_topics(self, *, timeout: float) -> Any: ...  # noqa: D102


class Clients(Protocol):
    """Makes the clients; ``on_error`` is told of errors that belong to no message."""

    def consumer(  # noqa: D102
        self, properties: Mapping[str, object], on_error: Callable[[Any], None]
    ) -> Consumer: ...
    def producer(  # noqa: D102
        self, properties: Mapping[str, object], on_error: Callable[[Any], None]
    ) -> Producer: ...


class KafkaClients:
    """Makes confluent-kafka's clients.

    Raises (both methods):
        ConfigError: librdkafka refuses the properties.
    """

    def consumer(
        self, properties: Mapping[str, object], on_error: Callable[[Any], None]
    ) -> Consumer:
        """Return a consumer; nothing is subscribed yet."""
        return self._make(confluent_kafka.Consumer, properties, on_error)

    def producer(
        self, properties: Mapping[str, object], on_error: Callable[[Any], None]
    ) -> Producer:
        """Return a producer; it begins to connect at once."""
        return self._make(confluent_kafka.Producer, properties, on_error)

    def _make(
        self,
        client: Callable[..., Any],
        properties: Mapping[str, object],
        on_error: Callable[[Any], None],
    ) -> Any:
        try:
            return client({**properties, "error_cb": on_error}, logger=log)
        except (confluent_kafka.KafkaException, ValueError, TypeError) as error:
            cause = error.args[0] if error.args else error
            reason = cause.str() if isinstance(cause, confluent_kafka.KafkaError) else cause
            raise ConfigError(f"Kafka client settings: {reason}") from error


class Throttle:
    """Lets a repeated event pass only once in a while, each key by itself.

    Args:
        seconds: the least time between two events of the same key.
        clock: monotonic time in seconds.
    """

    def __init__(
        self,
        seconds: float = SECONDS_BETWEEN_REPEATS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._passed: dict[object, float] = {}

    def passes(self, key: object) -> bool:
        """Tell whether the event is to be let through now."""
        now = self._clock()
        if key in self._passed and now - self._passed[key] < self._seconds:
            return False
        self._passed[key] = now
        return True


class LibrdkafkaLogFilter(logging.Filter):
    """Thins out librdkafka's own log, which repeats itself at every connection attempt."""

    def __init__(self) -> None:
        super().__init__()
        self._throttle = Throttle()

    def filter(self, record: logging.LogRecord) -> bool:
        """Let through one line of each facility and client every ten seconds."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        if arguments and arguments[0] in ("FAIL", "ERROR"):
            # The client reports the same as an error, which the pipeline logs.
            return False
        return self._throttle.passes((record.msg, arguments[:2]))
