"""What all sinks have in common: a buffer, a worker, a circuit breaker."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pybreaker import CircuitBreaker, CircuitBreakerError

from reference.sinks.buffer import Buffer, Item
from reference.sinks.errors import NotDeliveredError, SinkStoppedError
from reference.sinks.event import Event

_LOG = logging.getLogger(__name__)
#: Seconds between two tries, and between two looks at an idle connection.
_PAUSE, _IDLE = 0.05, 1.0


class Sink(ABC):
    """Takes events without delay, and delivers them in order; safe to use from several threads.

    An event that was taken is delivered, however often its server fails, unless the buffer's
    strategy drops it, or the sink is stopped before.

    Args:
        buffer_size: events that are taken and not delivered yet; the strategy begins above that.
        overflow: of `Buffer`.
        batch_size: events that are sent at once.
        failures: in a row, after which the circuit opens: the server is left alone.
        reset_after: seconds after which one try is made on an open circuit; if it succeeds, the
            circuit closes.
        patience: seconds for an answer of the server.
        stop_within: seconds for which `stop` waits for what is not delivered yet.
        max_bytes: of an event as it is sent; a larger one is refused, for it would hold up all
            that come after it.
    """

    def __init__(
        self,
        *,
        buffer_size: int = 10_000,
        overflow: str = "block",
        batch_size: int = 100,
        failures: int = 3,
        reset_after: float = 5.0,
        patience: float = 5.0,
        stop_within: float = 10.0,
        max_bytes: int = 16 << 20,
    ):
        self._buffer_size, self._overflow = buffer_size, overflow
        self._buffer = Buffer(buffer_size, overflow)
        self._max_bytes = max_bytes
        self._batch_size, self._reset_after = batch_size, reset_after
        self._patience, self._stop_within = patience, stop_within
        self._breaker = CircuitBreaker(fail_max=failures, reset_timeout=reset_after)
        self._ending = threading.Event()
        self._worker: threading.Thread | None = None
        self._error: Exception | None = None
        self._ready = False  # it is connected, and what must be there is there
        if hasattr(os, "register_at_fork"):
            own = weakref.WeakMethod(self._begin_anew)
            os.register_at_fork(after_in_child=lambda: (found := own()) and found())

    # -- what a kind of sink says --------------------------------------------
    @abstractmethod
    def _item(self, event: Event) -> Item:
        """What is sent of an event."""

    @abstractmethod
    def _connect(self) -> None:
        """Connect, unless that has been done, and make what must be there."""

    @abstractmethod
    def _send(self, items: Sequence[Item]) -> Iterator[int]:
        """Deliver these in order; says again and again how many more are there for certain.

        Raises:
            Exception: the others are not, for certain.
        """

    @abstractmethod
    def _disconnect(self) -> None:
        """Leave the connection, whatever state it is in."""

    @abstractmethod
    def _forget(self) -> None:
        """Leave the connection to the process that has made it."""

    def _look(self) -> None:  # noqa: B027 -- most connections need none
        """Do what an idle connection needs."""

    # -- what callers use ------------------------------------------------------
    def start(self) -> None:
        """Begin to deliver. The server need not be there yet."""
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, name="sink", daemon=True)
            self._worker.start()

    def handle_event(self, event: Event | Mapping[str, Any]) -> None:
        """Take an event; the caller may change it afterwards.

        Raises:
            ValueError: it is none, or too large.
            BufferFullError: the buffer is full, and its strategy is "raise".
            SinkStoppedError: the sink was stopped.
        """
        item = self._item(Event.of(event))
        if (size := item.size) > self._max_bytes:
            raise ValueError(f"the event has {size} bytes, {self._max_bytes} are allowed")
        self._buffer.put(item)

    def flush(self, within: float | None = None) -> None:
        """Wait until all that was taken is delivered.

        Args:
            within: seconds; None: as `stop` waits.

        Raises:
            NotDeliveredError: it was not in that time.
        """
        if not self._buffer.wait_empty(self._stop_within if within is None else within):
            raise NotDeliveredError(
                f"{len(self._buffer)} events are not delivered; last error: {self._error or 'none'}"
            )

    def stop(self) -> None:
        """Take nothing any more, deliver what is there, and leave no thread and no connection.

        Raises:
            NotDeliveredError: something is not delivered, and lost.
        """
        self._buffer.close()
        try:
            if self._worker is not None:
                self.flush()
            elif len(self._buffer):
                raise SinkStoppedError(f"never started: {len(self._buffer)} events are lost")
        finally:
            self._ending.set()
            self._buffer.close(over=True)
            if self._worker is not None:
                self._worker.join(self._patience + self._stop_within)

    # -- the worker --------------------------------------------------------------
    def _begin_anew(self) -> None:
        """In a process that was forked: events and connection are its parent's, no thread lives."""
        running = self._worker is not None and not self._ending.is_set()
        self._buffer = Buffer(self._buffer_size, self._overflow)
        self._breaker = CircuitBreaker(
            fail_max=self._breaker.fail_max, reset_timeout=self._reset_after
        )
        self._ending, self._worker, self._ready = threading.Event(), None, False
        self._forget()
        if running:
            self.start()

    def _work(self) -> None:
        while not self._ending.is_set():
            items = self._buffer.take(self._batch_size, _IDLE if self._ready else 0)
            try:
                if items or not self._ready:
                    self._breaker.call(self._deliver, items)
                else:
                    self._look()
                continue
            except CircuitBreakerError:
                pass
            except Exception as error:  # whatever it is: the worker lives on
                _LOG.warning("not delivered: %r", error)
                self._leave()
            self._buffer.give_back(items)
            self._ending.wait(min(self._reset_after / 4, _PAUSE))
        self._leave()

    def _deliver(self, items: Sequence[Item]) -> None:
        try:
            self._connect()
            for delivered in self._send(items):
                self._buffer.done(delivered)
            self._ready = True
        except Exception as error:
            self._error = error
            self._leave()
            raise

    def _leave(self) -> None:
        self._ready = False
        self._disconnect()
