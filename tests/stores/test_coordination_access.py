"""etcd and ZooKeeper of somebody's: log-in, rights, what they have forgotten, and what is told."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
import requests

from stackproof.access import Access
from stackproof.errors import NotSupported, Trouble, explained
from stackproof.services import service
from stackproof.services.base import Endpoint, Requirement
from stackproof.services.etcd.client import EtcdKeeper
from stackproof.services.etcd.watching import Watch
from stackproof.services.zookeeper.client import ZooKeeperKeeper
from stackproof.stack.external import wait_answers
from stackproof.workloads import Task
from tests.native import native
from tests.stack.conftest import posix_only

pytestmark = posix_only
#: By name: its password; root may do everything, qa what begins with the prefix of the suite.
USERS = {"root": "of the owner", "qa": "of the suite"}


def started(name: str, factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with native(factory.mktemp(name), time_factor=2) as provider:
        kind = service(name)
        provider.obtain(kind, lambda _: None)
        yield provider.start(kind, Requirement(name, (), dedicated=True), f"{name}-1").endpoint


def based(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """A member that asks who somebody is."""
    for endpoint in started("etcd", tmp_path_factory):
        (address,) = endpoint.addresses.values()
        mine = {"permType": "READWRITE", "key": based("stackproof-"),
                "range_end": based("stackproof.")}  # fmt: skip
        for name, password in USERS.items():
            asked: list[tuple[str, dict[str, Any]]] = [
                ("user/add", {"name": name, "password": password}),
                ("role/add", {"name": name}),
                ("user/grant", {"user": name, "role": name}),
            ]
            for path, body in asked:
                requests.post(f"http://{address}/v3/auth/{path}", json=body).raise_for_status()
        for path, body in (("role/grant", {"name": "qa", "perm": mine}), ("enable", {})):
            requests.post(f"http://{address}/v3/auth/{path}", json=body).raise_for_status()
        yield endpoint


def by(endpoint: Endpoint, username: str, password: str | None = None) -> Endpoint:
    password = USERS.get(username, "") if password is None else password
    return replace(endpoint, access=Access(username=username, password=password))


def test_rights_on_the_names_of_the_suite_are_enough(etcd: Endpoint) -> None:
    mine, kind = by(etcd, "qa"), service("etcd")
    kind.check(mine, timeout=10)
    with closing(EtcdKeeper(mine)) as keeper:
        keeper.answers()
        keeper.put("stackproof-a", "1")
        assert keeper.revision() > 0
        assert keeper.names("stackproof-") == ["stackproof-a"]
        keeper.drop_all("stackproof-")


@pytest.mark.parametrize(
    ("username", "password", "told", "remedy"),
    [
        ("qa", "another", "authentication failed", "correct username and password"),
        ("nobody", "any", "authentication failed", "correct username and password"),
        ("", "", "user name is empty", "correct username and password"),
    ],
)
def test_a_wrong_log_in_is_told_at_once(
    etcd: Endpoint, username: str, password: str, told: str, remedy: str
) -> None:
    with pytest.raises(Trouble) as caught:
        wait_answers(service("etcd"), by(etcd, username, password), within=60)
    assert told in caught.value.why and "{" not in caught.value.why
    assert remedy in caught.value.remedy


def test_what_is_forbidden_is_told(etcd: Endpoint) -> None:
    with closing(EtcdKeeper(by(etcd, "qa"))) as keeper, pytest.raises(Exception) as caught:
        keeper.put("somebodys", "1")
    trouble = explained(caught.value)
    assert isinstance(trouble, Trouble)
    assert "permission denied" in trouble.why and "rights" in trouble.remedy


def test_what_is_too_large_is_told(etcd: Endpoint) -> None:
    with closing(EtcdKeeper(by(etcd, "qa"))) as keeper, pytest.raises(Exception) as caught:
        keeper.put("stackproof-a", "x" * 2_000_000)
    trouble = explained(caught.value)
    assert isinstance(trouble, Trouble)
    assert "request is too large" in trouble.why


def test_what_waiting_is_for_says_what_it_last_saw(etcd: Endpoint) -> None:
    nobody = replace(etcd, addresses={"node-1": "127.0.0.1:9"})
    with closing(EtcdKeeper(nobody)) as keeper, pytest.raises(Exception, match="refused"):
        keeper.put("stackproof-a", "1")


def test_a_log_in_that_has_expired_is_followed_by_another_one(etcd: Endpoint) -> None:
    with closing(EtcdKeeper(by(etcd, "qa"))) as keeper:
        keeper.put("stackproof-a", "1")
        keeper.at("node-1").session.headers["Authorization"] = "expired.1"
        assert keeper.get("stackproof-a") == "1"
        keeper.drop(["stackproof-a"])


class _Ends(Task):
    """Ends with the first change that is told."""

    stopping = False  # type: ignore[assignment]

    def __init__(self) -> None:
        self.told: list[object] = []

    def take(self, change: object) -> None:
        self.told.append(change)
        self.stopping = True

    def pause(self, seconds: float) -> None:
        """Nobody else waits for it."""


def test_a_watch_logs_in_again(etcd: Endpoint) -> None:
    task = _Ends()
    with closing(EtcdKeeper(by(etcd, "qa"))) as keeper:
        revision = keeper.put("stackproof-b", "1")
        keeper.at("node-1").session.headers["Authorization"] = "expired.1"
        Watch(keeper, "stackproof-b", revision, task.take).run(task)
    assert len(task.told) == 1


def test_a_watch_says_that_its_history_is_gone(etcd: Endpoint) -> None:
    task = _Ends()
    with closing(EtcdKeeper(by(etcd, "root"))) as keeper:
        first, last = keeper.put("stackproof-c", "1"), keeper.put("stackproof-c", "2")
        client = keeper.at("node-1")
        client.post(client.get_url("/kv/compaction"), json={"revision": str(last)})
        with pytest.raises(Trouble, match="etcd has forgotten changes") as caught:
            Watch(keeper, "stackproof-c", first, task.take).run(task)
        assert f"revision {first}" in caught.value.why and str(last) in caught.value.why


@pytest.fixture(scope="module")
def zookeeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    yield from started("zookeeper", tmp_path_factory)


def test_a_chroot_that_is_not_there_is_told_and_not_made(zookeeper: Endpoint) -> None:
    elsewhere = {"node-1": f"{zookeeper.addresses['node-1']}/aps"}
    with pytest.raises(Trouble, match="chroot /aps is not there"):
        wait_answers(service("zookeeper"), replace(zookeeper, addresses=elsewhere), within=60)
    with closing(ZooKeeperKeeper(zookeeper)) as keeper:
        assert keeper.names("aps") == []


def test_rights_that_are_missing_are_told_at_once(zookeeper: Endpoint) -> None:
    from kazoo.security import make_digest_acl

    with closing(ZooKeeperKeeper(zookeeper)) as keeper:
        keeper.client.create("/own", acl=[make_digest_acl("qa", "pw", all=True)])
    own = replace(zookeeper, addresses={"node-1": f"{zookeeper.addresses['node-1']}/own"})
    wait_answers(service("zookeeper"), by(own, "qa", "pw"), within=60)
    with pytest.raises(Trouble, match="ZooKeeper forbids what the suite needs"):
        wait_answers(service("zookeeper"), by(own, "qa", "another"), within=60)


def test_a_word_that_a_server_does_not_answer_is_told(zookeeper: Endpoint) -> None:
    with closing(ZooKeeperKeeper(zookeeper)) as keeper, pytest.raises(NotSupported) as caught:
        keeper.told("node-1", "dump")
    assert "not in the whitelist" in caught.value.why
