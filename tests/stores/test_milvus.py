"""A real Milvus of somebody else's, with passwords: who is let in, what is kept and left."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from stackproof.access import Access
from stackproof.errors import Passing, Trouble, explained
from stackproof.obtain import Cache
from stackproof.polling import poll
from stackproof.ports import LOOPBACK, free_port
from stackproof.processes import namespaces
from stackproof.services.base import Endpoint
from stackproof.services.milvus.client import Collections, connect
from stackproof.services.milvus.known import INDEXES
from stackproof.services.milvus.server import Milvus
from stackproof.stack.site import LocalSite
from tests.stack.conftest import posix_only
from tests.stores.conftest import ended, said

pytestmark = [
    posix_only,
    pytest.mark.skipif(bool(namespaces.refused()), reason="no network namespaces here"),
]
ROOT = Path(__file__).parents[2]


def endpoint_of(address: str, password: str) -> Endpoint:
    access = Access(username="root", password=password)
    return Endpoint("milvus", "e", "external", {"server": address}, access=access)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """Its process, and its address."""
    milvus, cache = Milvus(), Cache()
    for artifact in milvus.artifacts():
        cache.ensure(artifact, lambda _: None)
    place = tmp_path_factory.mktemp("milvus")
    site = LocalSite("somebodys", place, milvus.default_options(), cache)
    (spec,) = milvus.lay_out(site)
    (settings,) = place.rglob("milvus.yaml")
    secured = "common: {security: {authorizationEnabled: true}, "
    settings.write_text(settings.read_text().replace("common: {", secured))
    (address,) = milvus.addresses(site).values()
    endpoint = endpoint_of(address, "Milvus")
    with ended(*spec.argv, place=spec.cwd, env={**os.environ, **spec.env}) as process:
        poll(lambda: milvus.check(endpoint, timeout=20), until=lambda _: True, within=120,
             awaiting="Milvus", retry_on=(*milvus.unready, Trouble),
             alive=lambda: said(process, spec.cwd))  # fmt: skip
        try:
            yield process.pid, address
        finally:  # or what it has started outlives it
            for one in psutil.Process(process.pid).children(recursive=True):
                one.kill()


@pytest.fixture
def endpoint(server: tuple[int, str]) -> Endpoint:
    return endpoint_of(server[1], "Milvus")


def test_a_check_leaves_nothing(endpoint: Endpoint) -> None:
    Milvus().check(endpoint, timeout=20)
    with closing(Collections(endpoint, timeout=20)) as keeper:
        assert keeper.names("stackproof_check") == []


def test_runs_are_cleared_by_name(endpoint: Endpoint) -> None:
    with closing(Collections(endpoint, timeout=20)) as keeper:
        keeper.put("stackproof-r1-s1-a", "one")
        keeper.put("stackproof-r2-s1-a", "another")
        left = Milvus().leftovers(endpoint, "stackproof-r1-")
        assert [str(one) for one in left] == ["collection stackproof_r1_s1_a"]
        Milvus().remove(endpoint, left)
        assert Milvus().leftovers(endpoint, "stackproof-r1-") == []
        assert keeper.get("stackproof-r2-s1-a") == "another"
        keeper.drop(["stackproof-r2-s1-a", "never-there"])


@pytest.mark.parametrize("password", ["wrong", ""])
def test_who_is_not_let_in_is_told(server: tuple[int, str], password: str) -> None:
    with pytest.raises(Trouble, match="forbids") as caught:
        connect(endpoint_of(server[1], password), timeout=5)
    assert not isinstance(caught.value, Passing), "waiting does not help"


def test_who_does_not_answer_may_come_yet() -> None:
    nobody = endpoint_of(f"{LOOPBACK}:{free_port()}", "Milvus")
    with pytest.raises(Milvus().unready) as caught:
        connect(nobody, timeout=2)
    assert isinstance(explained(caught.value), Passing)


def test_what_is_not_answered_in_time_is_told(server: tuple[int, str]) -> None:
    """The library passes some errors of gRPC on as they are."""
    client = connect(endpoint_of(server[1], "Milvus"), timeout=20)
    milvus = psutil.Process(server[0])
    processes = [milvus, *milvus.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        with closing(client), pytest.raises((*Milvus().unready,)) as caught:
            client.list_collections(timeout=0.2)
    finally:
        for process in processes:
            process.resume()
    assert isinstance(explained(caught.value), Passing)


def test_it_tells_its_version(endpoint: Endpoint) -> None:
    assert Milvus().version(endpoint).startswith("Milvus v2.")


def test_nothing_listens_beyond_loopback(server: tuple[int, str]) -> None:
    process = psutil.Process(server[0])
    own = {one.pid for one in (process, *process.children(recursive=True))}
    listening = [
        f"{one.laddr.ip}:{one.laddr.port}"
        for one in psutil.net_connections("tcp")
        if one.pid in own and one.status == psutil.CONN_LISTEN
    ]
    assert listening == [server[1]]


def test_the_page_has_each_index_with_the_bound_of_the_feature() -> None:
    feature = (ROOT / "features/vectors/searching.feature").read_text()
    bounds = dict(re.findall(r"^ +\| (\w+) +\| (\d+) +\|$", feature, re.M))
    page = (ROOT / "docs/vectors.md").read_text()
    told = dict(re.findall(r"^\| (\w+) \|.*\| (\d+) % \|$", page, re.M))
    assert told == bounds
    assert told.keys() == INDEXES.keys()
