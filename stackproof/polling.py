"""The one place that waits.

Everything that needs time to become true is polled here, with a deadline, a
report of what was last seen, and an early end when the thing waited for has
died. No other module sleeps (`make lint` checks it).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


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


def pause(seconds: float) -> None:
    """Let ``seconds`` pass where time itself is the subject, e.g. an observation window."""
    time.sleep(seconds)
