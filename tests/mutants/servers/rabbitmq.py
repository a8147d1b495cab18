"""RabbitMQ with faults: frames of AMQP 0-9-1 changed on their way.

A method's frame: type 1, channel, length, payload (class, method, arguments), end mark.
"""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections.abc import Callable

_METHOD, _HEADER, _BODY = 1, 2, 3
_EXCHANGE_DECLARE, _QUEUE_DECLARE = (40, 10), (50, 10)
_QOS, _CONSUME, _CANCEL, _PUBLISH, _DELIVER, _ACK = (
    (60, 10), (60, 20), (60, 30), (60, 40), (60, 60), (60, 80),
)  # fmt: skip
#: What comes from the server; everything else is changed on its way to it.
_TWICE = "each delivery is handed out twice"
_FROM_SERVER = (_CANCEL, _DELIVER, "properties", _TWICE)
#: A method, or the properties of a message.
Key = tuple[int, int] | str
#: Changes a method's payload; None: the method is left out.
Change = Callable[[bytes], bytes | None]


def _after_strings(payload: bytes, start: int, strings: int) -> int:
    """Where the argument after so many short strings begins."""
    for _ in range(strings):
        start += 1 + payload[start]
    return start


def _without_prefetch(payload: bytes) -> bytes:
    return payload[:8] + b"\0\0" + payload[10:]


def _without_mark(payload: bytes) -> bytes:
    place = _after_strings(payload, 4, 1) + 8
    return payload[:place] + b"\0" + payload[place + 1 :]


def _without_ack(payload: bytes) -> bytes:
    place = _after_strings(payload, 6, 2)
    return payload[:place] + bytes([payload[place] | 2]) + payload[place + 1 :]


def _not_mandatory(payload: bytes) -> bytes:
    place = _after_strings(payload, 6, 2)
    return payload[:place] + bytes([payload[place] & ~1]) + payload[place + 1 :]


def _losing() -> Change:
    numbers = itertools.count(1)

    def change(payload: bytes) -> bytes:
        if next(numbers) % 50:
            return payload
        key = _after_strings(payload, 6, 1)
        # No queue is called so; and nobody is told.
        return _not_mandatory(payload[: key + 1] + b"?" + payload[key + 2 :])

    return change


def _instead(name: str, other: str) -> Change:
    """A word of the same length in place of one that means something."""
    assert len(name) == len(other)
    return lambda payload: payload.replace(name.encode(), other.encode())


def _without_flag(bit: int) -> Change:
    """A queue is declared without one of its flags."""

    def change(payload: bytes) -> bytes:
        place = _after_strings(payload, 6, 1)
        return payload[:place] + bytes([payload[place] & ~bit]) + payload[place + 1 :]

    return change


def _without_expiration(payload: bytes) -> bytes:
    """The properties of a message without its time to live."""
    (flags,) = struct.unpack_from(">H", payload, 12)
    if not flags & 0x100:
        return payload
    start = _after_strings(payload, 14, sum(bool(flags & bit) for bit in (0x8000, 0x4000)))
    if flags & 0x2000:
        start += 4 + struct.unpack_from(">I", payload, start)[0]
    start += sum(bool(flags & bit) for bit in (0x1000, 0x800))
    start = _after_strings(payload, start, sum(bool(flags & bit) for bit in (0x400, 0x200)))
    end = _after_strings(payload, start, 1)
    return payload[:12] + struct.pack(">H", flags & ~0x100) + payload[14:start] + payload[end:]


def _counting_one(payload: bytes) -> bytes:
    name = b"\x05countl"
    first, *others = payload.split(name)
    return first + b"".join(name + struct.pack(">q", 1) + other[8:] for other in others)


def _requeuing() -> Change:
    numbers = itertools.count(1)

    def change(payload: bytes) -> bytes:
        if next(numbers) % 10:
            return payload
        # Not taken, and back to the queue.
        return struct.pack(">HH", 60, 120) + payload[4:12] + b"\x02"

    return change


def _acknowledging_once() -> Change:
    told: set[bytes] = set()

    def change(payload: bytes) -> bytes | None:
        tag = payload[4:12]
        known = tag in told
        told.add(tag)
        return None if known else payload

    return change


#: By fault: what changes in the methods of each connection, by method.
FAULTS: dict[str, Callable[[], dict[Key, Change]]] = {
    "sound": dict,
    "ignores_prefetch": lambda: {_QOS: _without_prefetch},
    "hides_redelivery": lambda: {_DELIVER: _without_mark},
    "forgets_when_handed": lambda: {_CONSUME: _without_ack, _ACK: lambda _: None},
    "loses_confirmed": lambda: {_PUBLISH: _losing()},
    "ignores_mandatory": lambda: {_PUBLISH: _not_mandatory},
    "sets_nothing_aside": lambda: {
        _QUEUE_DECLARE: _instead("x-dead-letter-exchange", "x-last-letter-exchange")
    },
    "hands_to_two": lambda: {_TWICE: lambda payload: payload, _ACK: _acknowledging_once()},
    "requeues_acknowledged": lambda: {_ACK: _requeuing()},
    "hides_reason": lambda: {"properties": _instead("rejected", "accepted")},
    "miscounts_deaths": lambda: {"properties": _counting_one},
    "ignores_queue_ttl": lambda: {_QUEUE_DECLARE: _instead("x-message-ttl", "x-message-tea")},
    "ignores_message_ttl": lambda: {"sent properties": _without_expiration},
    "ignores_priority": lambda: {_QUEUE_DECLARE: _instead("x-max-priority", "x-mix-priority")},
    "ignores_max_length": lambda: {_QUEUE_DECLARE: _instead("x-max-length", "x-mix-length")},
    "ignores_delivery_limit": lambda: {
        _QUEUE_DECLARE: _instead("x-delivery-limit", "x-delivery-lemon")
    },
    "ignores_alternate": lambda: {
        _EXCHANGE_DECLARE: _instead("alternate-exchange", "alternate-exchanze")
    },
    "shares_exclusive": lambda: {_QUEUE_DECLARE: _without_flag(4)},
    "keeps_auto_delete": lambda: {_QUEUE_DECLARE: _without_flag(8)},
    "cancels_silently": lambda: {_CANCEL: lambda _: None},
}


def serve(fault: str) -> Callable[[socket.socket, socket.socket], None]:
    """What a proxy does with each connection."""

    def connection(client: socket.socket, server: socket.socket) -> None:
        changes = FAULTS[fault]()
        theirs = {key: change for key, change in changes.items() if key in _FROM_SERVER}
        ours = {key: change for key, change in changes.items() if key not in theirs}
        if "sent properties" in ours:
            ours["properties"] = ours.pop("sent properties")
        back = threading.Thread(target=_pump, args=(server, client, theirs, False), daemon=True)
        back.start()
        _pump(client, server, ours, True)
        back.join()

    return connection


def _pump(source: socket.socket, target: socket.socket, changes: dict[Key, Change],
          from_client: bool) -> None:  # fmt: skip
    """Hand on frames until one side ends, then end the other."""
    stream = source.makefile("rb")
    message = b""  # a delivery, as it is handed out again
    try:
        if from_client:
            target.sendall(stream.read(8))  # the protocol's name and version
        while len(head := stream.read(7)) == 7:
            kind, channel, length = struct.unpack(">BHI", head)
            payload: bytes | None = stream.read(length)
            end = stream.read(1)
            method = struct.unpack(">HH", payload[:4]) if kind == _METHOD and payload else ()
            if method or kind == _HEADER:
                change = changes.get(method or "properties")  # type: ignore[arg-type]
                payload = change(payload) if change else payload  # type: ignore[arg-type]
            if payload is None:
                continue
            frame = struct.pack(">BHI", kind, channel, len(payload)) + payload + end
            target.sendall(frame)
            if _TWICE in changes and (method == _DELIVER or (message and kind != _METHOD)):
                message += frame
            if message and kind == _BODY:
                target.sendall(message)
                message = b""
    except OSError:
        pass
    finally:
        for side in (source, target):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
