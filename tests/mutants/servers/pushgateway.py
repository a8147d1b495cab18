"""Pushgateways with faults: each changes what is kept of a push."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import replace

from tests.mutants.servers.http import Asked, Fault, Send, Told
from tests.mutants.servers.http import serve as serve_http
from tests.mutants.servers.state import State


def sound(state: State, asked: Asked, send: Send) -> Told:
    """No fault: the control."""
    return send(asked)


def loses_a_push(state: State, asked: Asked, send: Send) -> Told:
    """The second push of a group is answered, and not kept."""
    if asked.method == "PUT" and asked.path.encode() in state.old:
        return Told(200)
    state.old[asked.path.encode()] = 0.0, b""
    return send(asked)


def adds_always(state: State, asked: Asked, send: Send) -> Told:
    """What replaces a group is added to it."""
    return send(replace(asked, method={"PUT": "POST"}.get(asked.method, asked.method)))


def rounds_values(state: State, asked: Asked, send: Send) -> Told:
    """Values lose what is behind their point."""
    return send(replace(asked, body=re.sub(rb"(?m) (\S*\d)\.\d+$", rb" \1", asked.body)))


FAULTS: dict[str, Fault] = {
    fault.__name__: fault for fault in (sound, loses_a_push, adds_always, rounds_values)
}


def serve(fault: str) -> Callable[[socket.socket, socket.socket], None]:
    """What a proxy does with each connection."""
    return serve_http(FAULTS[fault])
