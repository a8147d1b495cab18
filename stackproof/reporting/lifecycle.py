"""When a scenario is really over, and which scenarios never began.

behave tells a formatter neither: hooks and cleanups run after the last ``result``, and
scenarios that a failing hook kept from running are never announced. ``ScenarioFormatter``
works both out, for plain behave and for a runner that calls ``scenario_finished``; its
subclasses receive each selected scenario exactly once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from behave.formatter.base import Formatter

from stackproof.reporting.evidence import ScenarioProof, proof_of
from stackproof.reporting.outcome import Outcome, container_error, outcome_of

_NEVER_BEGAN = (
    "not run: the run ended before this scenario (a failing before_all hook or an "
    "interruption; its message is on the console)"
)
_STOPPED = "not run: the run was told to stop at the first failure"


class ScenarioFormatter(Formatter):
    """Turns behave's formatter events into one call per selected scenario.

    A runner that replays results calls, for each scenario in one piece: ``feature``
    (again, if another one came between), ``scenario``, ``step`` for each step, ``match``
    and ``result`` for each that ran, then ``scenario_finished``.
    """

    def __init__(self, stream_opener: Any, config: Any):
        super().__init__(stream_opener, config)
        self.current_feature: Any = None
        self._pending: Any = None
        self._reported: dict[int, Any] = {}  # by id: behave's models compare by name
        self._swept: dict[int, Any] = {}
        self._announced: dict[int, Any] = {}
        self._selected: dict[int, Any] = {}  # when they began: a step may skip its scenario
        self._began: dict[int, float] = {}
        self._step_times: dict[int, tuple[float, float]] = {}
        self._closed = False
        self._any_failed = False
        # Reporters are told of every feature, also of those that never ran.
        config.reporters.append(_FeatureReporter(self))

    # -- for subclasses ------------------------------------------------------
    def on_scenario(self, scenario: Any, outcome: Outcome) -> None:
        """A selected scenario has ended, or will never begin."""

    def on_container_error(self, container: Any, message: str) -> None:
        """Hooks or cleanups of a feature or rule failed after all its scenarios."""

    def on_close(self) -> None:
        """The run is over."""

    def times(self, scenario: Any) -> tuple[float, float]:
        """Start and stop of a scenario, seconds since the epoch."""
        proof = proof_of(scenario)
        if proof.start:
            return proof.start, max(proof.start, proof.stop)
        steps = [t for step in scenario.all_steps if (t := self._step_times.get(id(step)))]
        start = self._began.get(id(scenario)) or (steps[0][0] if steps else time.time())
        return start, max([start, *(stop for _, stop in steps)])

    def step_times(self, scenario: Any) -> list[tuple[float, float] | None]:
        """Start and stop of each of ``all_steps``; None for those that did not run."""
        begun = proof_of(scenario).step_starts
        if not begun:
            return [self._step_times.get(id(step)) for step in scenario.all_steps]
        return [
            (begun[index], begun[index] + step.duration)
            if index < len(begun) and begun[index]
            else None
            for index, step in enumerate(scenario.all_steps)
        ]

    # -- behave's events -----------------------------------------------------
    def feature(self, feature: Any) -> None:
        """A feature begins, or goes on after another one."""
        self._flush()
        self.current_feature = feature
        self._announced[id(feature)] = feature

    def rule(self, rule: Any) -> None:
        """A rule begins."""
        self._flush()

    def scenario(self, scenario: Any) -> None:
        """A scenario begins; its predecessor is over."""
        self._flush()
        self._pending = scenario
        self._began[id(scenario)] = time.time()
        if is_selected(scenario, self.config):
            self._selected[id(scenario)] = scenario

    def result(self, step: Any) -> None:
        """A step has ended just now."""
        now = time.time()
        self._step_times[id(step)] = (now - step.duration, now)

    def scenario_finished(self, scenario: Any) -> None:
        """The final status is known; called by Stackproof's own runner only."""
        if self._pending is scenario:
            self._pending = None
        self._report(scenario)

    def eof(self) -> None:
        """A feature is over."""
        self._flush()

    def close(self) -> None:
        """The run is over."""
        if self._closed:
            return
        self._closed = True
        self._flush()
        for feature in list(self._announced.values()):
            self.sweep(feature)
        self.on_close()
        super().close()

    # -- the work ------------------------------------------------------------
    def sweep(self, feature: Any) -> None:
        """Reports what ``feature`` has left: scenarios never begun, late hook errors."""
        self._flush()
        if id(feature) in self._swept or self.config.dry_run:
            return
        self._swept[id(feature)] = feature
        for scenario in feature.walk_scenarios():
            if id(scenario) in self._reported:
                continue
            stopped = self.config.stop and self._any_failed
            self._report(scenario, never_began(scenario, stopped=stopped))
        for container, error in late_errors(feature, self.config):
            self.on_container_error(container, error)

    def _flush(self) -> None:
        scenario, self._pending = self._pending, None
        if scenario is not None:
            self._report(scenario)

    def _report(self, scenario: Any, not_run: Outcome | None = None) -> None:
        if id(scenario) in self._reported or not self._wanted(scenario):
            return
        self._reported[id(scenario)] = scenario
        outcome = outcome_of(scenario, not_run=not_run)
        self._any_failed |= outcome.verdict in ("failed", "broken")
        self.on_scenario(scenario, outcome)

    def _wanted(self, scenario: Any) -> bool:
        if proof_of(scenario).verdict:
            return True
        if self.config.dry_run:
            return False
        return id(scenario) in self._selected or is_selected(scenario, self.config)


class _FeatureReporter:
    """Hears of every feature at its end; behave's reporter interface."""

    def __init__(self, formatter: ScenarioFormatter):
        self._formatter = formatter

    def feature(self, feature: Any) -> None:
        self._formatter.sweep(feature)

    def end(self) -> None:
        """Nothing: formatters are closed before reporters end."""


def is_selected(scenario: Any, config: Any) -> bool:
    """Whether tags, names and lines chose the scenario, however it ended.

    A line on the command line deselects by ``mark_skipped()`` without a reason before the
    run; a hook that skips gives a reason or skips the feature or rule as a whole.
    """
    if not scenario.should_run_with_tags(config.tag_expression):
        return False
    if not scenario.should_run_with_name_select(config):
        return False
    if not scenario.should_skip or scenario.skip_reason:
        return True
    skipped_whole = any(container.should_skip for container in containers_of(scenario))
    return skipped_whole or any(step.status.is_passed() for step in scenario.all_steps)


def never_began(scenario: Any, *, stopped: bool = False) -> Outcome:
    """What to say of a selected scenario that never began.

    Args:
        stopped: whether the run was to stop at a failure and there was one.
    """
    for container in reversed(containers_of(scenario)):
        if error := container_error(container):
            return Outcome("broken", "suite", error)
    if stopped:
        return Outcome("skipped", "", _STOPPED)
    return Outcome("broken", "environment", _NEVER_BEGAN)


def late_errors(feature: Any, config: Any) -> list[tuple[Any, str]]:
    """Rules and the feature whose hooks or cleanups failed without keeping a scenario back."""
    found = []
    for container in [*feature.iter_rules(), feature]:
        held_back = any(
            not _has_result(scenario) and is_selected(scenario, config)
            for scenario in container.walk_scenarios()
        )
        if (error := container_error(container)) and not held_back:
            found.append((container, error))
    return found


def containers_of(scenario: Any) -> list[Any]:
    """What a scenario stands in, innermost first: its rule, if any, and its feature."""
    found = []
    parent = scenario.parent
    while parent is not None:
        if parent.type in ("rule", "feature"):
            found.append(parent)
        parent = parent.parent
    return found


def report_not_run(
    features: Iterable[Any], reason: str, *, formatters: Sequence[Any], config: Any, trace: str = ""
) -> int:
    """Reports every selected scenario without a result as broken, for ``reason``.

    For a runner whose run cannot begin or go on (a service does not start, a failing
    ``before_all``), so that no report is empty or green by omission.

    Returns:
        How many scenarios were reported.
    """
    count = 0
    for feature in features:
        announced = False
        for scenario in feature.walk_scenarios():
            if _has_result(scenario) or not is_selected(scenario, config):
                continue
            now = time.time()
            scenario.proof = ScenarioProof(
                start=now, stop=now, verdict="broken", category="environment",
                reason=reason, trace=trace,
            )  # fmt: skip
            if not announced:
                _tell(formatters, "feature", feature)
                announced = True
            _tell(formatters, "scenario", scenario)
            for step in scenario.all_steps:
                _tell(formatters, "step", step)
            _tell(formatters, "scenario_finished", scenario)
            count += 1
    return count


def _has_result(scenario: Any) -> bool:
    began = any(not step.status.is_untested() for step in scenario.all_steps)
    return began or bool(proof_of(scenario).verdict)


def _tell(formatters: Sequence[Any], event: str, subject: Any) -> None:
    for formatter in formatters:
        method = getattr(formatter, event, None)
        if method is not None:
            method(subject)
