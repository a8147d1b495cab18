"""Showing that something goes on: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class Progress:
    """Lines of progress; on a terminal a spinner besides while something long runs."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._terminal = stream.isatty()
        self._lock = threading.Lock()
        self._status: Any = None

    def say(self, text: str) -> None:
        """Print one line; safe from any thread."""
        # A console that is closed must not end the run.
        with self._lock, suppress(OSError, ValueError):
            if self._status is not None:
                self._status.console.print(text, highlight=False, markup=False)
            else:
                print(text, file=self._stream, flush=True)

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Show ``what`` while it runs, and its duration when it is done."""
        began = time.monotonic()
        if self._terminal:
            from rich.console import Console

            console = Console(file=self._stream)
            with console.status(what) as status:
                self._status = status
                try:
                    yield
                finally:
                    self._status = None
        else:
            yield
        self.say(f"{what}: done in {time.monotonic() - began:.1f} s")
