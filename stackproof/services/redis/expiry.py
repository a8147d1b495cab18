"""Is an entry there for as long as its time to live, and no longer?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from redis import Redis

from stackproof.polling import poll


@dataclass(frozen=True)
class Span:
    """When an operation was called and when it was answered, in seconds of one clock."""

    began: float
    ended: float


@dataclass(frozen=True)
class Sighting:
    """One look at the entry: when, and whether it was there."""

    span: Span
    there: bool


class Stopwatch:
    """``with Stopwatch() as watch: ...`` and then ``watch.span``."""

    def __enter__(self) -> Stopwatch:
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.span = Span(self._began, time.monotonic())


def watch_until_gone(client: Redis, key: str, *, within: float) -> list[Sighting]:
    """Look again and again until the entry is gone or ``within`` seconds are over.

    Returns:
        Every look; the last one found nothing unless the time was over.
    """
    sightings: list[Sighting] = []

    def look() -> bool:
        with Stopwatch() as watch:
            there = client.get(key) is not None
        sightings.append(Sighting(watch.span, there))
        return not there or watch.span.ended > deadline

    deadline = time.monotonic() + within
    poll(look, within=within + 10, awaiting="the entry's end", first_pause=0.002,
         longest_pause=0.01)  # fmt: skip
    return sightings


def violations(set_at: Span, ttl: float, sightings: Sequence[Sighting], late: float) -> list[str]:
    """What contradicts a time to live of ``ttl`` seconds that was set at ``set_at``.

    The server set it at some moment while it was called. So an entry that was gone before
    ``began + ttl`` was gone too early; one that was there after ``ended + ttl`` was there
    too long, of which ``late`` seconds are tolerated.
    """
    told = []
    for sighting in sightings:
        since = sighting.span.ended - set_at.began
        if not sighting.there and since < ttl:
            told.append(f"gone {since:.3f} s after it was set, for {ttl:g} s")
        after = sighting.span.began - set_at.ended
        if sighting.there and after > ttl + late:
            told.append(f"still there {after:.3f} s after it was set, for {ttl:g} s")
    if not any(sighting.there for sighting in sightings):
        told.append("never seen")
    return told
