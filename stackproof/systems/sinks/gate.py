"""What a sink connects to: hands on to its server, and notes when it is connected to."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress

from stackproof.ports import LOOPBACK

_CONNECTS_WITHIN, _CHUNK = 2.0, 1 << 16
_ABORT = struct.pack("ii", 1, 0)


class Gate:
    """A listening port in front of a server, which can be shut.

    Args:
        host, port: of the server.

    Attributes:
        port: its own, on loopback.
        tries: when somebody has connected to it, whatever came of it; seconds since the Unix epoch.
    """

    def __init__(self, host: str, port: int):
        self._server = host, port
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = int(self._listener.getsockname()[1])
        self.tries: list[float] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._shut = False
        threading.Thread(target=self._serve, name="gate", daemon=True).start()

    def shut(self) -> None:
        """Cut all connections, and each that is begun."""
        self._shut = True
        self._cut()

    def reopen(self) -> None:
        """Hand on again."""
        self._shut = False

    def close(self) -> None:
        """Listen no more."""
        self._shut = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._cut()

    def _cut(self) -> None:
        with self._lock:
            ending, self._open = self._open, set()
        for one in ending:
            with suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.tries.append(time.time())
            # A server that does not answer must not keep others waiting.
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        try:
            if self._shut:
                raise OSError("shut")
            server = socket.create_connection(self._server, timeout=_CONNECTS_WITHIN)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        with self._lock:
            self._open |= {client, server}
        if self._shut:
            self._cut()
        threading.Thread(target=self._hand_on, args=(server, client), daemon=True).start()
        self._hand_on(client, server)

    def _hand_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                target.sendall(data)
        with self._lock:
            self._open -= {source, target}
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
