"""The one place that waits.

Everything that needs time to become true is polled here, with a deadline, a
report of what was last seen, and an early end when the thing waited for has
died. No other module sleeps (`make lint` checks it).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")
#: Seconds without progress after which what lives and has work left is called stalled.
STALLED_AFTER = 10.0
#: Seconds over which a rate is measured.
_RATE_OVER = 5.0


class DeadlineExceeded(AssertionError):  # noqa: N818 -- read as a sentence
    """The awaited condition did not come true in time.

    An assertion error, because the time bound is part of what a scenario asserts.

    Attributes:
        seen: what the last attempt returned, or the exception it raised.
    """

    def __init__(self, message: str, seen: object):
        super().__init__(message)
        self.seen = seen


class Late(DeadlineExceeded):
    """The time is over; what was awaited is alive and still getting on, or may be."""


class Stalled(DeadlineExceeded):
    """The time is over; what was awaited is alive, has work left, and gets on no more."""


class Died(AssertionError):  # noqa: N818 -- read as a sentence
    """What was waited for cannot come any more: its process has ended."""


def poll(
    attempt: Callable[[], T],
    *,
    within: float,
    until: Callable[[T], bool] = bool,
    awaiting: str,
    describe: Callable[[T], str] = repr,
    alive: Callable[[], str | None] | None = None,
    retry_on: tuple[type[BaseException], ...] = (),
    first_pause: float = 0.005,
    longest_pause: float = 0.25,
    backoff: float = 1.6,
) -> T:
    """Repeat ``attempt`` until its result satisfies ``until``.

    Pauses grow exponentially from ``first_pause`` to ``longest_pause`` (seconds). The
    last attempt is made at the deadline itself, so a result that arrives at the last
    moment counts.

    Args:
        attempt: called at least once; its result is judged by ``until``.
        within: deadline in seconds from now.
        until: whether the result is the awaited one.
        awaiting: completes the sentence "waited for ..."; appears in the error.
        describe: renders the last result for the error.
        alive: returns None while the awaited thing lives, else how it died.
        retry_on: exceptions of ``attempt`` that mean "not yet".

    Returns:
        The first result that satisfies ``until``.

    Raises:
        Died: ``alive`` reported a death and one more attempt did not succeed.
        DeadlineExceeded: the time is over; tells what was last seen.
    """
    started = time.monotonic()
    deadline = started + within
    pause = min(first_pause, longest_pause)
    attempts = 0
    while True:
        # Asked before the attempt: what a process did before it died still counts.
        death = alive() if alive else None
        over = time.monotonic() >= deadline
        attempts += 1
        seen: object
        try:
            result = attempt()
        except retry_on as error:
            seen = error
            shown = f"{type(error).__name__}: {error}"
        else:
            if until(result):
                return result
            seen = result
            shown = describe(result)
        if death is not None:
            raise Died(f"{death}\n  waited for {awaiting}; last seen: {shown}")
        if over:
            raise DeadlineExceeded(
                f"waited {within:g} s for {awaiting}\n"
                f"  last seen: {shown} (after {attempts} attempt{'s' if attempts > 1 else ''})",
                seen,
            )
        time.sleep(max(0.0, min(pause, deadline - time.monotonic())))
        pause = min(pause * backoff, longest_pause)


def watch_life(there: Callable[[], bool], lives: float, *, late: float, pace: float = 0.02) -> None:
    """Look until something is gone, or has been there for too long: a second more than it may.

    It judges nothing: whoever looks records what was seen.

    Args:
        there: whether it is there now.
        lives: seconds that it may live.
        late: seconds by which it may be late.
        pace: seconds between two looks.
    """
    with suppress(DeadlineExceeded):
        poll(lambda: not there(), within=lives + late + 1, awaiting="its end",
             first_pause=pace, longest_pause=pace)  # fmt: skip


class Progress:
    """How work gets on: what is left of it, since when it does not get less, and how fast it does.

    Args:
        stalled_after: seconds without progress after which what lives counts as stalled.
    """

    def __init__(self, stalled_after: float):
        self._stalled_after = stalled_after
        self._began = self._changed = time.monotonic()
        self._notes: deque[tuple[float, int]] = deque()

    def note(self, left: int) -> int:
        """Take down how much is left now; the same."""
        now = time.monotonic()
        if not self._notes or left < self._notes[-1][1]:
            self._changed = now if self._notes else self._began
            self._notes.append((now, left))
        # The last one before the span stays: the rate is measured from it.
        while len(self._notes) > 2 and self._notes[1][0] < now - _RATE_OVER:
            self._notes.popleft()
        return left

    @property
    def idle(self) -> float:
        """Seconds since it last got less, or since the beginning."""
        return time.monotonic() - self._changed

    @property
    def rate(self) -> float:
        """How much was done a second, lately."""
        if len(self._notes) < 2:
            return 0.0
        (since, before), now = self._notes[0], time.monotonic()
        return (before - self._notes[-1][1]) / max(now - since, 1e-3)

    def missed(self, what: str, within: float) -> Late | Stalled:
        """The error of a limit that came first: late, or stalled.

        Args:
            what: how far it has got, for people.
            within: the limit in seconds, as it was waited for.
        """
        took, left = time.monotonic() - self._began, self._notes[-1][1] if self._notes else 0
        if self.idle >= min(self._stalled_after, within):
            return Stalled(
                f"stalled: {what} after {within:g} s, nothing more for the last {self.idle:.0f} s; "
                "it lives and has work left",
                left,
            )
        speed = f", {self.rate:.1f} a second" if self.rate else ""
        end = f": all after {took + left / self.rate:.0f} s" if self.rate and left > 0 else ""
        return Late(f"late: {what} after {within:g} s, still getting on{speed}{end}", left)


def work_off(
    left: Callable[[], int],
    *,
    within: float,
    awaiting: str,
    describe: Callable[[int], str] = repr,
    alive: Callable[[], str | None] | None = None,
    stalled_after: float = STALLED_AFTER,
) -> None:
    """Wait until nothing is left; arguments as those of `poll`.

    Raises:
        Late: the time is over, and it was getting less.
        Stalled: the time is over, and it got less no more.
        Died: see `poll`.
    """
    progress = Progress(stalled_after)
    try:
        poll(
            lambda: progress.note(left()),
            until=lambda n: n <= 0,
            within=within,
            awaiting=awaiting,
            describe=describe,
            alive=alive,
        )
    except DeadlineExceeded as late:
        assert isinstance(late.seen, int)
        error = progress.missed(describe(late.seen), within)
        raise type(error)(f"{error}\n  waited for {awaiting}", late.seen) from None


def pause(seconds: float, *, unless: threading.Event | None = None) -> bool:
    """Let ``seconds`` pass where time itself is the subject, e.g. an observation window.

    Args:
        seconds: how long.
        unless: ends it at once.

    Returns:
        False: that came first.
    """
    if unless is not None:
        return not unless.wait(seconds)
    time.sleep(seconds)
    return True
