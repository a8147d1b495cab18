"""RabbitMQ with faults: frames of AMQP 0-9-1 changed on their way.

A method's frame: type 1, channel, length, payload (class, method, arguments), end mark.
"""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections.abc import Callable

_METHOD = 1
_QUEUE_DECLARE = (50, 10)
_QOS, _CONSUME, _PUBLISH, _DELIVER, _ACK = (60, 10), (60, 20), (60, 40), (60, 60), (60, 80)
Key = tuple[int, int]
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


def _without_dead_letters(payload: bytes) -> bytes:
    return payload.replace(b"x-dead-letter-exchange", b"x-last-letter-exchange")


#: By fault: what changes in the methods of each connection, by method.
FAULTS: dict[str, Callable[[], dict[Key, Change]]] = {
    "sound": dict,
    "ignores_prefetch": lambda: {_QOS: _without_prefetch},
    "hides_redelivery": lambda: {_DELIVER: _without_mark},
    "forgets_when_handed": lambda: {_CONSUME: _without_ack, _ACK: lambda _: None},
    "loses_confirmed": lambda: {_PUBLISH: _losing()},
    "ignores_mandatory": lambda: {_PUBLISH: _not_mandatory},
    "sets_nothing_aside": lambda: {_QUEUE_DECLARE: _without_dead_letters},
}


def serve(fault: str) -> Callable[[socket.socket, socket.socket], None]:
    """What a proxy does with each connection."""

    def connection(client: socket.socket, server: socket.socket) -> None:
        changes = FAULTS[fault]()
        back = threading.Thread(target=_pump, args=(server, client, changes, False), daemon=True)
        back.start()
        _pump(client, server, {k: c for k, c in changes.items() if k != _DELIVER}, True)
        back.join()

    return connection


def _pump(source: socket.socket, target: socket.socket, changes: dict[Key, Change],
          from_client: bool) -> None:  # fmt: skip
    """Hand on frames until one side ends, then end the other."""
    stream = source.makefile("rb")
    if not from_client:
        # Acknowledgements of the broker are its confirms.
        changes = {key: change for key, change in changes.items() if key == _DELIVER}
    try:
        if from_client:
            target.sendall(stream.read(8))  # the protocol's name and version
        while len(head := stream.read(7)) == 7:
            kind, channel, length = struct.unpack(">BHI", head)
            payload: bytes | None = stream.read(length)
            end = stream.read(1)
            if kind == _METHOD and payload:
                change = changes.get(struct.unpack(">HH", payload[:4]))  # type: ignore[arg-type]
                payload = change(payload) if change else payload
            if payload is not None:
                target.sendall(struct.pack(">BHI", kind, channel, len(payload)) + payload + end)
    except OSError:
        pass
    finally:
        for side in (source, target):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
