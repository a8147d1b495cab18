"""Kafka with faults: a proxy that changes the records of Produce requests on their way in.

Clients are told, in the answer to their ApiVersions, that Produce goes up to version 8: its
requests are the last without compact encodings, and simple to take apart.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecords

from tests.mutants.servers.state import State

_PRODUCE, _API_VERSIONS = 0, 18
_NEWEST_PRODUCE = 8
_UNSUPPORTED_VERSION = 35
_LARGEST = 1 << 26

#: Changes the records of one batch; each has key, value, headers and timestamp.
Fault = Callable[[State, list[Any]], Sequence[Any]]


class _Changed:
    """A record with another value."""

    def __init__(self, record: Any, value: bytes):
        self.key, self.headers, self.timestamp = record.key, record.headers, record.timestamp
        self.value = value


def sound(state: State, records: list[Any]) -> Sequence[Any]:
    """No fault: the control."""
    return records


def drops_records(state: State, records: list[Any]) -> Sequence[Any]:
    """The last record of every fifth batch is acknowledged and thrown away."""
    return records[:-1] if len(records) > 1 and state.every(5) else records


def duplicates_records(state: State, records: list[Any]) -> Sequence[Any]:
    """The last record of every fifth batch is stored twice."""
    return [*records, records[-1]] if state.every(5) else records


def reorders_records(state: State, records: list[Any]) -> Sequence[Any]:
    """The first two records of every fifth batch change places."""
    if len(records) > 1 and state.every(5):
        return [records[1], records[0], *records[2:]]
    return records


def corrupts_records(state: State, records: list[Any]) -> Sequence[Any]:
    """In the last record of every fifth batch a bit of the value is flipped."""
    *others, last = records
    if not last.value or not state.every(5):
        return records
    return [*others, _Changed(last, last.value[:-1] + bytes([last.value[-1] ^ 1]))]


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (sound, drops_records, duplicates_records, reorders_records, corrupts_records)
}


def serve(fault: str) -> Callable[[socket.socket, socket.socket], None]:
    """What a proxy does with each connection."""
    state, change = State(), FAULTS[fault]

    def connection(client: socket.socket, server: socket.socket) -> None:
        asked: dict[int, int] = {}  # versions of ApiVersions requests, by correlation ID

        def answer() -> None:
            answers = server.makefile("rb")
            try:
                while (frame := _frame(answers)) is not None:
                    (correlation,) = struct.unpack_from(">i", frame)
                    if correlation in asked:
                        frame = _limited(frame, asked.pop(correlation))
                    client.sendall(_framed(frame))
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                server.close()

        threading.Thread(target=answer, daemon=True).start()
        requests = client.makefile("rb")
        while (frame := _frame(requests)) is not None:
            key, version, correlation = struct.unpack_from(">hhi", frame)
            if key == _API_VERSIONS:
                asked[correlation] = version
            elif key == _PRODUCE:
                frame = _changed(frame, lambda records: change(state, records))
            server.sendall(_framed(frame))

    return connection


def _frame(stream: BinaryIO) -> bytes | None:
    head = stream.read(4)
    return stream.read(int.from_bytes(head, "big")) if len(head) == 4 else None


def _framed(frame: bytes) -> bytes:
    return len(frame).to_bytes(4, "big") + frame


def _limited(frame: bytes, version: int) -> bytes:
    """An answer to ApiVersions with Produce up to the version that is understood here."""
    (error,) = struct.unpack_from(">h", frame, 4)
    compact = version >= 3 and error != _UNSUPPORTED_VERSION
    # The number of entries takes one byte: there are fewer than 127.
    count, place = (frame[6] - 1, 7) if compact else (int.from_bytes(frame[6:10], "big"), 10)
    limited = bytearray(frame)
    for _ in range(count):
        key, _least, most = struct.unpack_from(">hhh", frame, place)
        if key == _PRODUCE:
            struct.pack_into(">h", limited, place + 4, min(most, _NEWEST_PRODUCE))
        place += 7 if compact else 6
    return bytes(limited)


def _changed(frame: bytes, change: Callable[[list[Any]], Sequence[Any]]) -> bytes:
    """A Produce request (versions 3 to 8) with the records of each batch changed."""
    place = 8
    for _ in range(2):  # client ID, transactional ID
        (length,) = struct.unpack_from(">h", frame, place)
        place += 2 + max(0, length)
    place += 6  # acks, timeout
    (topics,) = struct.unpack_from(">i", frame, place)
    place += 4
    parts = [frame[:place]]
    for _ in range(topics):
        (length,) = struct.unpack_from(">h", frame, place)
        (partitions,) = struct.unpack_from(">i", frame, place + 2 + length)
        parts.append(frame[place : place + 2 + length + 4])
        place += 2 + length + 4
        for _ in range(partitions):
            index, size = struct.unpack_from(">ii", frame, place)
            records = _rebuilt(frame[place + 8 : place + 8 + size], change)
            parts.append(struct.pack(">ii", index, len(records)) + records)
            place += 8 + size
    return b"".join([*parts, frame[place:]])


def _rebuilt(records: bytes, change: Callable[[list[Any]], Sequence[Any]]) -> bytes:
    """Batches with their records changed; without producer ID, or the broker would object."""
    rebuilt = []
    batches = MemoryRecords(records)
    while (batch := batches.next_batch()) is not None:
        builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, _LARGEST)
        for offset, record in enumerate(change(list(batch))):
            builder.append(offset, record.timestamp, record.key, record.value, record.headers)
        rebuilt.append(bytes(builder.build()))
    return b"".join(rebuilt)
