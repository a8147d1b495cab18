"""Where a cache's values come from: a stub of somebody's service, which counts what it is asked."""

from __future__ import annotations

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from stackproof.ports import LOOPBACK

_PATH = "/records/"


class Origin:
    """Records by name on loopback: ``GET`` and ``PUT`` of ``{url}/NAME``, texts in UTF-8.

    What there is not is answered by 404, everything by 503 while it is `down`.

    Attributes:
        url: without a slash at its end.
        down: whether it answers everything by an error.
        delay: seconds from the moment at which it reads a record to its answer.
        loads: how often each record was asked for.
    """

    def __init__(self) -> None:
        self.down = False
        self.delay = 0.0
        self.loads: Counter[str] = Counter()
        self._records: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer((LOOPBACK, 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://{LOOPBACK}:{self._server.server_port}{_PATH.rstrip('/')}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def store(self, name: str, content: bytes) -> None:
        """Store a record; whoever asks for it from now on gets this."""
        with self._lock:
            self._records[name] = content

    def load(self, name: str) -> bytes | None:
        """Read a record as whoever asks for it, with the delay; None: there is none."""
        with self._lock:
            self.loads[name] += 1
            found = self._records.get(name)
        self._closing.wait(self.delay)
        return found

    def close(self) -> None:
        """Answer nobody any more."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        origin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # connections may be kept

            def do_GET(self) -> None:
                found = origin.load(self._name())
                self._answer(404 if found is None else 200, found or b"")

            def do_PUT(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if not origin.down:
                    origin.store(self._name(), content)
                self._answer(204)

            def _name(self) -> str:
                return unquote(self.path.removeprefix(_PATH))

            def _answer(self, status: int, content: bytes = b"") -> None:
                self.send_response(503 if origin.down else status)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Everything it is asked is counted already."""

        return Handler
