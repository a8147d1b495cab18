"""Sinks of events with faults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pika
from pybreaker import CircuitBreaker

from reference.sinks import BufferFullError, RabbitMQSink, RedisSink
from reference.sinks.buffer import Buffer, Item


class DropsOnReconnect(RedisSink):
    """What was on its way when the connection ended is given up."""

    def _connect(self) -> None:
        if not self._connected and self._uncertain:
            self._buffer.done(len(self._uncertain))
            self._uncertain = ()
            super()._connect()
            raise ConnectionError("begins anew")
        super()._connect()


class SendsTwice(RedisSink):
    """What had no answer is sent again, whether it has arrived or not."""

    def _arrived(self, event: Item) -> bool:
        return False


class NeverHalfOpens(RedisSink):
    """A circuit that has opened stays open for an hour."""

    def __init__(self, url: str, stream: str, **more: Any):
        super().__init__(url, stream, **more)
        self._breaker = CircuitBreaker(fail_max=self._breaker.fail_max, reset_timeout=3600)


class HasNoBreaker(RedisSink):
    """It tries again and again."""

    def __init__(self, url: str, stream: str, **more: Any):
        super().__init__(url, stream, **{**more, "failures": 1_000_000})


class BlocksForEver(RedisSink):
    """Whoever has waited for room is not told that there is some."""

    def __init__(self, url: str, stream: str, **more: Any):
        super().__init__(url, stream, **more)
        self._buffer.done = self._done  # type: ignore[method-assign]

    def _done(self, count: int) -> None:
        with self._buffer._changed:
            for _ in range(count):
                self._buffer._items.popleft()


class LosesOrder(RedisSink):
    """A batch is sent from its end."""

    def _send(self, items: Sequence[Item]) -> Iterator[int]:
        yield from super()._send(items[::-1])


class _SwallowingBuffer(Buffer):
    def put(self, item: Item) -> None:
        try:
            super().put(item)
        except BufferFullError:
            self.dropped += 1


class SwallowsOverflow(RedisSink):
    """That the buffer is full is told nobody."""

    def __init__(self, url: str, stream: str, buffer_size: int = 10_000, **more: Any):
        super().__init__(url, stream, buffer_size=buffer_size, **more)
        self._buffer = _SwallowingBuffer(buffer_size, more["overflow"])


class DropsNewest(RedisSink):
    """It drops the newest events where it is to drop the oldest."""

    def __init__(self, url: str, stream: str, overflow: str = "block", **more: Any):
        super().__init__(url, stream, overflow=overflow.replace("oldest", "newest"), **more)


class DropsOldest(RedisSink):
    """It drops the oldest events where it is to drop the newest."""

    def __init__(self, url: str, stream: str, overflow: str = "block", **more: Any):
        super().__init__(url, stream, overflow=overflow.replace("newest", "oldest"), **more)


class StopsAtOnce(RedisSink):
    """What is in its buffer when it is stopped is forgotten."""

    def flush(self, within: float | None = None) -> None:
        pass


class NeverTrims(RedisSink):
    """The stream keeps all entries."""

    def __init__(self, url: str, stream: str, **more: Any):
        super().__init__(url, stream, **{**more, "max_length": 0})


class DiesOfErrors(RedisSink):
    """The first error of its server ends its worker."""

    def _deliver(self, items: Sequence[Item]) -> None:
        try:
            super()._deliver(items)
        except Exception as error:
            raise SystemExit from error


class MakesGroupAnew(RedisSink):
    """Each sink begins with a consumer group of its own."""

    def _connect(self) -> None:
        if not self._connected and self._redis.exists(self._stream):
            self._redis.xgroup_destroy(self._stream, self._group)
        super()._connect()


class LeavesItsThread(RedisSink):
    """Its worker and its connection live on when it was stopped."""

    def stop(self) -> None:
        self._buffer.close()
        self.flush()


class RoundsNumbers(RedisSink):
    """Contents are not as they were: numbers lose their fractions."""

    def handle_event(self, event: Any) -> None:
        data = {**event["data"], "amount": int(event["data"]["amount"])}
        super().handle_event({**event, "data": data})


class NotPersistent(RabbitMQSink):
    """The broker need not keep its messages."""

    def _send(self, items: Sequence[Item]) -> Iterator[int]:
        assert self._channel is not None
        for item in items:
            properties = pika.BasicProperties(message_id=item.ident)
            self._channel.basic_publish(self._exchange, self._key, item.content, properties)
            yield 1


class OneWayOnly(RabbitMQSink):
    """Messages count as delivered when they are sent: nobody waits for confirms."""

    def _send(self, items: Sequence[Item]) -> Iterator[int]:
        assert self._channel is not None
        self._channel._delivery_confirmation = False
        yield from super()._send(items)


class NoDeadLetters(RabbitMQSink):
    """What consumers reject is gone."""

    def __init__(self, url: str, exchange: str, routing_key: str, **more: Any):
        super().__init__(url, exchange, routing_key, **{**more, "dead_letter_exchange": ""})


class RabbitMQHasNoBreaker(RabbitMQSink):
    """It tries again and again."""

    def __init__(self, url: str, exchange: str, routing_key: str, **more: Any):
        super().__init__(url, exchange, routing_key, **{**more, "failures": 1_000_000})


class DropsSomeOfBoth(RabbitMQSink):
    """Every twentieth event is passed over."""

    _count = 0

    def handle_event(self, event: Any) -> None:
        self._count += 1
        if self._count % 20:
            super().handle_event(event)
