"""What containers print, taken into files while they run."""

from __future__ import annotations

import threading
from pathlib import Path

from stackproof.stack.docker.engine import Engine

LOG_END_LINES = 25


class LogFollower:
    """Copies a container's output to a file, through all of its restarts.

    The engine stamps each line with its time; that tells, after a restart, what the file
    has already, and is not written.
    """

    def __init__(self, engine: Engine, container: str, file: Path):
        self._engine = engine
        self._container = container
        self._file = file
        self._last = ""
        self._thread: threading.Thread | None = None

    def follow(self) -> None:
        """Begin, or go on after a restart; ends by itself with the container."""
        self.join(within=10)
        self._thread = threading.Thread(
            target=self._copy, name=f"log of {self._file.stem}", daemon=True
        )
        self._thread.start()

    def join(self, *, within: float) -> None:
        """Wait until all of an ended container's output has arrived."""
        if self._thread is not None:
            self._thread.join(within)

    def _copy(self) -> None:
        import docker.errors
        import requests.exceptions

        seen = self._last
        client = self._engine.client()
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab", buffering=0) as output:
                for entry in client.api.logs(
                    self._container, stream=True, follow=True, timestamps=True, tail="all"
                ):
                    stamp, _, text = entry.partition(b" ")
                    self._last = stamp.decode(errors="replace")
                    if self._last > seen:
                        output.write(text)
        except (docker.errors.DockerException, requests.exceptions.RequestException, OSError):
            return  # removed meanwhile, or the engine has gone: `death` tells
        finally:
            client.close()
