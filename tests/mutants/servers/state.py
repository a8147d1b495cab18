"""What a faulty server remembers."""

from __future__ import annotations

import threading


class State:
    """What it remembers, of all its connections.

    Attributes:
        lock: for whoever changes something in it.
        old: answers of some time ago by what was asked: when, and what.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0
        self.old: dict[bytes, tuple[float, bytes]] = {}

    def every(self, number: int) -> bool:
        """True at each ``number``-th call."""
        with self.lock:
            self.count += 1
            return self.count % number == 0
