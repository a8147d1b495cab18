"""Work in a thread of its own, with an end and with its errors."""

from __future__ import annotations

import sys
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from stackproof.errors import PremiseNotMet, and_then
from stackproof.polling import DeadlineExceeded, Died, pause, poll

T = TypeVar("T")
#: Seconds for a task to end with its scenario.
_ENDS_WITHIN = 10.0


class Owner(Protocol):
    """Who has tasks, and an end: a scenario."""

    def add_cleanup(self, cleanup: Callable[[], None]) -> None:
        """Register what must be done at the end."""

    def scaled(self, seconds: float) -> float:
        """A time limit on this machine."""


class Endable(ABC):
    """A context manager that ends what it is."""

    @abstractmethod
    def end(self, *, within: float) -> None:
        """Come to an end in ``within`` seconds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.end(within=_ENDS_WITHIN)
        except Exception as late:
            if error is None:
                raise
            if late is not error:
                and_then(error, late)


class Task(Endable):
    """Work that goes on in the background; a context manager that ends it.

    Ended with its owner at the latest. An error that nobody was told until then is raised there.

    Args:
        work: gets this task, and returns when it is done or `stopping`.
        name: what it is, for people, e.g. "traffic".
        owner: the scenario; None: whoever makes it ends it.
    """

    def __init__(self, work: Callable[[Task], object], *, name: str, owner: Owner | None = None):
        self.name = name
        self._work = work
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._told = False
        if owner is not None:
            within = owner.scaled(_ENDS_WITHIN)
            owner.add_cleanup(lambda: self._end_with_owner(within))
        # A daemon: a worker that ends must not wait for it.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work(self)
        except BaseException as error:  # raised where the task is awaited or ended
            self._error = error

    # -- for the work ----------------------------------------------------------
    @property
    def stopping(self) -> bool:
        """Whether the work is to come to its end."""
        return self._stop.is_set()

    def pause(self, seconds: float) -> bool:
        """Let ``seconds`` pass; False: the work is to come to its end."""
        return pause(seconds, unless=self._stop)

    # -- for others ------------------------------------------------------------
    @property
    def running(self) -> bool:
        """Whether the work is under way."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Ask it to come to its end; `end` waits for that."""
        self._stop.set()

    def death(self) -> str | None:
        """None while the work is under way, else how it ended."""
        if self.running:
            return None
        return f"{self.name} has ended" + (f": {self._error!r}" if self._error else "")

    def check(self) -> None:
        """Raise what has ended it, if an error has.

        Raises:
            BaseException: that error.
        """
        if not self.running and self._error is not None:
            self._told = True
            raise self._error

    def await_(self, attempt: Callable[[], T], **how: Any) -> T:
        """Wait for what the work brings about; arguments as those of `poll`.

        Raises:
            BaseException: the error that has ended the work.
            Died: the work has ended without one, and it has not come about.
            DeadlineExceeded: it has not come about in time.
        """
        try:
            return poll(attempt, alive=self.death, **how)
        except Died:
            self.check()
            raise

    def wait(self, *, within: float) -> None:
        """Wait until the work is done.

        Args:
            within: seconds.

        Raises:
            BaseException: the error that has ended it.
            DeadlineExceeded: it is not done; tells where it stands.
        """
        self._thread.join(within)
        if self.running:
            place = self._place()
            raise DeadlineExceeded(
                f"waited {within:g} s for {self.name} to end\n  last seen: it is in {place}", place
            )
        self.check()

    def end(self, *, within: float) -> None:
        """Have the work come to its end, and wait for it; see `wait`."""
        self.stop()
        self.wait(within=within)

    def _end_with_owner(self, within: float) -> None:
        told = self._told
        try:
            self.end(within=within)
        except BaseException as error:
            if self.running:
                raise PremiseNotMet(
                    f"{self.name} goes on after the scenario",
                    str(error),
                    "see what it waits for; a slow machine is granted more by --time-factor",
                ) from error
            if not told:
                raise

    def _place(self) -> str:
        """Function and line in which the work is at present."""
        frame = sys._current_frames().get(self._thread.ident or 0)
        if frame is None:
            return "nothing: it has just ended"
        last = traceback.extract_stack(frame, limit=1)[-1]
        return f"{last.name} ({last.filename}:{last.lineno})"
