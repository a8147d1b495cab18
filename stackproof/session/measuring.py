"""Measuring what a step does, and judging figures that have a bound."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from hamcrest import assert_that, greater_than, less_than_or_equal_to
from hamcrest.core.string_description import StringDescription

from stackproof.errors import MachineBusy, step_missing
from stackproof.polling import DeadlineExceeded, Late, poll
from stackproof.processes.load import used_by_others
from stackproof.texts import counted
from stackproof.workloads import Latencies

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

Figure = TypeVar("Figure", Latencies, float)

#: Seconds for which the machine is watched, before each round and after it.
_LOOK = 1.0


def timed(work: Callable[..., Any], *arguments: Any) -> float:
    """Do ``work`` and return how long it took, in seconds."""
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began


class Rounds:
    """Something that is measured in rounds, and judged by the best one.

    Noise only adds. So a round within the bound is proof enough, however busy the machine is, and
    no more are made then. One that misses it says something only if the machine was quiet before
    and after it; the next one waits until it is.

    Args:
        session: the scenario's; has the settings.
        others: how much of all processors others than this run use right now, in percent.
    """

    def __init__(self, session: ScenarioSession, others: Callable[[], float] | None = None):
        self._session = session
        self._others = others or partial(used_by_others, session.run, _LOOK)
        self._quiet_below: int = session.settings["run.quiet_below"]
        self._patience: float = session.settings["run.quiet_within"]
        self._work: Callable[[], Any] | None = None
        self._prepare: Callable[[], None] = lambda: None
        self._results: list[Any] = []
        self._seen: list[float] = []
        self._was_quiet = False

    def begin(
        self,
        work: Callable[..., Any],
        *arguments: Any,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        """Make the first round, on the machine as it is.

        Args:
            work: a round, which measures anew. It returns latencies, and rates a second, by
                the operation in the words of features; or what `judge` is to understand.
            arguments: of ``work``.
            prepare: what has to be done before each further round.
        """
        self._work, self._prepare = partial(work, *arguments), prepare
        self._results, self._seen, self._was_quiet = [], [], False
        self._measure(self._work, quiet=self._is_quiet(self._look()))

    def judge_latency(self, operation: str, statistic: str, limit: float, *, rounds: int) -> None:
        """Demand that a statistic of an operation's latencies is ``limit`` seconds at most.

        The statistics are those of `Latencies.statistic`; for what is raised see `judge`.
        """
        self.judge(
            f"{statistic} {operation} latency",
            lambda found: _of(found, operation, Latencies).statistic(statistic),
            less_than_or_equal_to(limit), rounds=rounds, told="{:.6f} s".format,
            before="1000 values of 100 bytes are set and got, one after the other",
        )  # fmt: skip

    def judge_rate(self, operation: str, least: float, unit: str, *, rounds: int) -> None:
        """Demand that an operation's rate is above ``least``, in ``unit`` a second; see `judge`."""
        self.judge(
            f"{operation} rate",
            lambda found: _of(found, operation, float),
            greater_than(least), rounds=rounds, told=f"{{:,.0f}} {unit}/s".format,
            before='10000 vectors are inserted into "products" and timed', best=max,
        )  # fmt: skip

    def judge(
        self,
        what: str,
        value: Callable[[Any], float],
        bound: Any,
        *,
        rounds: int,
        told: Callable[[float], str] = "{:.3f} s".format,
        before: str,
        best: Callable[[list[float]], float] = min,
    ) -> None:
        """Demand that one round is within a bound; makes as many as that takes.

        Args:
            what: the figure, for people.
            value: the figure of a round, of what ``work`` has returned.
            bound: a matcher of hamcrest's.
            rounds: how many are made at most.
            told: a value with its unit; default: seconds.
            before: a step that makes the first round, in the words of features.
            best: which value is the best.

        Raises:
            AssertionError: no round is, and the machine was quiet.
            MachineBusy: no round is, and it never was; or one missed a limit of its own (`Late`).
            Late: one missed a limit of its own, and the machine was quiet.
            PremiseNotMet: there was no first round.
        """
        if self._work is None:
            raise step_missing(f"{what}, measured", before)
        values: list[float] = []
        while len(values) < rounds and not (values and bound.matches(values[-1])):
            if len(values) == len(self._results):
                self._prepare()
                self._measure(self._work, quiet=self._becomes_quiet())
            with self._excused(self._was_quiet):
                values.append(value(self._results[len(values)]))
        each = ", ".join(map(told, values))
        found = f"{each}; others used {self._noise()}"
        self._session.figure(f"{what}, by round", found)
        if bound.matches(values[-1]):
            return
        if not self._was_quiet:
            wanted = f"{_wanted(bound)} was to be reached, {counted(len(values), 'round')} came to"
            raise self._busy(what, f"{wanted} {found}")
        assert_that(
            best(values), bound, f"{what}, best of {counted(len(values), 'round')} ({found})"
        )

    def _measure(self, work: Callable[[], Any], *, quiet: bool) -> None:
        with self._excused(quiet):
            self._results.append(result := work())
        for operation, found in result.items() if isinstance(result, Mapping) else ():
            if isinstance(found, Latencies):
                self._session.figure(f"{operation} latency, {found.count}", found.told())
        still = self._is_quiet(self._look())
        self._was_quiet |= quiet and still

    @contextmanager
    def _excused(self, quiet: bool) -> Iterator[None]:
        """A limit within a round that is missed on a busy machine says nothing either."""
        try:
            yield
        except Late as late:
            if self._is_quiet(self._look()) and quiet:
                raise
            first = str(late).partition("\n")[0]
            raise self._busy("a figure", f"{first}; others used {self._noise()}") from late

    def _busy(self, what: str, found: str) -> MachineBusy:
        return MachineBusy(
            f"the machine was busy with other things while {what} was measured",
            f"{found}, and less than {self._quiet_below} % is quiet",
            "run it again on a quiet machine (--rerun-failed), or give that longer to come "
            "about (run.quiet_within)",
        )

    def _becomes_quiet(self) -> bool:
        """Wait for it; all rounds together have so much time for that."""
        began = time.monotonic()
        try:
            poll(self._look, until=self._is_quiet, within=self._patience,
                 awaiting="a quiet machine", first_pause=0.0, longest_pause=0.0)  # fmt: skip
        except DeadlineExceeded:
            return False
        finally:
            self._patience = max(0.0, self._patience - (time.monotonic() - began))
        return True

    def _look(self) -> float:
        self._seen.append(self._others())
        return self._seen[-1]

    def _is_quiet(self, others: float) -> bool:
        return others < self._quiet_below

    def _noise(self) -> str:
        least, most = min(self._seen), max(self._seen)
        return f"{least:.0f} to {most:.0f} % of the processors before and after them"


def _of(found: Any, operation: str, kind: type[Figure]) -> Figure:
    """What a round has measured of an operation."""
    measured = {name: one for name, one in found.items() if isinstance(one, kind)}
    if operation not in measured:
        what = "latency" if kind is Latencies else "rate"
        raise step_missing(
            f"the {what} of {operation!r} (measured: {', '.join(measured) or 'none'})",
            "a step that measures it",
        )
    return measured[operation]


def _wanted(bound: Any) -> str:
    description = StringDescription()
    bound.describe_to(description)
    return str(description)
