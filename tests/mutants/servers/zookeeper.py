"""ZooKeeper with faults: each changes a request, or what the server tells of its own accord."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from typing import BinaryIO

from tests.mutants.servers.state import State

_CREATE, _SET_DATA, _CREATE2 = 1, 5, 15
_EPHEMERAL, _SEQUENTIAL, _ANY_VERSION, _NOTIFICATION = 1, 2, -1, -1
#: Gets the number of a request and all that follows it.
Request = Callable[[State, int, bytes], bytes]


def sound(state: State, operation: int, request: bytes) -> bytes:
    """No fault: the control."""
    return request


def ignores_version(state: State, operation: int, request: bytes) -> bytes:
    """A node is set whatever version it is in."""
    return request[:-4] + _int(_ANY_VERSION) if operation == _SET_DATA else request


def keeps_ephemerals(state: State, operation: int, request: bytes) -> bytes:
    """What is created as ephemeral outlives its session."""
    if operation not in (_CREATE, _CREATE2):
        return request
    (flags,) = struct.unpack(">i", request[-4:])
    return request[:-4] + _int(flags & ~_EPHEMERAL)


def numbers_fall(state: State, operation: int, request: bytes) -> bytes:
    """Each node of a sequence has a lower number than the one before."""
    if operation not in (_CREATE, _CREATE2) or request[-4:] != _int(_SEQUENTIAL):
        return request
    state.every(1)
    (length,) = struct.unpack(">i", request[:4])
    path = request[4 : 4 + length] + b"%010d" % (10**9 - state.count)
    return _int(len(path)) + path + request[4 + length : -4] + _int(0)


def drops_notifications(state: State, operation: int, request: bytes) -> bytes:
    """Watches tell nothing."""
    return request


REQUESTS: dict[str, Request] = {
    fault.__name__: fault
    for fault in (sound, ignores_version, keeps_ephemerals, numbers_fall, drops_notifications)
}


def serve(fault: str) -> Callable[[socket.socket, socket.socket], None]:
    """What a proxy does with each connection."""
    state, change = State(), REQUESTS[fault]

    def connection(client: socket.socket, server: socket.socket) -> None:
        asked, told = client.makefile("rb"), server.makefile("rb")
        first = asked.read(4)
        if first.isalpha():  # a word of four letters, answered with a text
            server.sendall(first)
            while more := server.recv(65536):
                client.sendall(more)
            return
        server.sendall(first + _rest(asked, first))
        answers = threading.Thread(target=_answers, args=(fault, told, client), daemon=True)
        answers.start()
        while length := asked.read(4):
            frame = _rest(asked, length)
            number, operation = struct.unpack(">ii", frame[:8])
            changed = frame[:8] + (change(state, operation, frame[8:]) if number > 0 else frame[8:])
            server.sendall(_int(len(changed)) + changed)
        server.shutdown(socket.SHUT_WR)
        answers.join(5)

    return connection


def _answers(fault: str, told: BinaryIO, client: socket.socket) -> None:
    client.sendall((first := told.read(4)) + _rest(told, first))  # of the connection
    try:
        while length := told.read(4):
            frame = _rest(told, length)
            (number,) = struct.unpack(">i", frame[:4])
            if number != _NOTIFICATION or fault != drops_notifications.__name__:
                client.sendall(length + frame)
    except OSError:
        return
    finally:
        client.close()


def _rest(stream: BinaryIO, length: bytes) -> bytes:
    if len(length) < 4:
        raise EOFError
    return stream.read(struct.unpack(">i", length)[0])


def _int(number: int) -> bytes:
    return struct.pack(">i", number)
