"""Ctrl-C and SIGTERM: the first one ends the run in good order, later ones change nothing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from stackproof.errors import EXIT_INTERRUPTED, EXIT_TERMINATED


class Interrupted(BaseException):
    """The run was told to end.

    Attributes:
        how: who told it, in words.
        exit_code: what the process should end with.
    """

    def __init__(self, number: int):
        super().__init__(number)
        terminated = number == signal.SIGTERM
        self.how = "SIGTERM" if terminated else "Ctrl-C"
        self.exit_code = EXIT_TERMINATED if terminated else EXIT_INTERRUPTED


class Signals:
    """Knows the first SIGINT or SIGTERM and raises `Interrupted` for it, once, where allowed.

    Handlers rather than ``SIG_IGN``, because programs started meanwhile would inherit
    the latter.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._arrived: int | None = None
        self._heard = True
        self._over = False

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                # A shell's background jobs are started deaf to Ctrl-C; they stay so.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over = True
        for number, before in self._before.items():
            signal.signal(number, before)

    @contextmanager
    def heard(self) -> Iterator[None]:
        """What is inside may be interrupted, even if what is around it may not."""
        before, self._heard = self._heard, True
        try:
            self._raise_if_due()
            yield
        finally:
            self._heard = before

    @contextmanager
    def held(self) -> Iterator[None]:
        """What is inside is not torn apart: `Interrupted` is raised at its end."""
        before, self._heard = self._heard, False
        try:
            yield
        finally:
            self._heard = before
        self._raise_if_due()

    def ignore(self) -> None:
        """The run is over: whatever comes now comes too late."""
        self._over = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._arrived is None:
            self._arrived = number
        self._raise_if_due()

    def _raise_if_due(self) -> None:
        if self._arrived is not None and self._heard and not self._over:
            self._over = True
            raise Interrupted(self._arrived)
