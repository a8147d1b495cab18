"""RabbitMQ itself, started natively: alone, and beside another one."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from pika.exceptions import ChannelClosedByBroker

from stackproof.actions import Crash, Start, Stop
from stackproof.errors import Trouble
from stackproof.history import History, Queue, check
from stackproof.history.columns import ACTIONS
from stackproof.polling import DeadlineExceeded, poll
from stackproof.ports import free_port
from stackproof.services.base import Endpoint, Requirement
from stackproof.services.external import connect as connect_external
from stackproof.services.probe import SeesPeers
from stackproof.services.rabbitmq import RabbitMQ, client
from stackproof.services.rabbitmq.consuming import Consumer
from stackproof.services.rabbitmq.publishing import Message, Publisher
from stackproof.stack.native import NativeCluster, NativeProvider
from tests.native import native
from tests.stack.conftest import lives, posix_only

pytestmark = posix_only


@dataclass
class Site:
    provider: NativeProvider
    one: NativeCluster
    other: NativeCluster
    mappers: set[int]


def port_mappers() -> set[int]:
    return {p.pid for p in psutil.process_iter(["name"]) if p.info["name"] == "epmd"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = tmp_path_factory.mktemp("rabbitmq")
    mappers = port_mappers()
    with native(place, time_factor=3) as provider:
        service = RabbitMQ()
        provider.obtain(service, lambda _: None)
        with ThreadPoolExecutor(2) as pool:
            one, other = pool.map(
                lambda name: provider.start(service, Requirement("rabbitmq"), name),
                ("rabbitmq-1", "rabbitmq-2"),
            )
        yield Site(provider, one, other, mappers)


def test_it_says_which_version_it_is(site: Site) -> None:
    told = RabbitMQ().version(site.one.endpoint)
    assert re.fullmatch(r"RabbitMQ \d+\.\d+\.\d+\S*", told)


@pytest.fixture
def queue(site: Site, request: pytest.FixtureRequest) -> Iterator[str]:
    names = f"q-{request.node.name}", f"dead-{request.node.name}"
    client.declare(site.one.endpoint, *names)
    yield names[0]
    client.delete(site.one.endpoint, *names)


def messages(count: int) -> list[Message]:
    return [Message(f"m{number}", b"%d" % number) for number in range(count)]


def family(cluster: NativeCluster) -> list[psutil.Process]:
    (pid,) = cluster.processes().values()
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def test_each_listens_on_loopback_for_clients_and_management(site: Site) -> None:
    for cluster in (site.one, site.other):
        listening = {
            f"{c.laddr.ip}:{c.laddr.port}"
            for process in family(cluster)
            for c in process.net_connections()
            if c.status == "LISTEN"
        }
        endpoint = cluster.endpoint
        assert listening == {endpoint.addresses["node-1"], endpoint.others["node-1 management"]}


def test_no_port_mapper_was_started(site: Site) -> None:
    names = {process.name() for c in (site.one, site.other) for process in family(c)}
    assert "epmd" not in names
    assert "beam.smp" in names, "what was looked at is RabbitMQ"


def test_two_brokers_share_nothing(site: Site, queue: str) -> None:
    publisher = Publisher(site.other.endpoint, History("t"), name="p")
    sent = publisher.publish(messages(1), queue=queue)
    publisher.close()
    assert (sent.ok, sent.failed) == (0, 1)


def test_the_check_is_an_operation(site: Site) -> None:
    RabbitMQ().check(site.one.endpoint, timeout=10)
    nobody = Endpoint("rabbitmq", "e", "native", {"node-1": f"127.0.0.1:{free_port()}"})
    with pytest.raises(RabbitMQ().unready):
        RabbitMQ().check(nobody, timeout=1)


def test_one_that_does_not_greet_in_time_is_not_ready_yet() -> None:
    """A container's port takes connections before the broker in it can serve them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        endpoint = Endpoint("rabbitmq", "e", "docker", {"node-1": address})
        with pytest.raises(RabbitMQ().unready, match="Timeout"):
            RabbitMQ().check(endpoint, timeout=0.2)


def test_what_is_wrong_is_told(site: Site) -> None:
    service = RabbitMQ()

    def told(url: str) -> str:
        addresses, access = connect_external(service, {"url": url})
        endpoint = Endpoint("rabbitmq", "e", "external", addresses, access=access)
        trouble = service.why_unreachable(endpoint, timeout=10)
        return str(trouble) if trouble else ""

    place = site.one.endpoint.addresses["node-1"]
    assert told(f"amqp://{place}") == ""
    assert told(f"amqp://guest:guest@{place}/%2F") == ""
    assert "does not let the suite in" in told(f"amqp://guest:wrong@{place}")
    assert "no such virtual host" in told(f"amqp://guest:guest@{place}/nowhere")
    assert "does not speak TLS" in told(f"amqps://guest:guest@{place}")
    assert "nobody listens" in told(f"amqp://127.0.0.1:{free_port()}")


def test_what_a_run_forgets_the_broker_removes(site: Site, queue: str) -> None:
    with (
        pytest.raises(ChannelClosedByBroker, match="x-expires"),
        client.channel(site.one.endpoint) as opened,
    ):
        opened.queue_declare(queue, durable=True)


def test_what_is_done_to_messages_is_recorded(site: Site, queue: str) -> None:
    history = History("t")
    publisher = Publisher(site.one.endpoint, history, name="p")
    publisher.publish(messages(3), queue=queue)
    publisher.close()
    consumer = Consumer(site.one.endpoint, history, queue, name="c", prefetch=10)
    first, *others = consumer.receive(3, within=10)
    consumer.give_back([first], requeue=True)
    consumer.acknowledge([*others, *consumer.receive(1, within=10)])
    consumer.close()
    of = Queue("the queue", queue, ordered=True, marks=True)
    verdict = check(history, of)
    assert verdict.ok and verdict.conclusive, verdict.explain()
    did = [ACTIONS[action] for action in history.snapshot().operations.action.tolist()]
    assert sorted(did) == sorted(
        [*["put"] * 3, "open", *["take"] * 4, "give back", *["acknowledge"] * 3, "close"]
    )


def test_a_cut_connection_gives_back_exactly_what_was_not_acknowledged(
    site: Site, queue: str
) -> None:
    history = History("t")
    publisher = Publisher(site.one.endpoint, history, name="p")
    publisher.publish(messages(50), queue=queue)
    publisher.close()
    first = Consumer(site.one.endpoint, history, queue,
                     name="1", prefetch=50)  # fmt: skip
    first.acknowledge(first.receive(50, within=20)[:47])
    first.lose_connection()
    second = Consumer(site.one.endpoint, history, queue,
                      name="2", prefetch=50)  # fmt: skip
    again = second.receive(3, within=20)
    assert [(d.ident, d.redelivered) for d in again] == [(f"m{n}", True) for n in (47, 48, 49)]
    with pytest.raises(DeadlineExceeded):
        second.receive(1, within=0.3)
    second.close()


def test_stopped_it_ends_by_itself_and_nothing_is_left(site: Site) -> None:
    pids = [process.pid for process in family(site.other)]
    (name,) = site.other.processes()
    site.other.act(name, Stop())
    assert site.other._processes[name].exit_code == 0
    site.other.stop()
    assert not [pid for pid in pids if lives(pid)]


@pytest.mark.parametrize(
    ("texts", "address", "tls"),
    [
        ({"host": "h"}, "h:5672", False),
        ({"host": "h", "tls": "yes"}, "h:5671", True),
        ({"host": "h", "port": "7", "virtual_host": "a/b"}, "h:7/a%2Fb", False),
        ({"url": "amqp://h"}, "h:5672", False),
        ({"url": "amqp://h/"}, "h:5672", False),
        ({"url": "amqp://h/%2F"}, "h:5672", False),
        ({"url": "amqps://u:p@h/tests"}, "h:5671/tests", True),
    ],
)
def test_settings(texts: dict, address: str, tls: bool) -> None:
    addresses, access = connect_external(RabbitMQ(), texts)
    assert (addresses["node-1"], access.tls) == (address, tls)
    used = client.parameters(Endpoint("rabbitmq", "e", "external", addresses))
    assert used.virtual_host == {"h:7/a%2Fb": "a/b", "h:5671/tests": "tests"}.get(address, "/")


def test_an_unknown_plugin_is_told(site: Site) -> None:
    wanted = Requirement("rabbitmq", (("plugins", ("rabbitmq_managment",)),))
    with pytest.raises(Trouble, match="no plugin 'rabbitmq_managment'"):
        site.provider.start(RabbitMQ(), wanted, "rabbitmq-3")


@pytest.fixture
def cluster(site: Site) -> Iterator[NativeCluster]:
    wanted = Requirement("rabbitmq", (("nodes", 3),), dedicated=True)
    made = site.provider.start(RabbitMQ(), wanted, "rabbitmq-4")
    yield made
    made.stop()


def sees(probe: SeesPeers, node: str) -> bool:
    try:
        probe.seen_by_peers(node)
    except RabbitMQ().unready:
        return False
    return True


def test_a_cluster_keeps_what_a_majority_has(cluster: NativeCluster) -> None:
    endpoint, probe = cluster.endpoint, RabbitMQ().probe(cluster.endpoint, timeout=5)
    assert isinstance(probe, SeesPeers)
    with client.channel(endpoint) as opened:
        opened.confirm_delivery()
        opened.queue_declare("q", durable=True, arguments={"x-queue-type": "quorum"})
        opened.basic_publish("", "q", b"kept", mandatory=True)
    assert sees(probe, "node-1")
    cluster.act("rabbitmq-4-node-1", Crash())
    poll(lambda: not sees(probe, "node-1"), within=60, awaiting="the others to miss it")

    def get() -> bytes | None:
        with client.channel(endpoint, "node-2") as opened:
            return opened.basic_get("q")[2]

    kept = poll(get, within=60, awaiting="the message", retry_on=RabbitMQ().unready)
    assert kept == b"kept"
    cluster.act("rabbitmq-4-node-1", Start())
    cluster.wait_healthy(90)
    assert RabbitMQ().unlike_new(endpoint, timeout=10) == "node-1: there is the queue q"


def test_a_cluster_is_among_itself(cluster: NativeCluster) -> None:
    listening = {
        (c.laddr.ip, process.pid)
        for pid in cluster.processes().values()
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
        for c in process.net_connections()
        if c.status == "LISTEN"
    }
    assert {address for address, _ in listening} == {"127.0.0.1"}
    cookies = [Path(spec.cwd) / ".erlang.cookie" for spec in cluster._specs.values()]
    assert {file.stat().st_mode & 0o777 for file in cookies} == {0o600}
    assert len({file.read_text() for file in cookies}) == 1
