"""What the doctor and scenarios say of RabbitMQ brokers that are not ours."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pika
import pytest

from stackproof.commands.doctor import doctor
from stackproof.errors import Passing, Trouble, explained
from stackproof.history import History, Queue
from stackproof.polling import DeadlineExceeded
from stackproof.services import service
from stackproof.services.base import Endpoint
from stackproof.services.external import connect
from stackproof.services.rabbitmq import RabbitMQFixture, client
from stackproof.services.rabbitmq.consuming import Consumer
from stackproof.services.rabbitmq.publishing import Message, Publisher


@pytest.mark.parametrize(
    ("user", "where", "says"),
    [
        ("qa:pw", "", ""),
        ("undefault:pw", "", r"forbids what(.|\n)*exchange 'amq.default'(.|\n)*to write on amq"),
        ("reader:pw", "", r"forbids what(.|\n)*configure, write and read"),
        ("writer:pw", "", r"forbids what(.|\n)*configure, write and read"),
        ("qa:wrong", "", r"does not let the suite in"),
        ("qa:pw", "/nowhere", r"no such virtual host"),
        ("qa:pw", "/full", r"no such virtual host, or not for the suite's user"),
    ],
)
def test_what_a_broker_refuses_is_told(
    rabbitmq_broker: str, user: str, where: str, says: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setenv("STACK", "external")
    monkeypatch.setenv("STACKPROOF_PREFIX", "qa")
    monkeypatch.setenv("RABBITMQ_URL", f"amqp://{user}@{rabbitmq_broker}{where}")
    code = doctor(["rabbitmq"], endpoints=True)
    text = capsys.readouterr().out
    assert "\nsettings (file" in text, "the doctor went on to its end"
    line = text[text.index("endpoint rabbitmq") :].partition("\nsettings")[0]
    assert (code, bool(re.search(says or "answers", line))) == (2 if says else 0, True), line


def broker(address: str, user: str = "guest:guest") -> Endpoint:
    addresses, access = connect(service("rabbitmq"), {"url": f"amqp://{user}@{address}"})
    return Endpoint("rabbitmq", "e", "external", addresses, access=access)


def messages(count: int) -> list[Message]:
    return [Message(f"m{number}", b"%d" % number) for number in range(count)]


def test_idle_clients_keep_their_connections(rabbitmq_broker: str) -> None:
    """The broker's heartbeat is a second; it would cut a silent client after two or three."""
    history, there, queue = History("t"), broker(rabbitmq_broker), "qa-idle"
    client.declare(there, queue)
    publisher = Publisher(there, history, name="p")
    consumer = Consumer(there, history, queue,
                        name="c", prefetch=10)  # fmt: skip
    publisher.publish(messages(5), queue=queue)
    taken = consumer.receive(5, within=20)
    consumer.acknowledge(taken[:3])
    with pytest.raises(AssertionError):  # nothing comes, and nobody else moves for so long
        consumer_of_nothing(there).receive(1, within=5)
    assert publisher.publish(messages(5), queue=queue).ok == 5
    consumer.give_back(taken[3:], requeue=True)
    assert consumer.receive(7, within=20)
    assert client.ready(there, queue) == 0
    for one in (publisher, consumer):
        one.close()
    client.delete(there, queue)


def consumer_of_nothing(there: Endpoint) -> Consumer:
    client.declare(there, "qa-nothing")
    return Consumer(there, History("t"), "qa-nothing",
                    name="n", prefetch=1)  # fmt: skip


def test_a_refusal_while_publishing_is_no_verdict(rabbitmq_broker: str) -> None:
    client.declare(broker(rabbitmq_broker), "qa-refused")
    publisher = Publisher(broker(rabbitmq_broker, "undefault:pw"), History("t"), name="p")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        publisher.publish(messages(3), queue="qa-refused")
    trouble = explained(caught.value)
    assert isinstance(trouble, Trouble) and "to write on amq.default" in trouble.remedy
    publisher.close()
    client.delete(broker(rabbitmq_broker), "qa-refused")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (pika.exceptions.StreamLostError("Stream connection lost: EOF"), "is lost\n.*EOF"),
        (pika.exceptions.ChannelWrongStateError("Channel is closed."), "is lost\n.*closed"),
        (pika.exceptions.ConnectionBlockedTimeout("Blocked"), "holds back whoever publishes"),
        (pika.exceptions.ConnectionClosedByBroker(320, "FORCED - bye"), "is lost\n.*bye"),
        (pika.exceptions.ConnectionClosedByBroker(540, "NOT_IMPLEMENTED - tx"), "does not offer"),
        (pika.exceptions.ConnectionClosedByBroker(503, "unknown exchange type 'f'"), "not offer"),
        (pika.exceptions.ChannelClosedByBroker(406, "invalid arg 'x-expires'"), "does not offer"),
        (pika.exceptions.ChannelClosedByBroker(406, "unknown delivery tag"), "refuses what"),
        (pika.exceptions.ChannelClosedByBroker(405, "RESOURCE_LOCKED - q"), "refuses what"),
    ],
)  # fmt: skip
def test_what_a_clients_error_means(error: Exception, says: str) -> None:
    told = explained(error)
    assert re.search(says, str(told))
    assert isinstance(told, Passing) == ("is lost" in says)


@pytest.mark.parametrize(("left", "settled"), [(0, True), (3, False)])
def test_what_still_stands_in_a_queue_is_not_lost(left: int, settled: bool) -> None:
    told: list[Queue] = []
    session = SimpleNamespace(check_after=lambda error, expected: told.append(expected))
    rabbit = SimpleNamespace(ready={"orders": 0, "dead": left}.get, _scenario=session)
    expected = Queue("dead letters", "orders", dead_letters="dead")
    RabbitMQFixture._explain(rabbit, DeadlineExceeded("late", 0), expected, "orders", "dead")
    assert [one.settled for one in told] == [settled]
