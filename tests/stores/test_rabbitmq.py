"""What the doctor and scenarios say of RabbitMQ brokers that are not ours."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pika
import pytest

from stackproof.commands.doctor import doctor
from stackproof.errors import Passing, Trouble, explained
from stackproof.history import History, Queue, check
from stackproof.polling import DeadlineExceeded, Died
from stackproof.services import service
from stackproof.services.base import Endpoint
from stackproof.services.external import connect
from stackproof.services.rabbitmq import RabbitMQFixture, client
from stackproof.services.rabbitmq.consuming import Consumer, Delivery
from stackproof.services.rabbitmq.known import arguments
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
        (pika.exceptions.ChannelClosedByBroker(406, "inequivalent arg 'x-expires' for queue 'q'"),
         "refuses what(.|\n)*whoever has made it before"),
        (pika.exceptions.ChannelClosedByBroker(405, "RESOURCE_LOCKED - q"), "refuses what"),
    ],
)  # fmt: skip
def test_what_a_clients_error_means(error: Exception, says: str) -> None:
    told = explained(error)
    assert re.search(says, str(told))
    assert isinstance(told, Passing) == ("is lost" in says)


def test_a_cancelled_consumer_waits_no_more(rabbitmq_broker: str) -> None:
    history, there = History("t"), broker(rabbitmq_broker)
    client.declare(there, "qa-deleted")
    consumer = Consumer(there, history, "qa-deleted", name="c", prefetch=10)
    client.delete(there, "qa-deleted")
    with pytest.raises(Died, match="the broker has cancelled c: its queue is gone"):
        consumer.receive(1, within=600)
    consumer.close()


def test_nothing_is_handed_out_before_a_consumer_opens(rabbitmq_broker: str) -> None:
    """What was published later and is more urgent may come later, if somebody consumed already."""
    history, there = History("t"), broker(rabbitmq_broker)
    client.declare(there, "qa-urgent", arguments={"max-priority": 2})
    publisher = Publisher(there, history, name="p")
    for number, priority in enumerate((1, 2)):
        message = Message(f"m{number}", b"x", priority=priority)
        publisher.publish([message], queue="qa-urgent")
    consumer = Consumer(there, history, "qa-urgent", name="c", prefetch=10)
    taken = consumer.receive(2, within=60)
    assert [one.ident for one in taken] == ["m1", "m0"]
    expected = Queue("q", "qa-urgent", ordered=True, priorities=("1", "2"))
    assert check(history, expected).ok
    backwards = check(history, Queue("q", "qa-urgent", priorities=("2", "1")))
    assert [one.name for one in backwards.violations] == ["out-of-priority"]
    for one in (publisher, consumer):
        one.close()
    client.delete(there, "qa-urgent")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"delivery-limt": "2"}, "did you mean 'delivery-limit'"),
        ({"message-ttl": "500 milliseconds"}, "no number: '500 milliseconds'(.|\n)*whole number"),
        ({"max-length": "-1"}, "no number"),
    ],
)
def test_arguments_that_mean_nothing_are_told(given: dict[str, str], says: str) -> None:
    with pytest.raises(Trouble, match=says) as caught:
        arguments(given)
    assert re.search(says, str(caught.value))


def test_arguments_of_a_queue() -> None:
    given = {"max-length": "10", "overflow": "reject-publish", "dead-letter-exchange": ""}
    assert arguments(given) == {**given, "max-length": 10}


DEATH = {"queue": "s-q", "reason": "rejected", "exchange": "", "routing-keys": ["s-q"], "count": 1}
FIRST = {"x-first-death-queue": "s-q", "x-first-death-reason": "rejected"}


@pytest.mark.parametrize(
    ("headers", "wrong"),
    [
        ({"x-death": [DEATH], **FIRST}, 0),
        ({"x-death": [DEATH]}, 0),
        ({}, 1),
        ({"x-death": [DEATH, DEATH]}, 1),
        ({"x-death": [{**DEATH, "count": 2}]}, 1),
        ({"x-death": [{**DEATH, "routing-keys": ["s-q", "s-r"]}]}, 1),
        ({"x-death": [DEATH], **FIRST, "x-first-death-reason": "expired"}, 1),
    ],
)
def test_a_dead_letters_trail_is_exact(headers: dict, wrong: int) -> None:
    rabbit = SimpleNamespace(_scenario=SimpleNamespace(own=lambda name: f"s-{name}"))
    trail = [
        {"queue": "q", "reason": "rejected", "exchange": "", "routing keys": "q", "count": "1"}
    ]
    told = RabbitMQFixture._untold(rabbit, [Delivery("m", b"", 1, False, headers)], trail)
    assert len(told) == wrong


@pytest.mark.parametrize(("left", "settled"), [(0, True), (3, False)])
def test_what_still_stands_in_a_queue_is_not_lost(left: int, settled: bool) -> None:
    told: list[Queue] = []
    session = SimpleNamespace(check_after=lambda error, expected: told.append(expected))
    rabbit = SimpleNamespace(ready={"orders": 0, "dead": left}.get, _scenario=session)
    expected = Queue("dead letters", "orders", dead_letters="dead")
    RabbitMQFixture._explain(rabbit, DeadlineExceeded("late", 0), expected, "orders", "dead")
    assert [one.settled for one in told] == [settled]
