"""PostgreSQL with faults: a proxy that changes the statements of simple queries on their way in."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from typing import BinaryIO

from tests.mutants.servers.state import State

#: Changes a statement; or, by name, the parameters that a client begins with.
Fault = Callable[[State, str], str]
_QUERY = b"Q"


def sound(state: State, text: str) -> str:
    """No fault: the control."""
    return text


def weaker_isolation(state: State, text: str) -> str:
    """Each isolation level is the next weaker one."""
    if "REPEATABLE READ" in text:
        return text.replace("REPEATABLE READ", "READ COMMITTED")
    return text.replace("SERIALIZABLE", "REPEATABLE READ")


def checks_nothing(state: State, text: str) -> str:
    """CHECK constraints are accepted, and let everything through."""
    return text.replace("CHECK (balance >= 0)", "CHECK (true)")


def drops_updates(state: State, text: str) -> str:
    """The second update of a transfer is answered, and not carried out."""
    return f"{text} AND false" if _second_of_transfer(text) else text


def commits_rollbacks(state: State, text: str) -> str:
    """ROLLBACK is answered, and the transaction is committed."""
    return "COMMIT" if text == "ROLLBACK" else text


def lets_all_in(state: State, text: str) -> str:
    """Tables are made where everybody finds them."""
    return text.replace('"customers"', 'public."customers"')


def rounds_up(state: State, text: str) -> str:
    """An update changes one row more than it should."""
    return f"{text} OR true" if _second_of_transfer(text) else text


def _second_of_transfer(text: str) -> bool:
    return text.startswith("UPDATE") and "130" in text


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        sound, weaker_isolation, checks_nothing, drops_updates, commits_rollbacks, lets_all_in,
        rounds_up,
    )
}  # fmt: skip


def serve(fault: str) -> Callable[[socket.socket, socket.socket], None]:
    """What a proxy does with each connection."""
    state, change = State(), FAULTS[fault]

    def connection(client: socket.socket, server: socket.socket) -> None:
        def answer() -> None:
            try:
                while part := server.recv(1 << 16):
                    client.sendall(part)
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                server.close()

        threading.Thread(target=answer, daemon=True).start()
        requests = client.makefile("rb")
        server.sendall(_body(requests, b""))  # what a connection begins with has no kind
        while kind := requests.read(1):
            message = _body(requests, kind)
            if kind == _QUERY:
                text = change(state, message[5:-1].decode()).encode() + b"\0"
                message = kind + struct.pack(">i", len(text) + 4) + text
            server.sendall(message)

    return connection


def _body(stream: BinaryIO, kind: bytes) -> bytes:
    head = stream.read(4)
    if len(head) < 4:
        raise EOFError
    return kind + head + stream.read(int.from_bytes(head, "big") - 4)
