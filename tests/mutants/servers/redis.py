"""Redis with faults: each changes commands on their way in, or answers on their way out."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, BinaryIO

from tests.mutants.servers.state import State

#: That there is no such key, in RESP2 and 3.
_NOTHING = (b"$-1\r\n", b"_\r\n")
#: Handles a command: returns its answer, raw. Calls what it is given to ask the sound server.
Fault = Callable[[State, list[bytes], Callable[[list[bytes]], bytes], bool], bytes]


def sound(state: State, command: list[bytes], ask: Any, pipelined: bool) -> bytes:
    """No fault: the control."""
    return ask(command)


def forgets_expire(state: State, command: list[bytes], ask: Any, pipelined: bool) -> bytes:
    """EXPIRE is answered and not carried out."""
    return b":1\r\n" if command[0].upper() in (b"EXPIRE", b"PEXPIRE") else ask(command)


def serves_stale(state: State, command: list[bytes], ask: Any, pipelined: bool) -> bytes:
    """A value that was got once is served for another 50 ms, whatever happens to its key."""
    if command[0].upper() != b"GET":
        return ask(command)
    with state.lock:
        since, old = state.old.get(command[1], (0.0, b""))
        if time.monotonic() - since < 0.05:
            return old
    answer = ask(command)
    if answer not in _NOTHING:
        with state.lock:
            state.old[command[1]] = (time.monotonic(), answer)
    return answer


def one_not_a_number(state: State, command: list[bytes], ask: Any, pipelined: bool) -> bytes:
    """Quiet NaNs lose their payload, as in a store that keeps vectors as numbers."""
    return ask([part.replace(b"\x01\x00\xc0\x7f", b"\x00\x00\xc0\x7f") for part in command])


def drops_pipelined(state: State, command: list[bytes], ask: Any, pipelined: bool) -> bytes:
    """Of the SETs that come without waiting for answers, every 100th is only acknowledged."""
    if pipelined and command[0].upper() == b"SET" and state.every(100):
        return b"+OK\r\n"
    return ask(command)


def keeps_deleted(state: State, command: list[bytes], ask: Any, pipelined: bool) -> bytes:
    """DEL is answered and not carried out."""
    return b":1\r\n" if command[0].upper() == b"DEL" else ask(command)


def ignores_nx(state: State, command: list[bytes], ask: Any, pipelined: bool) -> bytes:
    """SET ... NX sets the key also when it is there."""
    return ask([part for part in command if part.upper() != b"NX"])


def serves_expired(state: State, command: list[bytes], ask: Any, pipelined: bool) -> bytes:
    """A value that has expired is served for ever, as by a cache that never looks at the time."""
    answer = ask(command)
    if command[0].upper() != b"GET":
        return answer
    with state.lock:
        if answer in _NOTHING:
            return state.old.get(command[1], (0.0, answer))[1]
        state.old[command[1]] = (0.0, answer)
    return answer


def claims_for_everybody(state: State, command: list[bytes], ask: Any, pipelined: bool) -> bytes:
    """What is pending is claimed however short a time ago it was handed to somebody else."""
    if command[0].upper() in (b"XAUTOCLAIM", b"XCLAIM"):
        threading.Event().wait(0.02)  # so that others get the same
        command = [*command[:4], b"0", *command[5:]]
    return ask(command)


def repeats_published(state: State, command: list[bytes], ask: Any, pipelined: bool) -> bytes:
    """Every tenth message goes to its subscribers twice."""
    if command[0].upper() == b"PUBLISH" and state.every(10):
        ask(command)
    return ask(command)


def trims_all(state: State, command: list[bytes], ask: Any, pipelined: bool) -> bytes:
    """Whoever trims a stream has an empty one."""
    return ask([*command[:-1], b"0"] if command[0].upper() == b"XTRIM" else command)


def trims_nothing(state: State, command: list[bytes], ask: Any, pipelined: bool) -> bytes:
    """Trimming a stream is answered and not carried out."""
    return b":0\r\n" if command[0].upper() == b"XTRIM" else ask(command)


def acknowledges_nothing(state: State, command: list[bytes], ask: Any, pipelined: bool) -> bytes:
    """XACK is answered and not carried out."""
    return b":1\r\n" if command[0].upper() == b"XACK" else ask(command)


def knows_one_group(state: State, command: list[bytes], ask: Any, pipelined: bool) -> bytes:
    """All groups of a stream share its entries out among them: the first one that read has them."""
    if command[0].upper() == b"XREADGROUP":
        with state.lock:
            _, first = state.old.setdefault(command[-2], (0.0, command[2]))
        command = [*command[:2], first, *command[3:]]
    return ask(command)


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        sound, forgets_expire, serves_stale, one_not_a_number, drops_pipelined, keeps_deleted,
        ignores_nx, serves_expired, claims_for_everybody, repeats_published, trims_all,
        trims_nothing, acknowledges_nothing, knows_one_group,
    )
}  # fmt: skip


def serve(fault: str) -> Callable[[socket.socket, socket.socket], None]:
    """What a proxy does with each connection."""
    state, handle = State(), FAULTS[fault]

    def connection(client: socket.socket, server: socket.socket) -> None:
        commands, answers = client.makefile("rb"), server.makefile("rb")

        def ask(command: list[bytes]) -> bytes:
            lines = [b"*%d\r\n" % len(command)]
            lines += [b"$%d\r\n%s\r\n" % (len(part), part) for part in command]
            server.sendall(b"".join(lines))
            return _answer(answers)

        while (command := _command(commands)) is not None:
            if command[0].upper() in (b"SUBSCRIBE", b"PSUBSCRIBE"):
                client.sendall(ask(command))
                _pass_on(commands, server, answers, client)
                return
            client.sendall(handle(state, command, ask, _waiting(client, commands)))

    return connection


def _pass_on(commands: Any, server: socket.socket, answers: Any, client: socket.socket) -> None:
    """From a subscription on the server speaks when it likes."""

    def told() -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := answers.read1():
                client.sendall(data)

    threading.Thread(target=told, daemon=True).start()
    while data := commands.read1():
        server.sendall(data)


def _waiting(client: socket.socket, commands: Any) -> bool:
    """Whether the next command is here already: the client does not wait for answers."""
    client.setblocking(False)
    try:
        return bool(commands.peek(1))
    finally:
        client.setblocking(True)


def _line(stream: BinaryIO) -> bytes:
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise EOFError
    return line


def _command(stream: BinaryIO) -> list[bytes] | None:
    head = stream.readline()
    if not head:
        return None
    return [_bulk(stream) for _ in range(int(head[1:]))]


def _bulk(stream: BinaryIO) -> bytes:
    return stream.read(int(_line(stream)[1:]) + 2)[:-2]


def _answer(stream: BinaryIO) -> bytes:
    """One whole answer of RESP2 or 3, as it stands."""
    head = _line(stream)
    kind = head[:1]
    length = int(head[1:]) if kind in b"$=!*~>%" else 0
    if kind in b"$=!" and length >= 0:
        return head + stream.read(length + 2)
    parts = {b"*": length, b"~": length, b">": length, b"%": 2 * length}.get(kind, 0)
    return head + b"".join(_answer(stream) for _ in range(parts))
