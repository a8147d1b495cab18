"""How long operations took, as a histogram (HdrHistogram), and percentiles that say how many."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Sequence

_MICROSECONDS = 1_000_000
_LONGEST = 24 * 3600.0
_DIGITS = 3
USUAL = (50.0, 95.0, 99.0, 100.0)


class Latencies:
    """Durations in seconds; safe to use from several threads.

    Each is kept to three significant digits, from a microsecond to a day, in the same memory
    however many they are.
    """

    def __init__(self, seconds: Iterable[float] = ()):
        # Steps are loaded without what their scenarios will use.
        from hdrh.histogram import HdrHistogram

        self._histogram = HdrHistogram(1, int(_LONGEST * _MICROSECONDS), _DIGITS)
        self._lock = threading.Lock()
        for each in seconds:
            self.record(each)

    def record(self, seconds: float) -> None:
        """Add one.

        Raises:
            ValueError: it is negative, or longer than a day.
        """
        if not 0 <= seconds <= _LONGEST:
            raise ValueError(f"an operation cannot take {seconds} s")
        with self._lock:
            self._histogram.record_value(round(seconds * _MICROSECONDS))

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self._histogram.get_total_count())

    def percentile(self, q: float) -> float:
        """The shortest duration that ``q`` percent (0..100) do not exceed, in seconds.

        One that was measured (to three digits), never one in between: of few of them, upper
        percentiles are the longest one.

        Raises:
            ValueError: there are none.
        """
        with self._lock:
            rank, count = self._rank(q), self.count
            # By the rank itself: the library rounds a percentile's rank down as well as up.
            found = self._histogram.get_value_at_percentile(100 * rank / count)
            return float(min(found, self._histogram.max_value)) / _MICROSECONDS

    def statistic(self, name: str) -> float:
        """ "median", "average", "longest", or such as "95th percentile", in seconds.

        Raises:
            ValueError: there are no durations.
        """
        if name == "average":
            return self.average
        named = {"median": 50.0, "longest": 100.0}
        return self.percentile(named[name] if name in named else float(name.split("th ")[0]))

    @property
    def average(self) -> float:
        """Their mean, in seconds; `ValueError`: there are none."""
        with self._lock:
            if not self.count:
                raise ValueError("there are no durations")
            return float(self._histogram.get_mean_value()) / _MICROSECONDS

    @property
    def worst(self) -> float:
        """The longest one, in seconds; `ValueError`: there are none."""
        return self.percentile(100)

    def told(self, percentiles: Sequence[float] = USUAL) -> str:
        """Percentiles in milliseconds, for people; which of them are but the longest one is said.

        Raises:
            ValueError: there are none.
        """
        return ", ".join(map(self._told, percentiles))

    def _told(self, q: float) -> str:
        text = f"{self.percentile(q) * 1000:.3g} ms"
        if q == 50:
            return f"median {text}"
        if q == 100:
            return f"worst {text}"
        worst = f" (worst of {self.count})" if self._rank(q) == self.count else ""
        return f"{q:g} % within {text}{worst}"

    def _rank(self, q: float) -> int:
        if not self.count:
            raise ValueError("nothing was measured")
        return max(1, math.ceil(q * self.count / 100))
