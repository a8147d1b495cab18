"""A service is one folder: what the contract gives to one that nobody here has heard of."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import yaml

from stackproof import services
from stackproof.access import OPEN
from stackproof.actions import ClearClients, Crash, CutClients, Pause, Resume, Start
from stackproof.polling import poll
from stackproof.services import service
from stackproof.services.base import Requirement
from stackproof.services.nodes import Service
from stackproof.stack.docker.rendering import stand_alone
from stackproof.stack.native import NativeCluster, NativeProvider
from tests.native import native
from tests.stack.conftest import posix_only

pytestmark = posix_only
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeProvider]:
    place = tmp_path_factory.mktemp("newcomer")
    with (
        pytest.MonkeyPatch.context() as patch,
        native(place, time_factor=2) as provider,
    ):
        patch.setitem(services._MODULES, "valkey", "tests.stack.newcomer.valkey.server:SERVICE")
        try:
            provider.obtain(valkey(), lambda _: None)
            yield provider
        finally:
            services._known.pop("valkey", None)


def valkey() -> Service:
    found = service("valkey")
    assert isinstance(found, Service)
    return found


def start(provider: NativeProvider, **options: object) -> NativeCluster:
    requirement = Requirement("valkey", tuple(sorted(options.items())), dedicated=True)
    return provider.start(valkey(), requirement, f"valkey-{next(NUMBERS)}")


def test_it_starts_crashes_and_comes_back(provider: NativeProvider) -> None:
    cluster = start(provider)
    (instance,) = cluster.endpoint.instances
    valkey().check(cluster.endpoint, timeout=10)
    cluster.act(instance, Crash())
    with pytest.raises(valkey().unready):
        valkey().answers(cluster.endpoint, instance, timeout=1)
    cluster.act(instance, Start())
    cluster.wait_healthy(30)
    cluster.act(instance, Pause())
    with pytest.raises(valkey().unready):
        valkey().answers(cluster.endpoint, instance, timeout=1)
    cluster.act(instance, Resume())
    poll(lambda: valkey().answers(cluster.endpoint, instance, timeout=5), until=lambda _: True,
         within=20, awaiting="an answer", retry_on=valkey().unready)  # fmt: skip
    assert cluster.unhealed() is None
    cluster.stop()


def test_its_clients_are_cut_off(provider: NativeProvider) -> None:
    cluster = start(provider, proxied=True)
    (instance,) = cluster.endpoint.instances
    cluster.act(instance, CutClients())
    with pytest.raises(valkey().unready):
        valkey().answers(cluster.endpoint, instance, timeout=1)
    valkey().answers(cluster.endpoint.past_proxies(), instance, timeout=5)
    cluster.act(instance, ClearClients())
    cluster.stop()


def test_its_compose_file_is_made(provider: NativeProvider) -> None:
    text = stand_alone(valkey(), "valkey", {})
    (server,) = yaml.safe_load(text)["services"].values()
    assert "valkey-server" in server["entrypoint"]
    assert server["ports"]


def test_its_endpoint_is_understood(provider: NativeProvider) -> None:
    addresses, _ = valkey().connect({"url": "valkey://somewhere:7000/2"}, OPEN)
    assert addresses == {"server": "somewhere:7000/2"}
    assert valkey().connection_settings()[0].variables == ("VALKEY_URL",)
