"""What client libraries say while a scenario runs: shown only when it fails."""

from __future__ import annotations

import logging
from collections import deque

#: Loggers of the libraries by which the suite's own clients speak, and from when on they are
#: heard. Why a member of a group is handed nothing stands in the details alone.
LIBRARIES = {
    "kafka": logging.INFO,
    "kafka.coordinator": logging.DEBUG,
    "kafka.coordinator.consumer": logging.INFO,
    "pika": logging.INFO,
    "redis": logging.INFO,
}
_KEPT = 5000


class LibraryLog(logging.Handler):
    """Keeps the last lines of the client libraries, and keeps them to itself.

    They report every reconnection: in the worker's own log a fault scenario would drown in
    them, and without them nobody knows why a client did nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=_KEPT)
        self.setFormatter(
            logging.Formatter("%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s",
                              "%Y-%m-%dT%H:%M:%S")
        )  # fmt: skip
        for name, level in LIBRARIES.items():
            logger = logging.getLogger(name)
            logger.setLevel(level)
            logger.propagate = False
            logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self._lines.append(self.format(record))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- logging's name
        """A line that cannot be formatted is no matter of any scenario."""

    def begin(self) -> None:
        """A scenario begins: what was before is none of its."""
        self._lines.clear()

    def text(self) -> str:
        """The lines of this scenario, the last ones of very many."""
        return "\n".join(self._lines.copy())
