"""A scenario's subscribers of channels: what each is handed, how soon, and one that stalls."""

from __future__ import annotations

import fnmatch
import time
from dataclasses import dataclass, field
from typing import Any

from redis import exceptions

from stackproof.errors import PremiseNotMet, step_missing
from stackproof.history import Queue
from stackproof.polling import DeadlineExceeded, poll
from stackproof.services.fixture import Scenario
from stackproof.services.redis.fixture import RedisFixture
from stackproof.workloads import Latencies, Task

_WITHIN = 10.0
#: Seconds in which a subscriber looks whether it is to end.
_TURN = 0.1
#: Published at most to have a stalled subscriber disconnected.
_MOST_MEGABYTES = 64


@dataclass
class _Subscriber:
    """Who has subscribed to what matches a pattern; its messages are a queue of its own."""

    name: str
    pattern: str
    pubsub: Any
    wanted: int = 0
    received: list[bytes] = field(default_factory=list)

    @property
    def space(self) -> str:
        return f"messages for {self.name}"


class Channels:
    """Subscribers, each with a connection of its own, and a publisher."""

    def __init__(self, scenario: Scenario):
        self._scenario = scenario
        self._client = scenario.use(RedisFixture).client
        self._subscribers: dict[str, _Subscriber] = {}
        self._published: dict[bytes, float] = {}
        self._latencies = Latencies()

    def subscribe(
        self, name: str, channel: str, *, pattern: bool = False, reads: bool = True
    ) -> None:
        """Subscribe to a channel, or to all that match; returns when the server has confirmed it.

        Args:
            name: the subscriber's.
            channel: as the scenario's text calls it, or a pattern with ``*`` and ``?``.
            pattern: which of both.
            reads: else it stalls.
        """
        pubsub = self._client.pubsub()
        self._scenario.add_cleanup(pubsub.close)
        own = self._scenario.own("") + channel
        (pubsub.psubscribe if pattern else pubsub.subscribe)(own)
        confirmed = pubsub.get_message(timeout=self._scenario.scaled(_WITHIN))
        if not confirmed or not confirmed["type"].endswith("subscribe"):
            raise PremiseNotMet(f"the subscription of {name} was not confirmed: {confirmed}")
        one = self._subscribers[name] = _Subscriber(name, own, pubsub)
        if reads:
            Task(lambda task: self._read(task, one), name=name, owner=self._scenario)

    def _read(self, task: Task, one: _Subscriber) -> None:
        history = self._scenario.history
        while not task.stopping:
            message = one.pubsub.get_message(ignore_subscribe_messages=True, timeout=_TURN)
            if message is None:
                continue
            body = message["data"]
            self._latencies.record(time.perf_counter() - self._published.get(body, 0.0))
            for action in ("take", "acknowledge"):
                with history.doing(action, client=one.name, space=one.space, key=_ident(body)) as a:
                    a.value = body
            one.received.append(body)

    def publish(self, channel: str, count: int, *, size: int = 20) -> int:
        """Publish so many messages to a channel; how many subscribers the last one reached."""
        own, reached = self._scenario.own("") + channel, 0
        for _ in range(count):
            body = b"%0*d" % (size, len(self._published) + 1)
            to = [s for s in self._subscribers.values() if fnmatch.fnmatchcase(own, s.pattern)]
            puts = [
                self._scenario.history.invoke(
                    "put", client="publisher", space=one.space, key=_ident(body), value=body
                )
                for one in to
            ]
            self._published[body] = time.perf_counter()
            reached = int(self._client.publish(own, body))
            for one, put in zip(to, puts, strict=True):
                one.wanted += 1
                self._scenario.history.answered(put, "ok")
        return reached

    def publish_until_disconnected(self, channel: str, kilobytes: int) -> None:
        """Publish large messages until a subscriber of the channel is disconnected.

        Raises:
            AssertionError: none is.
        """
        before = after = self.publish(channel, 1)
        left = _MOST_MEGABYTES * 1000 // kilobytes
        while after == before:
            if not left:
                raise AssertionError(f"after {_MOST_MEGABYTES} MB all subscribers are there")
            after, left = self.publish(channel, 1, size=kilobytes * 1000), left - 1

    def _one(self, name: str) -> _Subscriber:
        """A subscriber; `PremiseNotMet`: there is none of that name."""
        if name not in self._subscribers:
            subscribes = f'"{name}" subscribes to the channel "orders"'
            raise step_missing(f"the subscriber {name}", subscribes)
        return self._subscribers[name]

    def is_told(self, name: str, within: float) -> bool:
        """Whether a subscriber that has stalled finds its connection closed when it reads again.

        Raises:
            PremiseNotMet: there is no such subscriber.
            DeadlineExceeded: it does not find out.
        """
        one = self._one(name)

        def closed() -> bool:
            try:
                one.pubsub.get_message(timeout=_TURN)
            except exceptions.ConnectionError:
                return True
            return False

        return poll(closed, within=within, longest_pause=0.01,  # what waits for it is read first
                    awaiting=f"{name} to find its connection closed")  # fmt: skip

    def received(self, name: str, within: float) -> Queue:
        """Wait until a subscriber has all that was published to it; what is expected of it.

        Raises:
            PremiseNotMet: there is no such subscriber.
        """
        one = self._one(name)
        expected = Queue(f"messages for {name}", one.space, ordered=True)
        try:
            poll(lambda: len(one.received), until=lambda n: n >= one.wanted, within=within,
                 awaiting=f"{name} to receive {one.wanted} messages")  # fmt: skip
        except DeadlineExceeded as late:
            self._scenario.check_after(late, expected)
        return expected

    def measure(self, channel: str, count: int) -> dict[str, Latencies]:
        """Publish one message after the other; how long until each is received."""
        self._latencies = Latencies()
        for _ in range(count):
            self.publish(channel, 1)
            poll(lambda: all(s.wanted == len(s.received) for s in self._subscribers.values()),
                 within=self._scenario.scaled(_WITHIN), awaiting="a message to be received",
                 first_pause=0.001)  # fmt: skip
        return {"delivery": self._latencies}


def _ident(body: bytes) -> str:
    return body.decode().lstrip("0")
