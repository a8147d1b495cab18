"""Publishing, with each send's outcome recorded."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from kafka import KafkaProducer
from kafka import errors as kafka_errors

from stackproof.history import History, digest_of, preview
from stackproof.history.columns import NONE
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.kafka.client.messages import Message
from stackproof.services.sending import Sent

# Refused for good: the record is certainly not in the log. Anything else, a time-out or a
# lost connection above all, may have been written before the answer was lost.
_DEFINITE = (
    kafka_errors.MessageSizeTooLargeError,
    kafka_errors.InvalidTopicError,
    kafka_errors.RecordListTooLargeError,
    kafka_errors.TopicAuthorizationFailedError,
    kafka_errors.InvalidRequiredAcksError,
)
_LARGEST_REQUEST = 16 * 1024 * 1024  # the broker shall judge a message's size, not the client


class Publisher:
    """Publishes to one cluster; acks=all and idempotent unless ``options`` say otherwise."""

    def __init__(
        self, connection: Mapping[str, Any], history: History, *, name: str, **options: Any
    ):
        self._history = history
        self.name = name
        self.transaction = NONE
        # Without an answer nobody knows the offset; kafka-python counts from 0 on its own.
        self._answered = str(options.get("acks", "all")) != "0"
        self._producer = KafkaProducer(
            **connection,
            **{"acks": "all", "max_request_size": _LARGEST_REQUEST, "linger_ms": 1, **options},
        )

    def publish(
        self, topic: str, messages: Iterable[Message], *, within: float, into: Sent | None = None
    ) -> Sent:
        """Send messages in order and wait until each is acknowledged or has failed.

        Sends without an outcome after ``within`` seconds count as unknown.

        Args:
            topic: its real name.
            messages: what to send; may come slowly.
            within: seconds, from the last message on.
            into: where to count, for those who watch meanwhile.
        """
        sent = Sent() if into is None else into
        lock = threading.Lock()
        expected = 0
        for message in messages:
            expected += 1
            op = self._history.send(
                transaction=self.transaction,
                client=self.name,
                topic=topic,
                ident=message.ident,
                digest=digest_of(message.value),
                carried=message.carried,
                label=message.label,
                preview=preview(message.value),
            )
            try:
                future = self._producer.send(
                    topic,
                    message.value,
                    key=message.key,
                    headers=list(message.headers.items()),
                    partition=message.partition,
                )
            except kafka_errors.KafkaError as error:
                self._conclude(sent, lock, op, error)
                continue
            future.add_callback(self._acknowledge, sent, lock, op)
            future.add_errback(lambda error, op=op: self._conclude(sent, lock, op, error))
        try:
            self._producer.flush(timeout=within)
            poll(
                lambda: sent.ok + sent.failed + sent.unknown,
                until=lambda done: done == expected,
                within=1,
                awaiting="the outcomes of all sends",
            )
        except (kafka_errors.KafkaTimeoutError, DeadlineExceeded):
            with lock:
                missing = expected - sent.ok - sent.failed - sent.unknown
                sent.unknown += missing
                sent.errors[f"no outcome within {within:g} s"] += missing
        return sent

    def _acknowledge(self, sent: Sent, lock: threading.Lock, op: int, metadata: Any) -> None:
        offset = metadata.offset if self._answered else None
        self._history.complete(op, "ok", partition=metadata.partition, offset=offset)
        with lock:
            sent.ok += 1

    def _conclude(self, sent: Sent, lock: threading.Lock, op: int, error: BaseException) -> None:
        definite = isinstance(error, _DEFINITE)
        text = f"{type(error).__name__}: {error}"
        self._history.complete(op, "fail" if definite else "unknown", error=text)
        with lock:
            sent.errors[text] += 1
            if definite:
                sent.failed += 1
            else:
                sent.unknown += 1

    def close(self) -> None:
        """Close without waiting for what is still open."""
        try:
            self._producer.close(timeout=0.5)
        except kafka_errors.KafkaTimeoutError:
            # kafka-python gives up before it has ended its thread, which goes on sending.
            self._producer._sender.force_close()
