"""Real servers of monitoring: their probes, what they keep, and what runs leave on them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from stackproof.errors import Trouble, explained
from stackproof.services import service
from stackproof.services.base import Requirement, Versioned
from stackproof.services.exporting import reload
from stackproof.services.exposition import series
from stackproof.services.keeping import Keeping
from stackproof.services.prometheus.client import Prometheus, Sample
from stackproof.services.web import Web
from stackproof.stack.native import NativeCluster
from tests.native import native
from tests.stack.conftest import posix_only

pytestmark = posix_only
SERVERS = ("pushgateway", "prometheus", "alertmanager", "node_exporter")


@pytest.fixture(scope="module", params=SERVERS)
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NativeCluster]:
    with native(tmp_path_factory.mktemp(request.param), time_factor=2) as provider:
        kind = service(request.param)
        provider.obtain(kind, lambda _: None)
        asked = Requirement(request.param, (), dedicated=True)
        yield provider.start(kind, asked, f"{request.param}-1")


@pytest.fixture
def store(cluster: NativeCluster) -> Keeping:
    kind = service(cluster.endpoint.service)
    if not isinstance(kind, Keeping):
        pytest.skip("keeps nothing that clients name")
    return kind


AWKWARD = 'ü "quoted" \\ back\nline , = { } 漢字'


def test_what_is_kept_is_listed_and_dropped(cluster: NativeCluster, store: Keeping) -> None:
    with closing(store.keeper(cluster.endpoint)) as keeper:
        keeper.put("left-a", "first")
        keeper.put("left-b", AWKWARD)
        keeper.put("right", "other")
        assert sorted(keeper.names("left-")) == ["left-a", "left-b"]
        assert keeper.get("left-a") == "first"
        assert keeper.get("left-b") == AWKWARD
        keeper.drop(["left-a", "left-none"])
        assert keeper.names("left-") == ["left-b"]
        assert keeper.get("left-a") is None


def test_runs_are_cleared_by_name(cluster: NativeCluster, store: Keeping) -> None:
    with closing(store.keeper(cluster.endpoint)) as keeper:
        keeper.put("stackproof-r1-s1-job", "text")
    left = store.leftovers(cluster.endpoint, "stackproof-r1-")
    assert [str(one) for one in left] == [f"{store.kept} stackproof-r1-s1-job"]
    store.remove(cluster.endpoint, left)
    assert store.leftovers(cluster.endpoint, "stackproof-r1-") == []


def test_it_tells_its_version(cluster: NativeCluster) -> None:
    kind = service(cluster.endpoint.service)
    assert isinstance(kind, Versioned)
    assert re.fullmatch(rf"{kind.title} \d+\.\d+\.\d+\S*", kind.version(cluster.endpoint))


def test_what_it_cannot_read_is_told(cluster: NativeCluster) -> None:
    place = cluster.endpoint.directory("server")
    if place is None:
        pytest.skip("reads nothing while it runs")
    name = {"prometheus": "bad.rules.yml", "alertmanager": "alertmanager.yml"}
    file = place / name[cluster.endpoint.service]
    before = file.read_text() if file.exists() else ""
    file.write_text("groups: [{name: a, rules: [{alert: X, expr: 'sum('}]}]")
    web = Web(cluster.endpoint.at("server"), cluster.endpoint.access)
    with pytest.raises(Trouble, match=r"these files cannot be used"):
        reload(web, "these files")
    file.write_text(before)
    reload(web, "these files")


def test_what_it_refuses_is_told(cluster: NativeCluster) -> None:
    if cluster.endpoint.service != "prometheus":
        pytest.skip("answers no queries")
    with closing(Prometheus(cluster.endpoint)) as client, pytest.raises(OSError) as refused:
        client.query("sum(")
    trouble = explained(refused.value)
    assert isinstance(trouble, Trouble)
    assert "parse error" in trouble.why
    of = series("a", {"x": "1"})
    with closing(Prometheus(cluster.endpoint)) as client:
        client.write([Sample(of, time.time(), 1.0)])
        with pytest.raises(OSError, match="out of order"):
            client.write([Sample(of, time.time() - 60, 2.0)])
