"""What happens in a worker while behave runs a scenario, told as it happens."""

from __future__ import annotations

import time
from typing import Any

from stackproof.session.workers import wire
from stackproof.session.workers.link import Link


class StepEvents:
    """A behave formatter that sends step events.

    Attributes:
        running: index of the step that has begun and not ended.
    """

    def __init__(self, link: Link):
        self._link = link
        self._index = 0
        self._starts: dict[int, float] = {}
        self.running: int | None = None

    def begin(self) -> None:
        """The next scenario begins."""
        self._index = 0
        self._starts = {}
        self.running = None

    def starts(self, count: int) -> list[float]:
        """When each step began; 0 for those that did not."""
        return [self._starts.get(index, 0.0) for index in range(count)]

    def match(self, match: Any) -> None:
        """Called by behave when a step begins."""
        self.running = self._index
        now = self._starts[self._index] = time.time()
        self._link.send(wire.StepStarts(self._index, now))

    def result(self, step: Any) -> None:
        """Called by behave when a step has ended."""
        status = step.status.name
        self.running = None
        self._link.send(wire.StepEnds(self._index, status, step.duration, step.error_message))
        self._index += 1

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_: None
