"""Signs that a system is ready: seen when they are there, and not before."""

import http.server
import socket
import threading
from pathlib import Path

import pytest

from stackproof.errors import Trouble
from stackproof.ports import free_port
from stackproof.settings import SystemSettings
from stackproof.systems.readiness import sign_of


def sign(log=Path("none.log"), members=frozenset, **settings):
    made = SystemSettings("demo", ("p",), Path(), **settings)
    return sign_of(made, lambda text: text, members=members, log=log)


class Server:
    """Answers every request with one status; can be put up on a given port."""

    def __init__(self, port, status, location=""):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                if location:
                    self.send_header("Location", location)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def serve():
    servers = []

    def start(port, status, location=""):
        servers.append(Server(port, status, location))

    yield start
    for server in servers:
        server.close()


def test_a_line_in_the_output(tmp_path):
    log = tmp_path / "x.log"
    found = sign(log, ready_line="ready: ")
    assert not found.look()
    log.write_text("getting ready\n")
    assert not found.look()
    log.write_text("getting ready\nready: now\n")
    assert found.look()


@pytest.mark.parametrize(("status", "ready"), [(200, True), (204, True), (503, False)])
def test_an_address_that_answers(serve, status, ready):
    port = free_port()
    found = sign(ready_http=f"http://127.0.0.1:{port}/ready")
    assert not found.look()
    assert "refused" in found.told()
    serve(port, status)
    assert found.look() is ready
    assert found.told() == f"HTTP {status}"


def test_being_sent_elsewhere_is_no_answer(serve):
    port, other = free_port(), free_port()
    found = sign(ready_http=f"http://127.0.0.1:{port}/ready")
    serve(other, 200)
    serve(port, 302, f"http://127.0.0.1:{other}/login")
    assert not found.look()
    assert found.told() == "HTTP 302"


def test_a_proxy_does_not_stand_in(serve, monkeypatch):
    proxy = free_port()
    serve(proxy, 200)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy}")
    assert not sign(ready_http=f"http://127.0.0.1:{free_port()}/ready").look()


@pytest.mark.parametrize("host", ["", "127.0.0.1:"])
def test_a_port_that_accepts(host):
    port = free_port()
    found = sign(ready_port=f"{host}{port}")
    assert not found.look()
    with socket.create_server(("127.0.0.1", port)):
        assert found.look()


@pytest.mark.parametrize("key", ["ready_port", "ready_http"])
def test_what_answers_before_the_launch_is_something_else(serve, key):
    port = free_port()
    serve(port, 200)
    value = str(port) if key == "ready_port" else f"http://127.0.0.1:{port}/"
    with pytest.raises(Trouble, match="could not be seen") as found:
        sign(**{key: value})
    assert "something else is there" in str(found.value)
    assert sign(log=None, **{key: value}).look()  # attached: it runs already


def test_a_member_of_before_does_not_count():
    members = {"left by a crash"}
    found = sign(members=lambda: frozenset(members), ready_group=True)
    assert not found.look()
    members.clear()  # in the middle of a rebalance
    assert not found.look()
    members.update({"left by a crash", "new"})
    assert found.look()
    attached = sign(log=None, members=lambda: frozenset({"old"}), ready_group=True)
    assert attached.look()


@pytest.mark.parametrize(
    ("key", "value"),
    [("ready_port", "http"), ("ready_port", "0"), ("ready_port", "70000"),
     ("ready_http", "127.0.0.1/ready"), ("ready_http", "ftp://x/")],
)  # fmt: skip
def test_what_cannot_be_looked_at_is_told(key, value):
    with pytest.raises(Trouble, match=f"{key}.*cannot be"):
        sign(**{key: value})
