"""Publishing while other things happen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from stackproof.clients.kafka.messages import Message
from stackproof.polling import poll

_PORTION = 100


class Background:
    """Publishes messages in portions from a thread of its own.

    Args:
        messages: what to publish, in this order.
        publish: publishes one portion; raises when it fails.
    """

    def __init__(self, messages: Sequence[Message], publish: Callable[[list[Message]], None]):
        self.left = len(messages)
        self._messages = messages
        self._publish = publish
        self._error: BaseException | None = None
        # A daemon: a worker that ends must not wait for it.
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for begin in range(0, len(self._messages), _PORTION):
                portion = list(self._messages[begin : begin + _PORTION])
                self._publish(portion)
                self.left -= len(portion)
        except BaseException as error:
            self._error = error

    def finish(self, *, within: float) -> None:
        """Wait until all is published.

        Raises:
            DeadlineExceeded: it was not in time.
            AssertionError: something was not acknowledged.
        """
        poll(
            lambda: self._thread.is_alive(),
            until=lambda alive: not alive,
            within=within,
            awaiting="all messages to be published",
            describe=lambda _: f"{self.left} left",
        )
        if self._error is not None:
            raise self._error
