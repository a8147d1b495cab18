"""Redis itself, started natively; and what its settings mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from redis import exceptions

from stackproof.actions import Crash
from stackproof.errors import Trouble
from stackproof.polling import poll
from stackproof.ports import free_port
from stackproof.services.base import Clearable, Endpoint, Explaining, Requirement
from stackproof.services.external import connect as connect_external
from stackproof.services.redis import Redis
from stackproof.services.redis.client import connect
from stackproof.services.redis.probe import RedisProbe
from stackproof.stack.native import NativeCluster, NativeProvider
from tests.native import native
from tests.stack.conftest import lives, posix_only

pytestmark = posix_only
PASSWORD = "s3cret/@:"


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeProvider]:
    place = tmp_path_factory.mktemp("redis")
    with native(place, time_factor=2) as provider:
        provider.obtain(Redis(), lambda _: None)
        yield provider


def start(provider: NativeProvider, name: str, **options: object) -> NativeCluster:
    return provider.start(Redis(), Requirement("redis", tuple(options.items())), name)


@pytest.fixture(scope="module")
def server(provider: NativeProvider) -> NativeCluster:
    return start(provider, "redis-1")


def test_a_check_leaves_no_key(server: NativeCluster) -> None:
    Redis().check(server.endpoint, timeout=5)
    with connect(server.endpoint) as client:
        assert not list(client.scan_iter("stackproof-check*"))


def test_it_says_which_version_it_is(server: NativeCluster) -> None:
    assert re.fullmatch(r"(Redis|Valkey) \d+\.\d+\.\d+", Redis().version(server.endpoint))


def test_two_servers_share_nothing(provider: NativeProvider, server: NativeCluster) -> None:
    other = start(provider, "redis-2", max_memory_mb=32)
    with connect(server.endpoint) as one, connect(
        other.endpoint
    ) as two:  # fmt: skip
        one.set("k", "1")
        assert two.get("k") is None
        assert two.info("memory")["maxmemory"] == 32 * 2**20
    pid = other.processes()["redis-2-server"]
    other.stop()
    assert not lives(pid)


def test_above_its_limit_it_refuses(provider: NativeProvider) -> None:
    small = start(provider, "redis-3", max_memory_mb=2)
    client = connect(small.endpoint)
    with pytest.raises(exceptions.OutOfMemoryError):
        for number in range(100):
            client.set(f"k{number}", b"x" * 100_000)
    client.close()
    small.stop()


def test_leftovers_are_found_by_their_prefix_and_removed(server: NativeCluster) -> None:
    service = Redis()
    assert isinstance(service, Clearable)
    with connect(server.endpoint) as client:
        client.mset({"stackproof-r1-a": 1, "stackproof-r1-b": 1, "stackproof-r2-a": 1, "[s*": 1})
        found = service.leftovers(server.endpoint, "stackproof-r1-")
        assert [item.name for item in found] == ["stackproof-r1-a", "stackproof-r1-b"]
        assert [item.name for item in service.leftovers(server.endpoint, "[s")] == ["[s*"]
        service.remove(server.endpoint, found)
        assert not service.leftovers(server.endpoint, "stackproof-r1-")
        assert client.get("stackproof-r2-a") == b"1"


def test_what_is_wrong_is_told(provider: NativeProvider) -> None:
    secured = start(provider, "redis-4")
    with connect(secured.endpoint) as client:
        client.config_set("requirepass", PASSWORD)
    service = Redis()
    assert isinstance(service, Explaining)

    def told(url: str) -> str:
        addresses, access = connect_external(service, {"url": url})
        endpoint = Endpoint("redis", "e", "external", addresses, access=access)
        trouble = service.why_unreachable(endpoint, timeout=5)
        return str(trouble) if trouble else ""

    place = secured.endpoint.addresses["server"]
    assert told(f"redis://:s3cret%2F%40%3A@{place}/0") == ""
    assert "does not let the suite in" in told(f"redis://:wrong@{place}/0")
    assert "does not let the suite in" in told(f"redis://{place}/0")
    assert "does not speak TLS" in told(f"rediss://{place}/0")
    assert "nobody listens" in told(f"redis://127.0.0.1:{free_port()}")


@pytest.mark.parametrize(
    ("texts", "address", "tls", "who"),
    [
        ({"host": "h"}, "h:6379", False, ("", "")),
        ({"host": "h", "port": "7", "database": "3"}, "h:7/3", False, ("", "")),
        ({"url": "redis://h"}, "h:6379", False, ("", "")),
        ({"url": "rediss://u:p%40w@h:7/2"}, "h:7/2", True, ("u", "p@w")),
        ({"url": "redis://:pw@[::1]:7"}, "[::1]:7", False, ("", "pw")),
        ({"url": "redis://h/0", "username": "u", "tls": "yes"}, "h:6379", True, ("u", "")),
    ],
)
def test_settings(texts: dict, address: str, tls: bool, who: tuple[str, str]) -> None:
    addresses, access = connect_external(Redis(), texts)
    assert (addresses["server"], access.tls) == (address, tls)
    assert (access.username, access.password) == who


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"url": "http://u:hidden@h"},
        {"url": "redis://u:hidden@"},
        {"url": "redis://u:hidden@h:port"},
        {"url": "redis://u:hidden@h?ssl_cert_reqs=none"},
        {"url": "redis://u:hidden@h/two"},
        {"url": "redis://h", "host": "other"},
        {"host": "h", "port": "²"},
    ],
)
def test_settings_that_cannot_be_used(texts: dict) -> None:
    with pytest.raises(Trouble) as caught:
        connect_external(Redis(), texts)
    assert "hidden" not in str(caught.value)


def test_a_url_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("redis://u:pw@h:7\n")
    addresses, access = connect_external(Redis(), {"url_file": str(file)})
    assert (addresses["server"], access.password) == ("h:7", "pw")


#: How a Sentinel, a node of a Cluster and a primary tell that they are without a node.
MISSED = (
    "has sentinel-3 as (sdown|disconnected)", "has node-4 as (disconnected|.*fail)",
    "primary has replica-1 as None",
)  # fmt: skip
SHAPES = [{"replicas": 1}, {"replicas": 2, "sentinels": 3}, {"nodes": 4, "replicas": 1}]


@pytest.mark.parametrize("options", SHAPES, ids=["replicas", "sentinels", "cluster"])
def test_several_nodes_are_in_order_on_loopback_alone(
    provider: NativeProvider, options: dict[str, int]
) -> None:
    name = "redis-" + "-".join(options)
    cluster = start(provider, name, **options)
    listening = {
        connection.laddr.ip
        for process in cluster.processes().values()
        for connection in psutil.Process(process).net_connections()
        if connection.status == "LISTEN"
    }
    assert listening == {"127.0.0.1"}
    Redis().check(cluster.endpoint, timeout=5)
    with connect(cluster.endpoint) as client:
        for number in range(50):  # in a Cluster they lie on all nodes
            client.set(f"key {number}", number)
            assert client.get(f"key {number}") == str(number).encode()
    probe = RedisProbe(cluster.endpoint, timeout=1)
    last = list(cluster.endpoint.addresses)[-1]
    probe.seen_by_peers(last)
    cluster.act(f"{name}-{last}", Crash())
    with pytest.raises(exceptions.ConnectionError, match="|".join(MISSED)):
        poll(lambda: probe.seen_by_peers(last), until=lambda _: False, within=20,
             awaiting=f"the others to miss {last}")  # fmt: skip
    cluster.stop()
