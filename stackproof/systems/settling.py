"""Waiting for what comes out of a system: until it is there, or it is settled that it is not.

Nothing more can come when the system's group has committed its whole input and the output has
been read to its end, or when no instance lives any more. Only then is what is missing lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from stackproof.polling import DeadlineExceeded, Died, Late, Progress, Stalled, poll
from stackproof.texts import counted

_NO_PAUSE = 0.0  # reading waits by itself
#: Seconds in which nothing came out, besides that all is committed: outputs may be on their way.
QUIET = 2.0
_LOOKS_EVERY = 0.5
_UNKNOWN = """, nothing more for the last {idle:.0f} s
  what the system has committed is not known: it is attached and its group is not named,
  so nobody can tell what is lost from what is still to come"""


@dataclass(frozen=True)
class Awaited:
    """What a system is to bring out.

    Attributes:
        what: one of it, for people.
        wanted: how many.
        count: reads what has come, and tells how many there are.
        told: how far it has got with that many, for people.
        several: what more than one is called; empty: ``what`` with an s.
    """

    what: str
    wanted: int
    count: Callable[[], int]
    told: Callable[[int], str]
    several: str = ""

    def __str__(self) -> str:
        return counted(self.wanted, self.what, self.several)


@dataclass(frozen=True)
class Ended:
    """How waiting has ended.

    Attributes:
        count: how many had come.
        error: the missed limit, or the death; None: all came, or it is settled without one.
        settled: whether nothing more can come.
        why: what settles it, for people; empty where nothing is missing.
    """

    count: int
    error: DeadlineExceeded | Died | None = None
    settled: bool = True
    why: str = ""


@dataclass
class Waiting:
    """Waits for one system's outputs as long as any can come.

    Attributes:
        death: tells how an instance that should run has died; None: none has.
        extinct: whether no instance lives any more; never of an attached system.
        uncommitted: how much of the input its group has not committed; None: nobody knows.
        drain: reads the outputs up to their present end.
        stalled_after: seconds without progress after which it is stalled, not late.
        quiet: seconds without an output before what is committed counts as settled.
    """

    death: Callable[[], str | None]
    extinct: Callable[[], bool]
    uncommitted: Callable[[], int | None]
    drain: Callable[[], None]
    stalled_after: float
    quiet: float = QUIET

    def wait(self, awaited: Awaited, *, within: float) -> Ended:
        """Wait; ``within`` in seconds, as they are."""
        progress = Progress(self.stalled_after)
        looked = 0.0

        def attempt() -> int:
            count = awaited.count()
            progress.note(awaited.wanted - count)
            return count

        def over(count: int) -> bool:
            nonlocal looked
            if count >= awaited.wanted:
                return True
            now = time.monotonic()
            if progress.idle < self.quiet or now - looked < _LOOKS_EVERY:
                return False
            looked = now
            return self.uncommitted() == 0

        def go_on(seconds: float) -> int:
            return poll(
                attempt,
                until=over,
                within=seconds,
                awaiting=str(awaited),
                describe=awaited.told,
                alive=self.death,
                first_pause=_NO_PAUSE,
                longest_pause=_NO_PAUSE,
            )

        ends = time.monotonic() + within
        try:
            while True:
                count = go_on(max(0.0, ends - time.monotonic()))
                if count >= awaited.wanted:
                    return Ended(count)
                end = self._settled(attempt, "the group has committed its whole input")
                # What the drain has brought may have more published, which is to come out too.
                if end.count == count or end.count >= awaited.wanted or self.uncommitted() == 0:
                    return end
        except Died as death:
            self.drain()
            return Ended(attempt(), death, self.extinct(), "no instance lives any more")
        except DeadlineExceeded:
            pass
        return self._missed(awaited, progress, attempt, go_on, within)

    def _settled(self, attempt: Callable[[], int], why: str) -> Ended:
        self.drain()
        return Ended(attempt(), why=f"{why}, and the output is read to its end")

    def _missed(
        self,
        awaited: Awaited,
        progress: Progress,
        attempt: Callable[[], int],
        go_on: Callable[[float], int],
        within: float,
    ) -> Ended:
        """The limit came first; what that means."""
        left = self.uncommitted()
        if left == 0:
            # Nothing more may come; a moment tells.
            try:
                if go_on(self.quiet + _LOOKS_EVERY) < awaited.wanted:
                    return self._settled(attempt, "the group has committed its whole input")
            except (DeadlineExceeded, Died):
                pass
        self.drain()
        count = attempt()
        brief = f"{count} of {awaited}"
        error: Late | Stalled = progress.missed(brief, within)
        text = str(error)
        if left is None:
            error = Late("", error.seen)
            text = f"late: cannot be settled: {brief} after {within:g} s{_UNKNOWN}"
            text = text.format(idle=progress.idle)
        return Ended(count, type(error)(f"{text}\n  {awaited.told(count)}", error.seen), False)
