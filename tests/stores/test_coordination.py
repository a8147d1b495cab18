"""Real etcd and ZooKeeper: what they keep, and what their probes tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stackproof.errors import Trouble
from stackproof.polling import poll
from stackproof.services import service
from stackproof.services.base import Requirement
from stackproof.services.external import connect
from stackproof.stack.native import NativeCluster
from tests.native import native
from tests.stack.conftest import posix_only

pytestmark = posix_only
KINDS = ("etcd", "zookeeper")


@pytest.fixture(scope="module", params=KINDS)
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Any, NativeCluster]]:
    """Three nodes of one kind."""
    with native(tmp_path_factory.mktemp(request.param), time_factor=2) as provider:
        kind: Any = service(request.param)
        provider.obtain(kind, lambda _: None)
        asked = Requirement(request.param, (("nodes", 3),), dedicated=True)
        yield kind, provider.start(kind, asked, f"{request.param}-1")


@pytest.fixture
def keeper(cluster: tuple[Any, NativeCluster]) -> Iterator[Any]:
    kind, started = cluster
    with closing(kind.keeper(started.endpoint)) as opened:
        yield opened


def test_what_is_kept_is_listed_and_dropped(keeper: Any) -> None:
    keeper.put("left-a", "größe 漢字")
    keeper.put("left-a", "second")
    keeper.put("left-b", "x" * 60_000)
    keeper.put("leg-c", "")
    assert sorted(keeper.names("left-")) == ["left-a", "left-b"]
    assert (keeper.get("left-a"), keeper.get("left-b")) == ("second", "x" * 60_000)
    assert (keeper.get("leg-c"), keeper.get("leg-d")) == ("", None)
    keeper.drop(["left-a", "left-a", "left-b"])
    assert keeper.names("left-") == []
    assert keeper.names("leg-") == ["leg-c"]


def test_runs_are_cleared_by_name(cluster: tuple[Any, NativeCluster], keeper: Any) -> None:
    kind, started = cluster
    keeper.put("stackproof-r1-s1-a", "text")
    left = kind.leftovers(started.endpoint, "stackproof-r1-")
    assert [str(one) for one in left] == [f"{kind.kept} stackproof-r1-s1-a"]
    kind.remove(started.endpoint, left)
    assert kind.leftovers(started.endpoint, "stackproof-r1-") == []


def test_it_tells_its_version(cluster: tuple[Any, NativeCluster]) -> None:
    kind, started = cluster
    said = kind.version(started.endpoint)
    assert said.split()[1][:3] in ("3.4", "3.9"), said


def test_one_node_leads_and_another_one_does_when_it_is_gone(
    cluster: tuple[Any, NativeCluster],
) -> None:
    from stackproof import actions

    kind, started = cluster
    with closing(kind.probe(started.endpoint, timeout=2)) as probe:
        leader = probe.holder("leader")
        for node in started.endpoint.addresses:
            probe.seen_by_peers(node)
        started.act(f"{kind.name}-1-{leader}", actions.Pause())
        try:

            def missed() -> bool:
                try:
                    probe.seen_by_peers(leader)
                except kind.unready:
                    return True
                return False

            poll(missed, within=60, awaiting="the others to miss it")
            poll(lambda: probe.accepts_writes("") is None, within=60, retry_on=kind.unready,
                 awaiting="writes without it")  # fmt: skip
        finally:
            started.act(f"{kind.name}-1-{leader}", actions.Resume())
        poll(lambda: probe.healthy() is None, within=60, retry_on=kind.unready,
             awaiting="health with it")  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_several_nodes_of_an_endpoint_are_named_in_one_setting(kind: str, tmp_path: Path) -> None:
    key = {"etcd": "endpoints", "zookeeper": "hosts"}[kind]
    found, access = connect(service(kind), {key: "db1:1,db2"})
    usual = {"etcd": 2379, "zookeeper": 2181}[kind]
    assert found == {"node-1": "db1:1", "node-2": f"db2:{usual}"}
    assert not access.tls
    with pytest.raises(Trouble, match="said twice"):
        connect(service(kind), {key: "db1:1,db2:2", "host": "db3"})


def test_urls_and_a_chroot_are_understood_too() -> None:
    found, access = connect(service("etcd"), {"endpoints": "https://a:1,https://b:2"})
    assert (found, access.tls) == ({"node-1": "a:1", "node-2": "b:2"}, True)
    found, _ = connect(service("zookeeper"), {"hosts": "a:1,b:2/apps"})
    assert found == {"node-1": "a:1/apps", "node-2": "b:2/apps"}
