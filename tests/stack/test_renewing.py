"""Servers said by their nodes, made as good as new; each thing that is left is found by a look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from stackproof.actions import Start, Stop
from stackproof.obtain import Cache
from stackproof.polling import poll
from stackproof.processes import reaper
from stackproof.processes.run import RUN_VARIABLE, Run
from stackproof.services import service
from stackproof.services.base import Endpoint, Renewable, Requirement
from stackproof.services.rabbitmq import client as rabbitmq
from stackproof.services.renewal import Renewing
from stackproof.stack.native import NativeCluster, NativeProvider
from tests.stack.conftest import posix_only

pytestmark = posix_only
_WITHIN = 60.0


@contextmanager
def started(place: pytest.TempPathFactory, name: str, **options: object) -> Iterator[NativeCluster]:
    kind, runs = service(name), place.mktemp(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STACKPROOF_RUNS", str(runs))
        patch.delenv(RUN_VARIABLE, raising=False)
        run = Run.begin()
        try:
            provider = NativeProvider(run, runs / "logs", Cache(), time_factor=3)
            provider.obtain(kind, lambda _: None)
            yield provider.start(kind, Requirement(name, tuple(options.items())), f"{name}-1")
        finally:
            reaper.reap(run)


def found(endpoint: Endpoint) -> str | None:
    kind = service(endpoint.service)
    assert isinstance(kind, Renewable)
    return kind.unlike_new(endpoint, timeout=10)


def made(endpoint: Endpoint, node: str) -> dict[str, list[str]]:
    """What a node has, without the kinds of which it has nothing."""
    kind = service(endpoint.service)
    assert isinstance(kind, Renewing)
    all_of_it = kind.renewal(endpoint, timeout=10).made(node)
    return {what: list(names) for what, names in all_of_it.items() if names}


def await_nothing(endpoint: Endpoint) -> None:
    poll(lambda: found(endpoint), until=lambda left: left is None, within=_WITHIN,
         awaiting="it to be as good as new")  # fmt: skip


def renew(endpoint: Endpoint) -> None:
    kind = service(endpoint.service)
    assert isinstance(kind, Renewable)
    kind.clear(endpoint)
    await_nothing(endpoint)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeCluster]:
    with started(tmp_path_factory, "rabbitmq") as cluster:
        yield cluster


def put(path: str, body: dict[str, object]) -> Callable[[Endpoint], None]:
    return lambda endpoint: rabbitmq.manage(endpoint, path, method="PUT", body=body)


@pytest.mark.parametrize(
    ("dirty", "what"),
    [
        (lambda endpoint: rabbitmq.declare(endpoint, "amq-like"), {"queue": ["amq-like"]}),
        (put("exchanges/%2F/orders", {"type": "topic"}), {"exchange": ["orders"]}),
        (put("policies/%2F/short", {"pattern": ".*", "definition": {"max-length": 3}}),
         {"policy": ["short"]}),
        (put("users/qa", {"password": "pw", "tags": ""}), {"user": ["qa"]}),
        (put("vhosts/tests%2Fqa", {}), {
            "virtual host": ["tests/qa"], "changed right of": ["guest"]}),
        (put("permissions/%2F/guest", {"configure": "^$", "write": ".*", "read": ".*"}),
         {"changed right of": ["guest"]}),
        (put("vhost-limits/%2F/max-queues", {"value": 1}), {"parameter": ["limits"]}),
        (put("global-parameters/mqtt", {"value": {}}), {"global parameter": ["mqtt"]}),
    ],
)  # fmt: skip
def test_what_is_left_on_rabbitmq_is_found_and_cleared(
    broker: NativeCluster, dirty: Callable[[Endpoint], None], what: dict[str, list[str]]
) -> None:
    endpoint = broker.endpoint
    await_nothing(endpoint)  # the clients before are forgotten in a moment
    dirty(endpoint)
    poll(lambda: made(endpoint, "node-1"), until=lambda has: has == what, within=_WITHIN,
         awaiting=f"{what} to be found")  # fmt: skip
    kind, names = next(iter(what.items()))
    assert found(endpoint) == f"node-1: there is the {kind} {names[0]}"
    renew(endpoint)
    service("rabbitmq").check(endpoint, timeout=10)


def test_somebody_who_still_uses_rabbitmq_is_found(broker: NativeCluster) -> None:
    endpoint = broker.endpoint
    await_nothing(endpoint)
    with closing(rabbitmq.connect(endpoint)) as connection:
        connection.channel().queue_declare("", exclusive=True)
        has = made(endpoint, "node-1")
        assert has.keys() == {"client", "queue"} and has["queue"][0].startswith("amq.gen")
    await_nothing(endpoint)


def test_a_server_that_does_not_tell_is_not_as_good_as_new(broker: NativeCluster) -> None:
    (instance,) = broker.endpoint.instances
    broker.act(instance, Stop())
    assert (found(broker.endpoint) or "").startswith("node-1: it does not tell: ")
    broker.act(instance, Start())
    broker.wait_healthy(_WITHIN)
    await_nothing(broker.endpoint)
