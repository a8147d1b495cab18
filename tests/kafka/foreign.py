"""A broker that offers less than Kafka: a proxy before a real one that withholds what it is told.

It answers every request for its versions but the oldest by an error and no more, which is six
bytes: what follows the error in later versions, it cannot know.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

from stackproof.ports import LOOPBACK

API_VERSIONS, CREATE_TOPICS, DESCRIBE_CONFIGS, LIST_GROUPS, DESCRIBE_CLUSTER = 18, 19, 32, 16, 60
_UNSUPPORTED_VERSION = 35


class ForeignBroker:
    """Listens at once; ``behind`` is the port of the real broker, to be set before clients come.

    Attributes:
        missing: keys of requests that it does not offer.
        mute: keys of requests that it takes and never answers.
        asked: keys and versions of all requests so far.
    """

    def __init__(self) -> None:
        self.missing: set[int] = set()
        self.mute: set[int] = set()
        self.asked: list[tuple[int, int]] = []
        self.behind = 0
        self._server = socket.create_server((LOOPBACK, 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, self._real() as server:
            back = threading.Thread(target=_copy, args=(server, client), daemon=True)
            back.start()
            for request in _frames(client):
                key, version, correlation = struct.unpack_from(">hhi", request)
                self.asked.append((key, version))
                if key == API_VERSIONS:
                    client.sendall(_framed(struct.pack(">i", correlation) + self._offered(version)))
                elif key not in self.mute:
                    server.sendall(_framed(request))

    def _real(self) -> socket.socket:
        return socket.create_connection((LOOPBACK, self.behind))

    def _offered(self, version: int) -> bytes:
        if version > 0:
            return struct.pack(">h", _UNSUPPORTED_VERSION)
        with self._real() as server:
            server.sendall(_framed(struct.pack(">hhih", API_VERSIONS, 0, 1, -1)))
            answer = next(_frames(server))
        error, count = struct.unpack_from(">hi", answer, 4)
        listed = [struct.unpack_from(">hhh", answer, 10 + 6 * n) for n in range(count)]
        # The real broker's own is higher, and would be asked for again.
        kept = [(k, low, 0 if k == API_VERSIONS else high) for k, low, high in listed
                if k not in self.missing]  # fmt: skip
        return struct.pack(">hi", error, len(kept)) + b"".join(
            struct.pack(">hhh", *one) for one in kept
        )


def _frames(connection: socket.socket) -> Iterator[bytes]:
    with connection.makefile("rb") as stream:
        while head := stream.read(4):
            yield stream.read(*struct.unpack(">i", head))


def _framed(content: bytes) -> bytes:
    return struct.pack(">i", len(content)) + content


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
        target.shutdown(socket.SHUT_RDWR)
