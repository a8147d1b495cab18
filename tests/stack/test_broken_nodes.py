"""Whatever service says its nodes: clients by proxies, small disks, lost power; natively."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackproof.actions import ClearClients, CutClients, FillDisk, FreeDisk, LosePower, Start
from stackproof.errors import NotSupported
from stackproof.obtain import Cache
from stackproof.polling import poll
from stackproof.services import service
from stackproof.services.base import Requirement, resolve_options
from stackproof.services.nodes import Service
from stackproof.services.postgresql.client import ask, asking
from stackproof.services.redis.client import connect
from stackproof.services.where import InContainers, Node
from stackproof.stack.docker.rendering import compose_text
from stackproof.stack.harm import disks, means, volatile
from stackproof.stack.native import NativeCluster, NativeProvider
from stackproof.stack.site import LocalSite
from tests.native import native
from tests.stack.conftest import posix_only

pytestmark = posix_only
NUMBERS = itertools.count(1)
with_small_disks = pytest.mark.skipif(
    disks.unusable() is not None, reason=disks.unusable() or "small disks"
)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeProvider]:
    place = tmp_path_factory.mktemp("broken")
    with native(place, time_factor=2) as provider:
        for name in ("redis", "postgresql", "rabbitmq"):
            provider.obtain(service(name), lambda _: None)
        means.obtain({"proxied": True, "syncs": True}, Cache(), lambda _: None, volatile.obtain)
        yield provider


def start(provider: NativeProvider, name: str, **options: object) -> NativeCluster:
    requirement = Requirement(name, tuple(sorted(options.items())), dedicated=True)
    return provider.start(service(name), requirement, f"{name}-{next(NUMBERS)}")


@pytest.mark.parametrize("name", ["redis", "postgresql", "rabbitmq"])
def test_clients_come_by_proxies_and_whoever_looks_past_them(
    provider: NativeProvider, name: str
) -> None:
    cluster = start(provider, name, proxied=True)
    kind, endpoint = service(name), cluster.endpoint
    assert isinstance(kind, Service)
    (instance,) = endpoint.instances
    assert endpoint.direct and endpoint.direct != endpoint.addresses
    cluster.act(instance, CutClients())
    with pytest.raises(kind.unready):
        kind.answers(endpoint, instance, timeout=1)
    kind.answers(endpoint.past_proxies(), instance, timeout=5)
    assert (cluster.unhealed() or "").startswith(f"on the way to {instance} is timeout")
    cluster.act(instance, ClearClients())
    kind.answers(endpoint, instance, timeout=5)
    assert cluster.unhealed() is None
    cluster.stop()


def test_without_proxies_there_is_one_way(provider: NativeProvider) -> None:
    cluster = start(provider, "redis")
    assert cluster.endpoint.past_proxies() is cluster.endpoint
    with pytest.raises(NotSupported, match="proxied=True"):
        cluster.act(cluster.endpoint.instances[0], CutClients())
    cluster.stop()


@with_small_disks
def test_a_small_disk_is_filled_and_freed(provider: NativeProvider) -> None:
    cluster = start(provider, "redis", disk_mb=16, config=(("appendonly", "yes"),))
    (instance,) = cluster.endpoint.instances
    with connect(cluster.endpoint) as client:
        client.set("before", 1)
        cluster.act(instance, FillDisk())
        with pytest.raises(Exception, match=r"(?i)no space left"):
            poll(lambda: client.set("k", b"x" * 10_000), until=lambda _: False, within=20,
                 awaiting="a refusal")  # fmt: skip
        cluster.act(instance, FreeDisk())
        poll(lambda: client.set("k", 1), within=20, awaiting="Redis to write again",
             retry_on=(Exception,))  # fmt: skip
        assert client.get("before") == b"1"
    cluster.stop()


@pytest.mark.parametrize(("synced", "kept"), [("always", b"1"), ("no", None)])
def test_redis_keeps_what_it_has_synced(
    provider: NativeProvider, synced: str, kept: bytes | None
) -> None:
    config = (("appendonly", "yes"), ("appendfsync", synced))
    cluster = start(provider, "redis", syncs=True, config=config)
    (instance,) = cluster.endpoint.instances
    with connect(cluster.endpoint) as client:
        client.set("k", 1)
    lost = cluster.act(instance, LosePower())
    assert kept is not None or lost["lost_bytes"] > 0
    cluster.act(instance, Start())
    cluster.wait_healthy(60)
    with connect(cluster.endpoint) as client:
        assert client.get("k") == kept
    cluster.stop()


def test_postgresql_keeps_what_is_committed(provider: NativeProvider) -> None:
    """What initdb made without a sync was there before the power was, too."""
    cluster = start(provider, "postgresql", syncs=True)
    (instance,) = cluster.endpoint.instances
    with asking(cluster.endpoint, timeout=20) as cursor:
        cursor.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    for _ in range(2):  # its files are known anew at the second start
        lost = cluster.act(instance, LosePower())
        assert lost["lost_bytes"] > 0
        cluster.act(instance, Start())
        cluster.wait_healthy(60)
        assert ask(cluster.endpoint, "SELECT count(*) FROM kept") == [(1000,)]
    cluster.stop()


def test_what_keeps_nothing_has_no_disk_to_break(tmp_path: Path) -> None:
    class Forgetful(type(service("redis"))):  # type: ignore[misc]
        def nodes(self, where: object) -> list[Node]:
            return [Node("server", ["server"])]

    kind = Forgetful()
    for option in ({"disk_mb": 16}, {"syncs": True}):
        options = resolve_options(kind, option)
        with pytest.raises(NotSupported, match="keeps nothing on a disk"):
            kind.made(InContainers(kind, options, None))


def test_containers_have_proxies_disks_and_what_records_syncs(tmp_path: Path) -> None:
    import yaml

    kind = service("redis")
    assert isinstance(kind, Service)
    options = resolve_options(kind, {"proxied": True, "disk_mb": 16, "syncs": True})
    site = LocalSite("redis-1", tmp_path, options, Cache(tmp_path))
    composition = kind.compose(site)
    assert composition.disks == {"redis-1-server": tmp_path / "disk-server"}
    text = compose_text(kind, composition.nodes, InContainers(kind, options, site),
                        environment={"A": "$b"}, volumes={"server": ["/x:/data"]})  # fmt: skip
    (made,) = yaml.safe_load(text)["services"].values()
    assert made["volumes"] == ["/x:/data"]
    assert made["environment"] == {"A": "$$b"}
    assert made["mem_limit"] == f"{kind.memory_mb(options)}m" == "100m"
    published = int(made["ports"][0].split(":")[1])
    assert kind.direct(site) == {"server": f"127.0.0.1:{published}"}
    by_proxy = kind.addresses(site)["server"]
    assert kind.routes(site) == {"redis-1-server": [(int(by_proxy.split(":")[1]), published)]}
    assert by_proxy != f"127.0.0.1:{published}"
