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

    def put(self, action: Callable[[], None]) -> None:
        """Have ``action`` done in the inbox's thread."""
        self._actions.put(action)

    def get(self, within: float) -> Callable[[], None] | None:
        """The next action; None when none comes in time."""
        try:
            return self._actions.get(timeout=within)
        except queue.Empty:
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
