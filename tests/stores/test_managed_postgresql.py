"""PostgreSQL whose primary's role moves: how it is told, reached, kept together and asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import psycopg2
import pytest

from stackproof.access import OPEN
from stackproof.errors import Trouble
from stackproof.polling import poll
from stackproof.services import service
from stackproof.services.base import Endpoint
from stackproof.services.nodes import Service
from stackproof.services.postgresql import keeper
from stackproof.services.postgresql.client import demand_replicated, parameters, url
from stackproof.services.postgresql.probe import PostgreSQLProbe
from stackproof.services.where import InContainers, Sketch

PLACES = {"node-1": "127.0.0.1:5001/db", "node-2": "127.0.0.1:5002/db", "etcd": "127.0.0.1:5003"}
CLUSTER = Endpoint("postgresql", "pg-1", "native", PLACES)


def postgresql() -> Service:
    found = service("postgresql")
    assert isinstance(found, Service)
    return found


def told(**options: Any) -> dict[str, Any]:
    """What Patroni of the first node is told."""
    kind = postgresql()
    where = InContainers(kind, {**kind.default_options(), "managed": True, **options}, None)
    return json.loads(kind.nodes(where)[0].files["patroni.json"])


def test_each_server_and_what_keeps_their_roles_is_a_node() -> None:
    kind = postgresql()
    options = {**kind.default_options(), "managed": True, "replicas": 2}
    nodes = kind.nodes(Sketch(options))
    assert [(n.name, *n.after) for n in nodes] == [
        ("node-1", "etcd"), ("node-2", "node-1"), ("node-3", "node-1"), ("etcd",),
    ]  # fmt: skip
    assert all(node.refuses_root for node in nodes if node.name != "etcd")


@pytest.mark.parametrize(("synchronous", "wanted", "count"), [(0, False, 1), (2, True, 2)])
def test_commits_wait_for_as_many_as_asked_for(synchronous: int, wanted: bool, count: int) -> None:
    dynamic = told(replicas=2, synchronous=synchronous)["bootstrap"]["dcs"]
    assert dynamic["synchronous_mode"] is wanted
    assert dynamic["synchronous_node_count"] == count


def test_without_patroni_nothing_more_is_obtained() -> None:
    kind = postgresql()
    assert [*kind.artifacts_with({}), *kind.images_with({})] == [kind.image]
    more = kind.artifacts_with({"managed": True})
    assert [one.title for one in more] == ["patroni==4.1.5 from PyPI", "etcd"]
    assert [one.variable for one in kind.images_with({"managed": True})] == [
        "PATRONI_IMAGE", "ETCD_IMAGE",
    ]  # fmt: skip


def test_its_clusters_are_not_handed_on() -> None:
    endpoint = Endpoint("postgresql", "pg-1", "native", PLACES, {"managed": True})
    with pytest.raises(Trouble, match="not handed on"):
        postgresql().clear(endpoint)  # type: ignore[attr-defined]


# -- how it is reached -----------------------------------------------------------
def test_clients_of_the_primary_name_every_server() -> None:
    given = parameters(CLUSTER)
    assert (given["host"], given["port"]) == ("127.0.0.1,127.0.0.1", "5001,5002")
    assert (given["target_session_attrs"], given["dbname"]) == ("read-write", "db")
    assert url(CLUSTER).startswith("postgresql://postgres@127.0.0.1:5001,127.0.0.1:5002/db?")
    assert "target_session_attrs=read-write" in url(CLUSTER)


def test_clients_of_one_node_get_that_one() -> None:
    given = parameters(CLUSTER, "node-2")
    assert (given["port"], given["target_session_attrs"]) == ("5002", "any")
    alone = Endpoint("postgresql", "pg-1", "native", {"primary": "127.0.0.1:5001/db"})
    assert parameters(alone)["target_session_attrs"] == "any"
    assert "target_session_attrs" not in url(alone)


@pytest.mark.parametrize("query", ["", "?target_session_attrs=read-write"])
def test_a_url_may_name_several_servers(query: str) -> None:
    text = f"postgresql://ann:p%40w@one:5001,two/shop{query}"
    found, access = postgresql().connect({"url": text}, OPEN)
    assert found == {"node-1": "one:5001/shop", "node-2": "two:5432/shop"}
    assert (access.username, access.password) == ("ann", "p@w")


def test_a_url_of_one_server_names_the_primary() -> None:
    assert postgresql().connect({"url": "postgresql://one"}, OPEN)[0] == {
        "primary": "one:5432/postgres"
    }
    assert postgresql().connect({"host": "one"}, OPEN)[0] == {"primary": "one:5432/postgres"}


# -- what servers say --------------------------------------------------------------
def test_a_commit_that_stopped_waiting_is_no_success() -> None:
    warning = "WARNING:  canceling wait for synchronous replication due to user request\n"
    connection = SimpleNamespace(notices=["NOTICE:  hello", warning])
    with pytest.raises(psycopg2.OperationalError, match="canceling wait"):
        demand_replicated(connection)  # type: ignore[arg-type]
    demand_replicated(connection)  # type: ignore[arg-type]  # each is told once


class Roles(PostgreSQLProbe):
    """Asks nobody: those named are primaries."""

    primary: tuple[str, ...] = ()

    def _ask(self, node: str, question: Any) -> Any:
        return node not in self.primary


def roles(*primary: str) -> Roles:
    probe = Roles(CLUSTER, timeout=1)
    probe.primary = primary
    return probe


def test_the_primary_is_who_says_so() -> None:
    assert roles("node-2").holder("primary") == "node-2"
    assert roles().holder("primary") is None
    assert roles("node-2").replaced("node-1")
    assert not roles("node-1").replaced("node-1")


def test_two_primaries_are_told_and_none_is_believed() -> None:
    with pytest.raises(psycopg2.OperationalError, match="primaries: node-1, node-2"):
        roles("node-1", "node-2").holder("primary")


# -- its first process -------------------------------------------------------------
#: Leaves a server behind that is nobody's child, says which, and waits; ends with 7 when asked to.
_AGENT = """\
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
code = "import subprocess, sys; print(subprocess.Popen(['sleep', '600'], start_new_session=True,"
code += " stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid)"
left = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
with open(sys.argv[1], "a") as file:
    file.write(f"{os.getpid()} {left}\\n")
while True:
    time.sleep(600)
"""


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[tuple[subprocess.Popen, Path]]:
    """A keeper of such an agent, and the file in which that says who it is."""
    if sys.platform != "linux":
        pytest.skip("Linux alone")
    (tmp_path / "agent.py").write_text(_AGENT)
    file = tmp_path / "told"
    command = [sys.executable, str(tmp_path / "agent.py"), str(file)]
    process = subprocess.Popen([sys.executable, keeper.__file__, *command])
    yield process, file
    process.kill()
    for line in file.read_text().splitlines() if file.exists() else ():
        for number in map(int, line.split()):
            if psutil.pid_exists(number):
                os.kill(number, signal.SIGKILL)
    process.wait(10)


def begun(file: Path, count: int) -> list[int]:
    """Of the last of so many agents: its process ID, and that of what it left behind."""
    lines = poll(
        lambda: file.read_text().splitlines() if file.exists() else [],
        until=lambda found: len(found) == count, within=60, awaiting=f"{count} agents",
    )  # fmt: skip
    return list(map(int, lines[-1].split()))


def test_what_an_agent_leaves_belongs_to_its_keeper(kept: tuple[subprocess.Popen, Path]) -> None:
    process, file = kept
    agent, left = begun(file, 1)
    children = [child.pid for child in psutil.Process(process.pid).children()]
    assert sorted(children) == sorted([agent, left])


def test_an_agent_is_killed_alone_and_started_again(kept: tuple[subprocess.Popen, Path]) -> None:
    process, file = kept
    agent, left = begun(file, 1)
    process.send_signal(signal.SIGUSR1)
    poll(lambda: psutil.pid_exists(agent), until=lambda there: not there, within=60,
         awaiting="the agent to be gone")  # fmt: skip
    assert psutil.pid_exists(left) and process.poll() is None
    process.send_signal(signal.SIGUSR2)
    assert begun(file, 2)[0] != agent
    process.send_signal(signal.SIGUSR2)  # it runs: nothing happens
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 7
    assert len(file.read_text().splitlines()) == 2
