"""What is read of one key, against what was written to it and for how long it was to stay.

Pure checks; each operation has the span of time from its call to its answer.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """When an operation was called and when it was answered, in seconds of one clock."""

    began: float
    ended: float


class Stopwatch:
    """``with Stopwatch() as watch: ...`` and then ``watch.span``."""

    def __enter__(self) -> Stopwatch:
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.span = Span(self._began, time.monotonic())


@dataclass(frozen=True)
class Value:
    """A key's value at one end of an operation, and when that was."""

    name: str
    content: bytes
    span: Span


def wrong_readings(updates: Sequence[Value], readings: Sequence[Value]) -> list[str]:
    """Readings of what was never written, or of what had been replaced before they began.

    Each key has one writer; contents must differ from one another.
    """
    versions: dict[str, list[Value]] = {}
    for update in updates:
        versions.setdefault(update.name, []).append(update)
    told = []
    for reading in readings:
        if wrong := _wrong(reading, versions.get(reading.name, [])):
            told.append(f"{reading.name}: {wrong}")
    return told


def _wrong(reading: Value, versions: Sequence[Value]) -> str | None:
    number = next((i for i, v in enumerate(versions) if v.content == reading.content), None)
    if number is None:
        return f"{reading.content!r} was read, which nobody wrote"
    if versions[number].span.began > reading.span.ended:
        return f"{reading.content!r} was read before it was written"
    if number + 1 == len(versions):
        return None
    age = reading.span.began - versions[number + 1].span.ended
    if age <= 0:
        return None
    return (
        f"{reading.content!r} was read {age * 1000:.1f} ms after an update to "
        f"{versions[number + 1].content!r} was complete"
    )


@dataclass(frozen=True)
class Sighting:
    """One look at a key: when, and whether it was there."""

    span: Span
    there: bool


def lifetime_violations(
    set_at: Span, ttl: float, sightings: Sequence[Sighting], late: float
) -> list[str]:
    """What contradicts a time to live of ``ttl`` seconds that was set at ``set_at``.

    The server set it at some moment while it was called. So a key that was gone before
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
