"""What all sinks of the reference have in common, with a server that a test plays."""

from __future__ import annotations

import datetime
import os
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from reference.sinks import (
    BufferFullError,
    NotDeliveredError,
    RabbitMQSink,
    RedisSink,
    SinkStoppedError,
)
from reference.sinks.buffer import Buffer, Item
from reference.sinks.event import Event
from reference.sinks.sink import Sink
from stackproof.polling import poll


class Played(Sink):
    """Delivers to a list; fails while it is told to."""

    def __init__(self, **more: Any):
        super().__init__(**{"reset_after": 0.05, "stop_within": 0.5, **more})
        self.failing, self.delivered, self.tries = threading.Event(), [], 0

    def _item(self, event: Event) -> Item:
        return Item(event.event_id, event.as_json().encode())

    def _connect(self) -> None:
        self.tries += 1

    def _send(self, items: Sequence[Item]) -> Iterator[int]:
        for item in items:
            if self.failing.is_set():
                raise OSError("down")
            self.delivered.append(item.ident)
            yield 1

    def _disconnect(self) -> None:
        pass

    def _forget(self) -> None:
        self.delivered = []


def event(number: int = 1, **more: Any) -> dict[str, Any]:
    """An event."""
    names = ("execution_id", "module_name", "method_name", "event_type", "operation", "timestamp")
    texts = dict.fromkeys(names, "x")
    return {"event_id": str(number), **texts, "data": None, "tags": {}, **more}


def idents(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def test_a_worker_outlives_whatever_its_server_does() -> None:
    sink = Played()
    sink.start()
    sink.failing.set()
    for number in range(50):
        sink.handle_event(event(number))
    poll(lambda: sink.tries, until=lambda tries: tries > 5, within=20, awaiting="tries")
    sink.failing.clear()
    sink.flush(20)
    assert sink.delivered == idents(50)
    sink.stop()


def test_stopping_says_what_is_lost_and_nothing_is_taken_afterwards() -> None:
    sink = Played()
    sink.start()
    sink.failing.set()
    sink.handle_event(event())
    with pytest.raises(NotDeliveredError, match=r"1 events are not delivered.*down"):
        sink.stop()
    with pytest.raises(SinkStoppedError):
        sink.handle_event(event())
    with pytest.raises(NotDeliveredError):  # once more: it does not hang
        sink.flush(0.01)


@pytest.mark.parametrize(("overflow", "kept"), [("drop-oldest", "3 4"), ("drop-newest", "0 1")])
def test_a_full_buffer_drops(overflow: str, kept: str) -> None:
    buffer = Buffer(2, overflow)
    for number in range(5):
        buffer.put(Item(str(number), b""))
    assert " ".join(item.ident for item in buffer.take(9, 0)) == kept
    assert buffer.dropped == 3


def test_what_is_being_sent_is_not_dropped() -> None:
    buffer = Buffer(2, "drop-oldest")
    buffer.put(Item("0", b""))
    taken = buffer.take(1, 0)
    for number in (1, 2):
        buffer.put(Item(str(number), b""))
    buffer.give_back(taken)
    assert [item.ident for item in buffer.take(9, 0)] == ["0", "2"]


def test_a_full_buffer_refuses_more() -> None:
    buffer = Buffer(1, "raise")
    buffer.put(Item("0", b""))
    with pytest.raises(BufferFullError):
        buffer.put(Item("1", b""))


def test_whoever_waits_for_room_is_told_of_the_end() -> None:
    buffer, told = Buffer(1, "block"), []
    buffer.put(Item("0", b""))

    def wait() -> None:
        with pytest.raises(SinkStoppedError):
            buffer.put(Item("1", b""))
        told.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    buffer.close()
    thread.join(20)
    assert told


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"data": datetime.date(2026, 1, 1)}, "JSON"), ({"data": float("nan")}, "JSON"),
     ({"more": 1}, "more"), ({"data": "x" * 2000}, "bytes")],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused_at_once(wrong: dict[str, Any], told: str) -> None:
    sink = Played(max_bytes=1000)
    with pytest.raises(ValueError, match=told):
        sink.handle_event(event(**wrong))
    sink.start()
    sink.handle_event(event(7))
    sink.stop()
    assert sink.delivered == ["7"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_delivers_what_is_its_own() -> None:
    sink = Played()
    sink.start()
    sink.failing.set()
    sink.handle_event(event(1))
    reading, writing = os.pipe()
    if not (child := os.fork()):
        sink.failing = threading.Event()
        sink.handle_event(event(2))
        sink.flush(20)
        os.write(writing, " ".join(sink.delivered).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        assert told.read() == "2"
    assert os.waitpid(child, 0)[1] == 0
    sink.failing.clear()
    sink.stop()
    assert sink.delivered == ["1"]


@pytest.mark.parametrize(
    ("url", "told"),
    [("http://secret@h", "scheme"), ("redis://", "host"), ("redis://:secret@h:99999", "port"),
     ("redis://:secret@h:0", "port"), ("redis://:secret@h/x", "number"),
     ("redis://:se#cret@h", "host|#"), ("redis://:secret@[h", "URL")],
)  # fmt: skip
def test_urls_of_redis_that_are_refused(url: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as refused:
        RedisSink(url, "stream")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["redis://h", "rediss://u:p%40@h:1/2", "redis://[::1]:6379"])
def test_urls_of_redis_that_are_right(url: str) -> None:
    RedisSink(url, "stream")


@pytest.mark.parametrize("url", ["amqp://h", "amqps://u:p%2F@h:1/v%2Fw", "amqp://[::1]/"])
def test_urls_of_rabbitmq_that_are_right(url: str) -> None:
    RabbitMQSink(url, "exchange", "key")
