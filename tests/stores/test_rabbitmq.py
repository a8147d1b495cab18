"""What the doctor and scenarios say of RabbitMQ brokers that are not ours."""

from __future__ import annotations

import re

import pika
import pytest

from stackproof.clients.rabbitmq.admin import QueueSpec, RabbitAdmin
from stackproof.clients.rabbitmq.connection import parameters
from stackproof.clients.rabbitmq.consuming import Consumer, Positions
from stackproof.clients.rabbitmq.messages import Message
from stackproof.clients.rabbitmq.publishing import Publisher
from stackproof.commands.doctor import doctor
from stackproof.errors import Trouble, explained
from stackproof.history import History
from stackproof.services import service
from stackproof.services.external import connect


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


def how(address: str, user: str = "guest:guest") -> pika.ConnectionParameters:
    return parameters(*connect(service("rabbitmq"), {"url": f"amqp://{user}@{address}"}))


def messages(count: int) -> list[Message]:
    return [Message(f"m{number}", b"%d" % number) for number in range(count)]


def test_idle_clients_keep_their_connections(rabbitmq_broker: str) -> None:
    """The broker's heartbeat is a second; it would cut a silent client after two or three."""
    history = History("t")
    spec = QueueSpec("qa-idle")
    admin = RabbitAdmin(how(rabbitmq_broker))
    admin.declare(spec)
    publisher = Publisher(how(rabbitmq_broker), history, name="p")
    consumer = Consumer(how(rabbitmq_broker), history, spec.name, positions=Positions(),
                        name="c", prefetch=10)  # fmt: skip
    publisher.publish(messages(5), queue=spec.name)
    taken = consumer.receive(5, within=20)
    consumer.acknowledge(taken[:3])
    with pytest.raises(AssertionError):  # nothing comes, and nobody else moves for so long
        consumer_of_nothing(rabbitmq_broker).receive(1, within=5)
    assert publisher.publish(messages(5), queue=spec.name).ok == 5
    consumer.give_back(taken[3:], requeue=True)
    assert consumer.receive(7, within=20)
    assert admin.waiting(spec.name) == 0
    for client in (publisher, consumer):
        client.close()
    admin.delete(spec)
    admin.close()


def consumer_of_nothing(address: str) -> Consumer:
    with_queue = RabbitAdmin(how(address))
    with_queue.declare(QueueSpec("qa-nothing"))
    with_queue.close()
    return Consumer(how(address), History("t"), "qa-nothing", positions=Positions(),
                    name="n", prefetch=1)  # fmt: skip


def test_a_refusal_while_publishing_is_no_verdict(rabbitmq_broker: str) -> None:
    owner = RabbitAdmin(how(rabbitmq_broker))
    owner.declare(QueueSpec("qa-refused"))
    publisher = Publisher(how(rabbitmq_broker, "undefault:pw"), History("t"), name="p")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        publisher.publish(messages(3), queue="qa-refused")
    trouble = explained(caught.value)
    assert isinstance(trouble, Trouble) and "to write on amq.default" in trouble.remedy
    publisher.close()
    owner.delete(QueueSpec("qa-refused"))
    owner.close()


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
    assert re.search(says, str(explained(error)))
