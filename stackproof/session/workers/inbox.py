"""What has happened, one thing after the other, whichever thread it happened in."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any


class Inbox:
    """A queue of actions for one thread."""

    def __init__(self) -> None:
        self._actions: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._filled = threading.Event()

    def put(self, action: Callable[[], None]) -> None:
        """Have ``action`` done in the inbox's thread."""
        self._actions.put(action)
        self._filled.set()

    def wait(self, within: float) -> None:
        """Wait until there is an action, at most ``within`` seconds.

        It takes none: an exception that a signal raises in here loses nothing.
        """
        self._filled.wait(within)

    def take(self) -> Callable[[], None] | None:
        """The next action; None when there is none."""
        try:
            return self._actions.get_nowait()
        except queue.Empty:
            self._filled.clear()
        if not self._actions.empty():  # one has come before the flag was taken down
            self._filled.set()
        return None

    def when_done(
        self, work: Callable[[], Any], then: Callable[[Any, Exception | None], None]
    ) -> threading.Thread:
        """Do ``work`` in a thread of its own; ``then`` hears its value or its error."""

        def run() -> None:
            value, problem = None, None
            try:
                value = work()
            except Exception as error:
                problem = error
            except BaseException as error:  # in a thread nobody else would hear of it
                problem = RuntimeError(f"{type(error).__name__}: {error}")
            self.put(lambda: then(value, problem))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread
