"""Programs in a network of their own: what reaches them, what they reach, how they end."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from stackproof.polling import poll
from stackproof.ports import LOOPBACK, free_port
from stackproof.processes import namespaces

pytestmark = pytest.mark.skipif(
    bool(namespaces.refused()), reason=f"no network namespaces here: {namespaces.refused()}"
)
#: Echoes on two fixed ports, on all addresses; tells whether it can reach port argv[1] outside.
SERVER = """
import socket, socketserver, sys
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while chunk := self.request.recv(65536):
            self.request.sendall(chunk)
def reached(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return "reached"
    except OSError as error:
        return type(error).__name__
import threading
hidden = socketserver.ThreadingTCPServer(("", 18081), Echo)
threading.Thread(target=hidden.serve_forever, daemon=True).start()
server = socketserver.ThreadingTCPServer(("", 18080), Echo)
print(reached(int(sys.argv[1])), flush=True)
server.serve_forever()
"""


@contextlib.contextmanager
def running(port: int, outside: int) -> Iterator[subprocess.Popen[str]]:
    command = [*namespaces.COMMAND, f"{LOOPBACK}:{port}=18080", "--",
               sys.executable, "-c", SERVER, str(outside)]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def echoed(port: int, content: bytes) -> bytes:
    with socket.create_connection((LOOPBACK, port), timeout=10) as connection:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_one_port_is_forwarded_and_nothing_else_crosses() -> None:
    port = free_port()
    with (
        socket.create_server((LOOPBACK, 0)) as outside,
        running(port, outside.getsockname()[1]) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ConnectionRefusedError"
        content = bytes(range(256)) * 4000
        assert echoed(port, content) == content
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, 18081), timeout=5)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, 18080), timeout=5)


def test_a_busy_machine_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*command: object, **how: object) -> None:
        raise subprocess.TimeoutExpired("unshare", 60)

    monkeypatch.setattr(namespaces.subprocess, "run", slow)
    assert namespaces.refused() == ""


def test_two_have_the_same_ports_side_by_side() -> None:
    one, other = free_port(), free_port()
    with socket.create_server((LOOPBACK, 0)) as outside:
        number = outside.getsockname()[1]
        with running(one, number) as first, running(other, number) as second:
            for process in (first, second):
                assert process.stdout is not None
                assert process.stdout.readline()
            assert echoed(one, b"a") == b"a"
            assert echoed(other, b"b") == b"b"


def test_it_ends_as_its_program_does() -> None:
    def ended(code: str) -> int:
        command = [*namespaces.COMMAND, "--", sys.executable, "-c", code]
        return subprocess.run(command, timeout=60).returncode

    assert ended("raise SystemExit(3)") == 3
    assert ended("import os; os.kill(os.getpid(), 9)") == 128 + 9


def test_a_request_to_end_reaches_the_program() -> None:
    with (
        socket.create_server((LOOPBACK, 0)) as outside,
        running(free_port(), outside.getsockname()[1]) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        code = poll(
            process.poll, until=lambda code: code is not None, within=20, awaiting="its end"
        )
        assert code == 128 + signal.SIGTERM
