"""Loopback ports: free, distinct, out of the way of outgoing connections."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stackproof import ports
from stackproof.errors import Trouble


@pytest.fixture(autouse=True)
def nothing_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_taken", set())


@pytest.fixture
def listener() -> Iterator[Callable[[str], int]]:
    sockets: list[socket.socket] = []

    def listen(host: str) -> int:
        sockets.append(socket.socket())
        sockets[-1].bind((host, 0))
        sockets[-1].listen()
        return sockets[-1].getsockname()[1]

    yield listen
    for one in sockets:
        one.close()


def kernel_range(monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    original = Path.read_text

    def read_text(path: Path, *arguments: str, **options: str) -> str:
        if path.name != "ip_local_port_range":
            return original(path, *arguments, **options)
        if text is None:
            raise FileNotFoundError(path)
        return text

    monkeypatch.setattr(Path, "read_text", read_text)


def test_ports_are_distinct_free_and_can_be_bound() -> None:
    chosen = [ports.free_port() for _ in range(200)]
    assert len(set(chosen)) == 200
    with socket.socket() as server:
        server.bind((ports.LOOPBACK, chosen[0]))


def test_ports_are_distinct_across_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def looks_long(port: int) -> bool:
        threading.Event().wait(0.001)  # others get to look at the same port
        return True

    monkeypatch.setattr(ports, "port_range", lambda: range(23_000, 23_064))
    monkeypatch.setattr(ports, "is_free", looks_long)
    with ThreadPoolExecutor(16) as pool:
        chosen = list(pool.map(lambda _: ports.free_port(), range(64)))
    assert sorted(chosen) == list(range(23_000, 23_064))


def test_ports_lie_below_those_of_outgoing_connections() -> None:
    file = Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest = int(file.read_text().split()[0]) if file.exists() else 49_152
    assert all(ports.free_port() < lowest for _ in range(50))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("32768\t60999\n", range(20_000, 32_000)),
        ("25000\t60999\n", range(15_000, 25_000)),
        ("9000\t65000\n", range(1024, 9_000)),
        ("1024\t65535\n", range(20_000, 32_000)),  # nothing lies below it
        ("", range(20_000, 32_000)),
        (None, range(20_000, 32_000)),
    ],
)
def test_the_kernels_range_is_respected(
    monkeypatch: pytest.MonkeyPatch, text: str | None, expected: range
) -> None:
    kernel_range(monkeypatch, text)
    assert ports.port_range() == expected


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_port_in_use_is_not_free(listener: Callable[[str], int], host: str) -> None:
    assert not ports.is_free(listener(host))


def test_a_port_in_use_is_not_given(
    listener: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    used = listener("127.0.0.1")
    monkeypatch.setattr(ports, "port_range", lambda: range(used, used + 1))
    with pytest.raises(Trouble, match="no free port was found") as caught:
        ports.free_port()
    assert str(used) in str(caught.value)


def test_a_port_is_not_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    free = ports.free_port()
    with pytest.raises(Trouble):
        monkeypatch.setattr(ports, "port_range", lambda: range(free, free + 1))
        ports.free_port()


def test_two_runs_with_the_same_seed_choose_differently(monkeypatch: pytest.MonkeyPatch) -> None:
    def choice() -> list[int]:
        monkeypatch.setattr(ports, "_taken", set())
        random.seed(7)
        return [ports.free_port() for _ in range(5)]

    assert choice() != choice()
