"""Servers of HTTP with faults: what becomes of each request."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, parse_headers

from tests.mutants.servers.state import State


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Told:
    """An answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


#: Asks the sound server.
Send = Callable[[Asked], Told]
#: Answers a request, by whatever the sound server tells.
Fault = Callable[[State, Asked, Send], Told]

_OF_ONE_CONNECTION = ("content-length", "transfer-encoding", "connection", "expect")


def serve(
    handle: Fault, *, streams: Sequence[str] = ()
) -> Callable[[socket.socket, socket.socket], None]:
    """What a proxy does with each connection; answers of paths in ``streams`` pass as they come."""
    state = State()

    def connection(client: socket.socket, server: socket.socket) -> None:
        upstream = HTTPConnection(*server.getpeername()[:2])
        upstream.sock = server

        def send(asked: Asked) -> Told:
            headers = {**_kept(asked.headers), "Accept-Encoding": "identity"}
            upstream.request(asked.method, asked.path, asked.body, headers)
            answer = upstream.getresponse()
            return Told(answer.status, answer.read(), dict(answer.getheaders()))

        for asked in _requests(client):
            if asked.path in streams:
                upstream.request(asked.method, asked.path, asked.body, _kept(asked.headers))
                while more := server.recv(65536):
                    client.sendall(more)
                return
            told = handle(state, asked, send)
            kept = _kept(told.headers)
            lines = [f"HTTP/1.1 {told.status} -", *(f"{k}: {v}" for k, v in kept.items()),
                     f"Content-Length: {len(told.body)}", "", ""]  # fmt: skip
            client.sendall("\r\n".join(lines).encode() + told.body)

    return connection


def _kept(headers: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in headers.items() if k.lower() not in _OF_ONE_CONNECTION}


def _requests(client: socket.socket) -> Iterator[Asked]:
    stream = client.makefile("rb")
    while line := stream.readline().decode().split():
        headers = dict(parse_headers(stream))
        if any(k.lower() == "expect" for k in headers):
            client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = next((int(v) for k, v in headers.items() if k.lower() == "content-length"), 0)
        yield Asked(line[0], line[1], headers, stream.read(length))
