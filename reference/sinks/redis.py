"""A sink that appends events to a stream of Redis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from redis import Redis, RedisError, ResponseError
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry

from reference.sinks.buffer import Item
from reference.sinks.event import Event
from reference.sinks.sink import Sink
from reference.sinks.urls import refuse, split

_EXAMPLE = "redis://user:password@localhost:6379/0"
_AT_ONCE = 1000


class RedisSink(Sink):
    """Each event is an entry of two fields: its ID, and all of it as JSON.

    A batch is one transaction, so that all of it is there or nothing. When an answer is missing,
    the sink ends its old connection at the server and looks what has arrived, and so sends nothing
    twice. (A user who must not do so, CLIENT KILL, may see an event twice then.)

    Args:
        url: of the server; ``rediss`` is TLS.
        stream: its key.
        consumer_group: made at the beginning of the stream, unless there is one; "": none.
        max_length: entries that the stream keeps, the oldest go first; 0: all.
        ca_file: whom to trust where it is reached by TLS (PEM).
        more: of every `Sink`.

    Raises:
        InvalidURLError: the URL cannot be used.
    """

    def __init__(
        self,
        url: str,
        stream: str,
        consumer_group: str = "",
        max_length: int = 0,
        ca_file: str = "",
        **more: Any,
    ):
        super().__init__(**more)
        database = split(url, ("redis", "rediss"), _EXAMPLE).path.strip("/")
        if database and not database.isdecimal():
            raise refuse(f"its database is {database!r}, which is no number", _EXAMPLE)
        self._stream, self._group, self._max_length = stream, consumer_group, max_length
        self._make = partial(
            Redis.from_url,
            url,
            decode_responses=True,
            socket_timeout=self._patience,
            socket_connect_timeout=self._patience,
            retry=Retry(NoBackoff(), 0),  # the worker tries again, and looks before
            max_connections=1,
            **({"ssl_ca_certs": ca_file} if ca_file else {}),
        )
        self._forget()

    def _forget(self) -> None:
        self._redis: Redis = self._make()
        self._connection: tuple[str, int] | None = None
        self._connected, self._last = False, ""
        self._uncertain: Sequence[Item] = ()

    def _item(self, event: Event) -> Item:
        return Item(event.event_id, {"event_id": event.event_id, "event": event.as_json()})

    def _connect(self) -> None:
        if self._connected:
            return
        before, self._connection = self._connection, self._who()
        if self._uncertain and before and before[0] == self._connection[0]:
            # What it has sent last may still wait there, and must not come after the look.
            with suppress(NoPermissionError):
                self._redis.client_kill_filter(_id=before[1])
        if self._group:
            try:
                self._redis.xgroup_create(self._stream, self._group, id="0", mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):  # somebody else has made it
                    raise
        if not self._last:
            self._last = self._latest()
        self._connected = True

    def _who(self) -> tuple[str, int]:
        """This connection: a number, which counts within one life of the server."""
        try:
            run = str(self._redis.info("server")["run_id"])
        except NoPermissionError:
            run = ""
        return run, int(self._redis.client_id())

    def _latest(self) -> str:
        found = self._redis.xrevrange(self._stream, count=1)
        return str(found[0][0]) if found else "0-0"

    def _send(self, items: Sequence[Item]) -> Iterator[int]:
        if self._uncertain:
            gone = self._uncertain if self._arrived(self._uncertain[0]) else ()
            self._uncertain = ()
            there = sum(item in gone for item in items)
            yield there
            items = items[there:]
        if not items:
            return
        with self._redis.pipeline(transaction=len(items) > 1) as pipeline:
            for item in items:
                pipeline.xadd(
                    self._stream, item.content, maxlen=self._max_length or None, approximate=False
                )
            self._uncertain = items
            self._last = pipeline.execute()[-1]
        self._uncertain = ()
        yield len(items)

    def _arrived(self, event: Item) -> bool:
        """Whether this event is among what has come since the last one that is known to be."""
        since = self._last
        while found := self._redis.xrange(self._stream, min=f"({since}", count=_AT_ONCE):
            since = found[-1][0]
            if any(fields.get("event_id") == event.ident for _, fields in found):
                return True
        return False

    def _disconnect(self) -> None:
        self._connected = False
        with suppress(RedisError, OSError):
            self._redis.connection_pool.disconnect()
