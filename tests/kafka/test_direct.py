"""What a witness says of servers that misbehave in known ways."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from stackproof.ports import LOOPBACK, free_port
from stackproof.services.kafka.client import direct
from stackproof.services.kafka.client.direct import DirectBroker, Partition, View

Behaviour = Callable[[socket.socket], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Behaviour], DirectBroker]]:
    with contextlib.ExitStack() as all_of_them:

        def start(behave: Behaviour) -> DirectBroker:
            listening = all_of_them.enter_context(socket.create_server((LOOPBACK, 0)))

            def run() -> None:
                with contextlib.suppress(OSError):
                    connection, _ = listening.accept()
                    with connection:
                        behave(connection)

            threading.Thread(target=run, daemon=True).start()
            return DirectBroker(f"{LOOPBACK}:{listening.getsockname()[1]}")

        yield start


def request_number(connection: socket.socket) -> int:
    received = connection.recv(1000)
    return struct.unpack_from(">i", received, 8)[0]


def respond(connection: socket.socket, number: int) -> None:
    body = struct.pack(">ii", number, 0)
    connection.sendall(struct.pack(">i", len(body)) + body)


def test_nobody_listens() -> None:
    answer = DirectBroker(f"{LOOPBACK}:{free_port()}").try_to_ask(timeout=1)
    assert (answer.connected, answer.answered) == (False, False)
    assert "refused" in str(answer)


def test_a_response(serve: Callable[[Behaviour], DirectBroker]) -> None:
    answer = serve(lambda c: respond(c, request_number(c))).try_to_ask(timeout=5)
    assert answer.answered, answer
    assert "it answers after" in str(answer)


@pytest.mark.parametrize(
    ("behaviour", "problem"),
    [
        (lambda c: c.recv(1000) and c.recv(1000), "no response came"),
        (lambda c: c.recv(1000), "closed before the response"),
        (lambda c: respond(c, request_number(c) + 1), "belongs to another request"),
        (lambda c: c.recv(1000) and c.sendall(b"HTTP/1.1 200 OK\r\n"), "none of Kafka's"),
    ],
)
def test_no_answer_although_tcp_connects(
    serve: Callable[[Behaviour], DirectBroker], behaviour: Behaviour, problem: str
) -> None:
    answer = serve(behaviour).try_to_ask(timeout=0.5)
    assert (answer.connected, answer.answered) == (True, False)
    assert problem in str(answer)


def test_a_broker_out_of_sync_is_seen() -> None:
    partitions = {
        ("a", 0): Partition(1, (1, 2), (1, 2)),
        ("a", 1): Partition(1, (1, 2), (1,)),
        ("b", 0): Partition(1, (1, 3), (1,)),
    }
    view = View(frozenset({1, 2}), frozenset({3}), partitions)
    assert view.lagging(2) == ["a/1"]
    assert view.lagging(1) == []


@pytest.mark.parametrize(
    ("source", "value", "static", "changed"),
    [
        (5, "2", "2", False),  # as it always was
        (4, "2", "2", False),  # in its file
        (3, "2", "2", False),  # repeated by the controller
        (3, "1", "2", True),
        (2, "1", "2", True),
        (2, "1", None, True),
        (2, None, "2", True),  # a secret one is not told
    ],
)
def test_settings_that_were_changed_while_it_ran(
    source: int, value: str | None, static: str | None, changed: bool
) -> None:
    synonyms = [SimpleNamespace(source=source, value=value)]
    if static is not None:
        synonyms.append(SimpleNamespace(source=4, value=static))
    setting = SimpleNamespace(name="x", value=value, config_source=source, synonyms=synonyms)
    assert direct.was_changed(setting) is changed
