"""Breaking real processes, connections and disks; without a service."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackproof.actions import (
    Action,
    ClearClients,
    CutClients,
    ResetClients,
    SlowClients,
    ThrottleClients,
)
from stackproof.obtain import Cache
from stackproof.polling import poll
from stackproof.ports import LOOPBACK, free_port
from stackproof.processes import reaper
from stackproof.processes.run import RUN_VARIABLE, Run
from stackproof.services.where import JOURNAL
from stackproof.stack.harm import disks, packets, power
from stackproof.stack.harm.proxies import TOXIPROXY, Proxies, toxics

cuttable = pytest.mark.skipif(packets.unusable() is not None, reason=str(packets.unusable()))
mountable = pytest.mark.skipif(disks.unusable() is not None, reason=str(disks.unusable()))
compiling = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="no C compiler"
)
going = pytest.mark.skipif(
    shutil.which("go") is None and not Cache().has(TOXIPROXY), reason="no Go, no Toxiproxy"
)
_ANSWER = b"here"
_SERVER = """
import socket, sys
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = listening.accept()
    connection.sendall(b"here")
    connection.close()
"""
_CLIENT = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=0.7) as connection:
    print(connection.recv(10).decode())
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("STACKPROOF_RUNS", str(tmp_path))
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    run = Run.begin()
    yield run
    assert reaper.reap(run) == []


class Server:
    """Answers each connection; runs as a group of its own."""

    def __init__(self, group: int | None = None):
        self.port = free_port()
        self.group = group
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(self.port)], group=group
        )
        poll(lambda: packets.listening(self.process.pid), within=20, awaiting="the server")

    def answers(self, *, group: int | None = None) -> bool:
        done = subprocess.run(
            [sys.executable, "-c", _CLIENT, str(self.port)],
            group=group, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        return done.stdout.strip() == _ANSWER.decode()


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    found = Server(packets.new_group()), Server(packets.new_group())
    yield found
    for server in found:
        server.process.kill()
        server.process.wait()


@cuttable
def test_packets_are_dropped_in_one_direction_only(
    run: Run, servers: tuple[Server, Server]
) -> None:
    one, other = servers
    assert one.group is not None
    rules = packets.drops(one.group, packets.listening(other.process.pid))
    assert other.answers(group=one.group)
    packets.put(run, rules)
    assert not other.answers(group=one.group), "what is cut off still gets through"
    assert one.answers(group=other.group), "the other direction is cut as well"
    assert other.answers(), "clients are cut off as well"
    packets.take(run, rules)
    assert other.answers(group=one.group), "the cut stays"


@cuttable
def test_the_chain_goes_with_the_run(run: Run, servers: tuple[Server, Server]) -> None:
    one, other = servers
    assert one.group is not None
    packets.put(run, packets.drops(one.group, [other.port]))
    assert run.id in filter_rules()
    assert packets.reap(run) != []
    assert run.id not in filter_rules()
    assert packets.reap(run) == []
    assert other.answers(group=one.group)


def filter_rules() -> str:
    return subprocess.run(
        ["iptables", "-w", "-S"], capture_output=True, text=True, check=True, timeout=30
    ).stdout


@mountable
def test_a_small_disk_is_filled_freed_and_unmounted(run: Run) -> None:
    place = run.directory / "data"
    place.mkdir()
    (place / "before").write_text("kept")
    disks.mount(run, place, 4)
    assert (place / "before").read_text() == "kept"
    assert not disks.filled(place)
    disks.fill(place)
    assert disks.filled(place)
    with pytest.raises(OSError, match="No space left"):
        (place / "more").write_bytes(bytes(100_000))
    disks.free(place)
    assert not disks.filled(place)
    (place / "more").write_bytes(bytes(100_000))
    assert disks.reap(run) == [f"disk mounted at {place}"]
    assert not os.path.ismount(place)
    assert disks.reap(run) == []


@compiling
def test_power_takes_exactly_what_was_not_synced(tmp_path: Path) -> None:
    data, journal = tmp_path / "data", tmp_path / "journal"
    data.mkdir()
    (data / "old").write_bytes(b"o" * 10)
    old = (data / "old").stat()
    journal.write_text(f"{old.st_ino} {old.st_size}\n")  # a node's journal begins like that
    program = """
import os, sys
os.chdir(sys.argv[1])
def append(name, content, sync=None):
    with open(name, "ab", buffering=0) as file:
        file.write(content)
        if sync: sync(file.fileno())
append("old", b"x" * 5)
append("synced", b"s" * 100, os.fsync)
append("half", b"h" * 100, os.fdatasync)
append("half", b"h" * 50)
append("never", b"n" * 70)
append("temporary", b"t" * 30, os.fsync)
os.rename("temporary", "renamed")
"""
    library = power.library(Cache(), lambda line: None)
    subprocess.run(
        [sys.executable, "-c", program, str(data)], check=True, timeout=60,
        env={**os.environ, "LD_PRELOAD": str(library), JOURNAL: str(journal)},
    )  # fmt: skip
    lost = power.lose(data, journal.read_text().splitlines())
    sizes = {file.name: file.stat().st_size for file in data.iterdir()}
    assert sizes == {"old": 10, "synced": 100, "half": 100, "never": 0, "renamed": 30}
    assert (lost.lost_bytes, lost.lost_files) == (125, 3)


@going
@pytest.mark.parametrize(
    "action", [CutClients(), SlowClients(400), ThrottleClients(0), ResetClients()], ids=str
)
def test_connections_through_a_proxy_are_broken_and_mended(run: Run, action: Action) -> None:
    server, way, api = Server(), free_port(), free_port()
    proxies = Proxies(run, "test", run.directory / "log", api, {"one": [(way, server.port)]})
    try:
        proxies.start(Cache(), lambda line: None)
        assert knock(way)[0] == _ANSWER
        assert proxies.unclear() is None
        proxies.put("one", toxics(action))
        got, seconds = knock(way)
        if isinstance(action, SlowClients):
            assert got == _ANSWER
            assert seconds >= 0.4
        else:
            assert got == b""
        assert knock(server.port)[0] == _ANSWER
        assert str(proxies.unclear()).startswith("on the way to one is ")
        proxies.put("one", toxics(ClearClients()))
        assert proxies.unclear() is None
        got, seconds = knock(way)
        assert got == _ANSWER
        proxies.stop()
        assert "Toxiproxy does not answer" in str(proxies.unclear())
    finally:
        proxies.stop()
        server.process.kill()
        server.process.wait()


def knock(port: int) -> tuple[bytes, float]:
    began = time.perf_counter()
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.5) as connection:
            return connection.recv(10), time.perf_counter() - began
    except OSError:
        return b"", time.perf_counter() - began
