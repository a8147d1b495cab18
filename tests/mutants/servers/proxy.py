"""A TCP proxy on loopback; what it does with a connection is its user's."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from stackproof.ports import LOOPBACK, free_port

#: Serves one connection: the client's socket and the server's.
Serve = Callable[[socket.socket, socket.socket], None]


class Proxy:
    """Listens until `close`; each connection has a thread, and a connection to the server.

    Args:
        server: ``host:port``.
        serve: called in the connection's thread; both sockets are closed after it.
        port: on which it listens; 0: a free one.
    """

    def __init__(self, server: str, serve: Serve, port: int = 0):
        host, _, of_server = server.rpartition(":")
        self._server = (host, int(of_server))
        self._serve = serve
        self._listener = socket.create_server((LOOPBACK, port or free_port()))
        self.address = "{}:{}".format(*self._listener.getsockname())
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with (
            client,
            contextlib.suppress(OSError, EOFError),
            socket.create_connection(self._server) as server,
        ):
            for side in (client, server):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._serve(client, server)

    def close(self) -> None:
        """Accept no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
