"""Servers said by their nodes, made as good as new; each thing that is left is found by a look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from stackproof.actions import Start, Stop
from stackproof.polling import poll
from stackproof.services import service
from stackproof.services.base import Endpoint, Renewable, Requirement
from stackproof.services.postgresql.client import ask, asking, connect
from stackproof.services.rabbitmq import client as rabbitmq
from stackproof.services.renewal import Renewing
from stackproof.stack.native import NativeCluster
from tests.native import native
from tests.stack.conftest import posix_only

pytestmark = posix_only
_WITHIN = 60.0


@contextmanager
def started(place: pytest.TempPathFactory, name: str, **options: object) -> Iterator[NativeCluster]:
    kind, runs = service(name), place.mktemp(name)
    with native(runs, time_factor=3) as provider:
        provider.obtain(kind, lambda _: None)
        yield provider.start(kind, Requirement(name, tuple(options.items())), f"{name}-1")


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


def await_made(endpoint: Endpoint, node: str, what: dict[str, list[str]]) -> None:
    poll(lambda: made(endpoint, node), until=lambda has: has == what, within=_WITHIN,
         awaiting=f"{what} to be found")  # fmt: skip


def await_found(endpoint: Endpoint, told: str | None) -> None:
    """Servers forget a client that has gone, such as the one of the last look, in a moment."""
    poll(lambda: found(endpoint), until=lambda left: left == told, within=_WITHIN,
         awaiting=f"{told or 'nothing'} to be found")  # fmt: skip


def await_nothing(endpoint: Endpoint) -> None:
    await_found(endpoint, None)


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
    await_made(endpoint, "node-1", what)
    kind, names = next(iter(what.items()))
    await_found(endpoint, f"node-1: there is the {kind} {names[0]}")
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


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeCluster]:
    with started(tmp_path_factory, "postgresql", replicas=1, synchronous=1) as cluster:
        yield cluster


def run(endpoint: Endpoint, *statements: str) -> None:
    with asking(endpoint, timeout=30) as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("CREATE SCHEMA left_over", {"schema": ["left_over"]}),
        ("CREATE TABLE public.kept (n int)", {"relation": ["kept"]}),
        ("CREATE FUNCTION one() RETURNS int LANGUAGE sql RETURN 1", {"function": ["one"]}),
        ("CREATE DOMAIN short AS varchar(3)", {"type": ["short"]}),
        ("SELECT lo_create(99999)", {"large object": ["99999"]}),
        ("CREATE PUBLICATION news", {"publication": ["news"]}),
        ("CREATE DATABASE orders", {"database": ["orders"]}),
        ("CREATE ROLE qa", {"role": ["qa"]}),
        ("ALTER ROLE postgres SET work_mem = '1MB'",
         {"setting of a role or a database": ["work_mem=1MB"]}),
        ("ALTER SYSTEM SET work_mem = '1MB'", {"changed setting": ["work_mem"]}),
        ("SELECT pg_create_physical_replication_slot('kept', true)", {"slot": ["kept"]}),
    ],
)  # fmt: skip
def test_what_is_left_on_postgresql_is_found_and_cleared(
    database: NativeCluster, statement: str, what: dict[str, list[str]]
) -> None:
    endpoint = database.endpoint
    await_nothing(endpoint)
    run(endpoint, statement)
    await_made(endpoint, "primary", what)
    kind, names = next(iter(what.items()))
    await_found(endpoint, f"primary: there is the {kind} {names[0]}")
    if "ROLE postgres" in statement:  # belongs to what every server has
        run(endpoint, "ALTER ROLE postgres RESET ALL")
    renew(endpoint)
    assert ask(endpoint, "SHOW synchronous_standby_names") == [("FIRST 1 (replica_1)",)]
    service("postgresql").check(endpoint, timeout=10)


def test_what_lies_in_the_template_of_databases_is_found(database: NativeCluster) -> None:
    endpoint = database.endpoint
    place = endpoint.addresses["primary"].partition("/")[0]
    template = replace(endpoint, addresses={"primary": f"{place}/template1"})
    run(template, "CREATE TABLE left_over (n int)")
    await_made(endpoint, "primary", {"relation of template1": ["left_over"]})
    run(template, "DROP TABLE left_over")
    await_nothing(endpoint)


def test_somebody_who_still_uses_postgresql_is_found(database: NativeCluster) -> None:
    endpoint = database.endpoint
    for node in endpoint.addresses:
        with connect(endpoint, node):
            assert made(endpoint, node) == {"client": ["stackproof"]}
    await_nothing(endpoint)


def test_a_replica_that_does_not_follow_is_found(database: NativeCluster) -> None:
    instance = "postgresql-1-replica-1"
    database.act(instance, Stop())
    await_made(database.endpoint, "primary", {"replica that does not follow:": ["replica_1"]})
    database.act(instance, Start())
    await_nothing(database.endpoint)


def test_what_a_restart_has_changed_is_found_after_it_was_reset(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with started(tmp_path_factory, "postgresql") as cluster:
        endpoint, (instance,) = cluster.endpoint, cluster.endpoint.instances
        run(endpoint, "ALTER SYSTEM SET max_prepared_transactions = 2")
        cluster.act(instance, Stop())
        cluster.act(instance, Start())
        cluster.wait_healthy(_WITHIN)
        run(endpoint, "BEGIN", "PREPARE TRANSACTION 'pending'")
        kept = {"prepared transaction": ["pending"]}
        assert made(endpoint, "primary") == {
            **kept,
            "changed setting": ["max_prepared_transactions"],
        }
        run(endpoint, "ROLLBACK PREPARED 'pending'")
        service("postgresql").clear(endpoint)  # type: ignore[attr-defined]
        waits = "there is the setting that a restart would change max_prepared_transactions"
        poll(lambda: found(endpoint), until=lambda told: told == f"primary: {waits}",
             within=_WITHIN, awaiting=waits)  # fmt: skip
