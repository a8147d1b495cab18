"""Messages that keep arriving: on for as long as they are needed, and not without bounds."""

from __future__ import annotations

import threading

import pytest

from stackproof.errors import PremiseNotMet
from stackproof.polling import poll
from stackproof.services.kafka.client.messages import Message
from stackproof.systems.background import Background


class Arriving:
    """A background that publishes to a list; ``out`` of it have come out."""

    def __init__(self, at_least: int = 0, ahead: int = 300, instantly: bool = False) -> None:
        self.arrived: list[Message] = []
        self.out = 0
        self.instantly = instantly
        self.broken: Exception | None = None
        self.background = Background(
            lambda count: [Message(b"key", b"value")] * count,
            self._publish,
            out=lambda: len(self.arrived) if self.instantly else self.out,
            at_least=at_least,
            ahead=ahead,
        )

    def _publish(self, messages: list[Message]) -> None:
        if self.broken:
            raise self.broken
        self.arrived += messages

    def wait(self, count: int) -> None:
        poll(lambda: len(self.arrived) >= count, within=10, awaiting=f"{count} messages")


def test_however_fast_the_system_is_something_is_left() -> None:
    arriving = Arriving(instantly=True)
    arriving.wait(20_000)
    before = len(arriving.arrived)
    arriving.background.go_on(within=10)
    assert len(arriving.arrived) > before
    arriving.background.finish(within=10)


def test_a_slow_system_is_not_flooded() -> None:
    arriving = Arriving(ahead=300)
    arriving.wait(300)
    arriving.background.go_on(within=10)
    assert len(arriving.arrived) == 400
    arriving.out = 200
    arriving.wait(500)
    arriving.background.finish(within=10)
    assert len(arriving.arrived) == 600, "the last portion comes after whatever has happened"


def test_it_is_known_whether_more_is_about_to_come() -> None:
    """A thread that gets no turn for seconds: what is there is not yet the whole input."""
    published, go = threading.Event(), threading.Event()

    def publish(messages: list[Message]) -> None:
        published.set()
        go.wait(10)

    background = Background(
        lambda count: [Message(b"key", b"value")] * count, publish,
        out=lambda: 0, at_least=0, ahead=100,
    )  # fmt: skip
    assert published.wait(10) and background.goes_on()
    go.set()
    poll(lambda: not background.goes_on(), within=10, awaiting="a portion to be published")
    assert background.published == 100, "the system is far enough behind"
    background.finish(within=10)
    assert not background.goes_on()


def test_at_least_so_many_arrive() -> None:
    arriving = Arriving(at_least=2000, ahead=1)
    arriving.background.finish(within=10)
    assert len(arriving.arrived) >= 2000


def test_what_keeps_messages_from_arriving_is_told() -> None:
    arriving = Arriving()
    arriving.wait(300)
    arriving.broken = PremiseNotMet("not everything was acknowledged")
    with pytest.raises(PremiseNotMet, match="not everything was acknowledged"):
        arriving.background.go_on(within=10)
    with pytest.raises(PremiseNotMet, match="not everything was acknowledged"):
        arriving.background.finish(within=10)


def test_publishing_has_a_deadline() -> None:
    released = threading.Event()

    def publish(messages: list[Message]) -> None:
        released.wait(10)

    background = Background(
        lambda n: [Message(b"", b"")] * n, publish, out=int, at_least=0, ahead=1
    )
    with pytest.raises(PremiseNotMet, match=r"did not end within 0\.2 s"):
        background.finish(within=0.2)
    released.set()
