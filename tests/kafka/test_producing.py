from types import SimpleNamespace

import pytest
from kafka import errors

from stackproof.history import History, preview
from stackproof.services.kafka.client import producing
from stackproof.services.kafka.client.messages import Message, identity
from stackproof.services.kafka.client.transactions import transform
from stackproof.services.sending import Sent


class FakeProducer:
    """Answers each send at once, as the message's value says."""

    def __init__(self, **_):
        self.offset = -1

    def send(self, topic, value, **_):
        answer = ANSWERS[value]
        if isinstance(answer, tuple):
            raise answer[0]
        return FakeFuture(answer)

    def flush(self, timeout):
        pass

    def close(self, timeout):
        pass


class FakeFuture:
    def __init__(self, answer):
        self.answer = answer

    def add_callback(self, function, *arguments):
        if self.answer == "ok":
            function(*arguments, SimpleNamespace(partition=2, offset=7))

    def add_errback(self, function):
        if isinstance(self.answer, Exception):
            function(self.answer)


ANSWERS = {
    b"ok": "ok",
    b"silent": "silent",
    b"large": errors.MessageSizeTooLargeError("10"),
    b"late": errors.KafkaTimeoutError("gone"),
    b"cut": errors.KafkaConnectionError("lost"),
    b"at once": (errors.MessageSizeTooLargeError("client"),),
}


@pytest.fixture
def publish(monkeypatch):
    monkeypatch.setattr(producing, "KafkaProducer", FakeProducer)
    history = History("t")
    publisher = producing.Publisher({}, history, name="p")

    def work(*values):
        sent = publisher.publish("t", [Message(v, v) for v in values], within=0.05)
        return sent, history.snapshot().sends

    return work


@pytest.mark.parametrize(
    ("value", "status", "counts"),
    [
        (b"ok", 0, (1, 0, 0)),
        (b"large", 1, (0, 1, 0)),
        (b"at once", 1, (0, 1, 0)),
        (b"late", 2, (0, 0, 1)),
        (b"cut", 2, (0, 0, 1)),
        (b"silent", 2, (0, 0, 1)),
    ],
)
def test_each_outcome_is_what_is_certainly_known(publish, value, status, counts):
    sent, sends = publish(value)
    assert (sent.ok, sent.failed, sent.unknown) == counts
    assert sends.status.tolist() == [status]


def test_acknowledgements_carry_their_position(publish):
    _, sends = publish(b"ok")
    assert (sends.partition[0], sends.offset[0]) == (2, 7)


def test_the_summary_names_the_errors(publish):
    sent, _ = publish(b"ok", b"large", b"large", b"silent")
    assert "1 acknowledged, 2 failed, 1 unknown" in str(sent)
    assert "2 x MessageSizeTooLargeError" in str(sent)
    assert "no outcome within" in str(sent)


def test_identity_and_preview():
    assert identity(b"k", b"v") == "k"
    assert identity(None, b"v") != identity(None, b"w")
    assert identity(b"\xff", None) == "\\xff"
    assert preview(None) == "(null)"
    assert preview(b"x" * 300).endswith("(300 bytes)")


def test_a_producer_that_cannot_close_in_time_sends_nothing_more(monkeypatch):
    ended = []

    class Stuck(FakeProducer):
        _sender = SimpleNamespace(force_close=lambda: ended.append("sender"))

        def close(self, timeout):
            raise errors.KafkaTimeoutError("Timeout waiting for future")

    monkeypatch.setattr(producing, "KafkaProducer", Stuck)
    producing.Publisher({}, History("t"), name="p").close()
    assert ended == ["sender"]


def test_a_round_with_an_output_that_nobody_acknowledged_is_not_committed():
    records = [SimpleNamespace(key=b"a"), SimpleNamespace(key=b"b")]
    done = []
    producer = SimpleNamespace(
        name="tx",
        begin=lambda: done.append("begin"),
        publish=lambda *_, **__: Sent(ok=1, unknown=1),
        commit_progress=lambda _: done.append("progress"),
        commit=lambda: done.append("commit"),
    )
    consumer = SimpleNamespace(poll=lambda: records)
    with pytest.raises(TimeoutError, match="1 acknowledged, 0 failed, 1 unknown"):
        transform(consumer, producer, "t", lambda record: record, within=1)
    assert done == ["begin"]
