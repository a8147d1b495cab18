"""Where events arrive: a stream of Redis, a queue of RabbitMQ."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from stackproof.polling import poll
from stackproof.services.base import Endpoint
from stackproof.services.rabbitmq import RabbitMQFixture
from stackproof.services.redis import RedisFixture
from stackproof.session.scenario import ScenarioSession
from stackproof.systems.sinks.events import document, parsed

_STREAM, _GROUP, _MEMBER = "events", "readers", "reader"
_QUEUE, _EXCHANGE, _DEAD = "events", "events.exchange", "events.dead"
_KEY = "events.all"
_AT_ONCE, _HELD_MS = 1000, 600_000


@dataclass(frozen=True)
class Arrived:
    """A message as it is where it has arrived.

    Attributes:
        found: what it holds, for `Reading`.
        traits: what else is to be told of it.
    """

    found: Any
    traits: Mapping[str, Any]


class End(Protocol):
    """Reads what has arrived, each message once."""

    #: What it is called, for people.
    noun: str

    @property
    def endpoint(self) -> Endpoint:
        """Where its server is."""

    def fields(self) -> Mapping[str, str]:
        """Values for a sink's ``{}`` fields: where it is to bring events."""

    def prepare(self, fields: frozenset[str]) -> None:
        """Make what a sink does not make by itself, which uses these fields."""

    def come(self) -> Sequence[Arrived]:
        """What has come since the last look."""


class RedisStream:
    """A stream; it is read by the consumer group that the sink makes, if it does.

    Args:
        session: the scenario.
    """

    noun = "stream"

    def __init__(self, session: ScenarioSession):
        self._fixture = session.use(RedisFixture)
        self.key = self._fixture.own(_STREAM)
        self._grouped = False
        self._last = "-"

    @property
    def endpoint(self) -> Endpoint:
        """Where its server is."""
        return self._fixture.endpoint

    def fields(self) -> Mapping[str, str]:
        """Its key, and a group's name."""
        return {"stream": self.key, "consumer_group": _GROUP}

    def prepare(self, fields: frozenset[str]) -> None:
        """Nothing: adding an entry makes the stream."""
        self._grouped = "consumer_group" in fields

    def come(self) -> Sequence[Arrived]:
        """Entries that the group has not been handed yet; without one, those after the last."""
        found = self._from_group() if self._grouped else self._after_last()
        return [Arrived(document({_text(n): _text(v) for n, v in fields.items()}), {})
                for _, fields in found]  # fmt: skip

    def _after_last(self) -> Sequence[Any]:
        found = self._fixture.client.xrange(self.key, min=self._last)
        if found:
            self._last = f"({found[-1][0].decode()}"
        return found

    def _from_group(self) -> Sequence[Any]:
        client = self._fixture.client
        if not self.groups():
            return ()  # the sink has not made it yet
        told = client.xreadgroup(_GROUP, _MEMBER, {self.key: ">"}, count=_AT_ONCE)
        entries = told[0][1] if told else ()
        if entries:
            client.xack(self.key, _GROUP, *(ident for ident, _ in entries))
        return entries

    def groups(self) -> Sequence[str]:
        """The consumer groups of the stream."""
        if not self._fixture.client.exists(self.key):
            return ()
        return [_text(group["name"]) for group in self._fixture.client.xinfo_groups(self.key)]

    # -- speed ---------------------------------------------------------------------
    def hold(self) -> None:
        """Have the server answer no writes for a while; nobody else may use it."""
        self._fixture.client.delete(self.key)
        self._fixture.client.client_pause(_HELD_MS, all=False)

    def let_go(self, count: int, within: float) -> float:
        """Have it answer again, and wait for so many entries; seconds from the first to the last.

        Raises:
            DeadlineExceeded: they do not come.
        """
        client = self._fixture.client
        client.client_unpause()
        poll(lambda: client.xlen(self.key), until=lambda length: length >= count, within=within,
             awaiting=f"{count} entries", describe=str)  # fmt: skip
        (first, _), (last, _) = (
            client.xrange(self.key, count=1)[0],
            client.xrevrange(self.key, count=1)[0],
        )
        return (_milliseconds(last) - _milliseconds(first)) / 1000

    def round_trip(self, times: int) -> float:
        """The median time of a command that does nothing, in seconds."""
        took = []
        for _ in range(times):
            began = time.perf_counter()
            self._fixture.client.ping()
            took.append(time.perf_counter() - began)
        return statistics.median(took)


def _milliseconds(ident: bytes) -> int:
    return int(ident.partition(b"-")[0])


class RabbitQueue:
    """A queue behind an exchange, bound by one routing key, and one for its dead letters.

    The sink may make the queue itself: where its options have the field ``{queue}``.

    Args:
        session: the scenario.
    """

    noun = "queue"

    def __init__(self, session: ScenarioSession):
        self._fixture = session.use(RabbitMQFixture)
        self._session = session
        self.queue, self.exchange = session.own(_QUEUE), session.own(_EXCHANGE)
        self._key = _KEY
        self.dead, self.dead_exchange = session.own(_DEAD), session.own(f"{_DEAD}.exchange")

    @property
    def endpoint(self) -> Endpoint:
        """Where its server is."""
        return self._fixture.endpoint

    def fields(self) -> Mapping[str, str]:
        """Exchange, routing key and queue, and where the queue's dead letters go."""
        return {
            "exchange": self.exchange, "exchange_type": "topic", "routing_key": _KEY,
            "queue": self.queue, "dead_letter_exchange": self.dead_exchange,
        }  # fmt: skip

    def prepare(self, fields: frozenset[str]) -> None:
        """Exchanges, and the queues that the sink does not make."""
        from stackproof.services.rabbitmq.client import channel

        self._session.add_cleanup(self._remove)
        with channel(self.endpoint) as opened:
            opened.exchange_declare(self.exchange, "topic", durable=True)
            opened.exchange_declare(self.dead_exchange, "fanout", durable=True)
            opened.queue_declare(self.dead, durable=True)
            opened.queue_bind(self.dead, self.dead_exchange)
            if "queue" not in fields:
                opened.queue_declare(
                    self.queue, durable=True,
                    arguments={"x-dead-letter-exchange": self.dead_exchange},
                )  # fmt: skip
        if "routing_key" not in fields:
            self._key = "#"
        if "queue" not in fields:
            self.bind()

    def bind(self) -> None:
        """Have the queue take what is published by the routing key."""
        from stackproof.services.rabbitmq.client import channel

        with channel(self.endpoint) as opened:
            opened.queue_bind(self.queue, self.exchange, self._key)

    def unbind(self) -> None:
        """Have no queue take it."""
        from stackproof.services.rabbitmq.client import channel

        with channel(self.endpoint) as opened:
            opened.queue_unbind(self.queue, self.exchange, self._key)

    def _remove(self) -> None:
        from stackproof.services.rabbitmq.client import channel

        with channel(self.endpoint) as opened:
            for queue in (self.queue, self.dead):
                opened.queue_delete(queue)
            for exchange in (self.exchange, self.dead_exchange):
                opened.exchange_delete(exchange)

    def come(self) -> Sequence[Arrived]:
        """Messages that nobody has been handed; each is acknowledged."""
        return self._take(self.queue, "basic_ack")

    def reject(self) -> Sequence[Arrived]:
        """The same; each is rejected."""
        return self._take(self.queue, "basic_reject", requeue=False)

    def dead_letters(self) -> Sequence[Arrived]:
        """Those that were dead-lettered."""
        return self._take(self.dead, "basic_ack")

    def _take(self, queue: str, answer: str, **how: Any) -> Sequence[Arrived]:
        from pika.exceptions import ChannelClosedByBroker

        from stackproof.services.rabbitmq.client import channel

        found: list[Arrived] = []
        with suppress(ChannelClosedByBroker), channel(self.endpoint) as opened:
            while True:
                told, properties, body = opened.basic_get(queue)
                if told is None:
                    break
                getattr(opened, answer)(told.delivery_tag, **how)
                traits = {
                    "persistent": properties.delivery_mode == 2,
                    "deaths": [
                        one["reason"] for one in (properties.headers or {}).get("x-death", ())
                    ],
                }
                found.append(Arrived(parsed(_text(body)), traits))
        return found


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


ENDS: Mapping[str, type[RedisStream] | type[RabbitQueue]] = {
    "redis": RedisStream, "rabbitmq": RabbitQueue,
}  # fmt: skip
