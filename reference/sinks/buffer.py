"""The events that a sink has taken and not delivered yet: so many at most, in order."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from reference.sinks.errors import BufferFullError, SinkStoppedError

Overflow = Literal["drop-oldest", "drop-newest", "block", "raise"]
OVERFLOWS: tuple[str, ...] = get_args(Overflow)


@dataclass(eq=False)
class Item:
    """An event, ready to be sent.

    Attributes:
        ident: of the event.
        content: what is sent.
        in_hand: the worker is sending it; it is not dropped then.
    """

    ident: str
    content: bytes | dict[str, str]
    in_hand: bool = False

    @property
    def size(self) -> int:
        """In bytes."""
        if isinstance(self.content, bytes):
            return len(self.content)
        return sum(len(name) + len(text.encode()) for name, text in self.content.items())


class Buffer:
    """Safe to use from several threads.

    Args:
        size: events.
        overflow: what becomes of an event that finds it full: it takes the place of the oldest one
            that is not being sent ("drop-oldest"), is dropped itself ("drop-newest"), waits
            ("block"), or is refused ("raise").

    Attributes:
        dropped: how many events were.

    Raises:
        ValueError: there is no such strategy, or no room.
    """

    def __init__(self, size: int, overflow: str):
        if overflow not in OVERFLOWS:
            raise ValueError(f"overflow is one of {', '.join(OVERFLOWS)}, not {overflow!r}")
        if size < 1:
            raise ValueError(f"a buffer has room for one event at least, not {size}")
        self.dropped = 0
        self._size, self._overflow = size, overflow
        self._items: deque[Item] = deque()
        self._open, self._over = True, False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Item) -> None:
        """Take an event; see ``overflow``.

        Raises:
            BufferFullError: it is full.
            SinkStoppedError: nothing is taken any more.
        """
        with self._changed:
            while self._open and len(self._items) >= self._size:
                if self._overflow == "raise":
                    raise BufferFullError(f"{self._size} events wait for their server already")
                if self._overflow == "block":
                    self._changed.wait()
                    continue
                self.dropped += 1
                oldest = next((one for one in self._items if not one.in_hand), None)
                if self._overflow == "drop-newest" or oldest is None:
                    return
                self._items.remove(oldest)
            if not self._open:
                raise SinkStoppedError("the sink was stopped")
            self._items.append(item)
            self._changed.notify_all()

    def take(self, count: int, within: float) -> Sequence[Item]:
        """The oldest events, which stay until they are `done`; waits so many seconds for one."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._over, within)
            found = [self._items[n] for n in range(min(count, len(self._items)))]
            for item in found:
                item.in_hand = True
            return found

    def done(self, count: int) -> None:
        """The oldest ones were delivered, so many of them."""
        with self._changed:
            for _ in range(count):
                self._items.popleft()
            self._changed.notify_all()

    def give_back(self, items: Sequence[Item]) -> None:
        """These were not delivered."""
        with self._changed:
            for item in items:
                item.in_hand = False

    def wait_empty(self, within: float) -> bool:
        """Wait until nothing is left; False: there still is something after so many seconds."""
        until = time.monotonic() + within
        with self._changed:
            while self._items:
                if not self._changed.wait(max(0.0, until - time.monotonic())):
                    return not self._items
        return True

    def close(self, *, over: bool = False) -> None:
        """Take nothing any more; whoever waits for room is told so.

        Args:
            over: nobody waits for events any more, either.
        """
        with self._changed:
            self._open, self._over = False, over
            self._changed.notify_all()
