"""Telling behave's formatters what happened, in the order in which they expect it.

Some formatters put a wrapper around ``scenario.run`` when they hear of a feature (allure-behave
does) and expect a scenario's events while it runs. They hear of each scenario that they have
wrapped when it is over, all at once, from within a call of that wrapper.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from behave.matchers import NoMatch
from behave.model import Feature, Step
from behave.model_type import Status

from stackproof.errors import Trouble
from stackproof.reporting.outcome import step_outcome
from stackproof.session.plan import ScenarioPlan, containers_of


class Teller:
    """Tells some formatters of scenarios, with what these stand in.

    Args:
        features: behave's features.
        formatters: behave formatters.
        matches: what matched a step, by the step's ``id()``.
        failed: hears when a formatter raises an exception; the others go on.
        runner: what wrappers of ``scenario.run`` are handed.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        formatters: Sequence[Any],
        matches: Mapping[int, Any],
        failed: Callable[[str], None],
        runner: Any,
    ):
        self._features = features
        self._formatters = formatters
        self._matches = matches
        self._failed = failed
        self._runner = runner
        self._feature: Feature | None = None
        self._rule: Any = None
        self._announced: set[str] = set()
        self._told_failed: set[int] = set()
        self._wrapping: list[Any] = []
        self._wrapped: ScenarioPlan | None = None

    def announce(self, planned: ScenarioPlan) -> None:
        """A scenario begins; nothing is said of its steps but that they are there."""
        self._announced.add(planned.id)
        feature = self._features[planned.feature_index]
        if self._feature is not feature:
            self.close_feature()
            self._feature = feature
            self._tell("uri", feature.filename)
            self._announce_feature(feature)
            if feature.background:
                self._tell("background", feature.background)
        rule = next((c for c in containers_of(planned.scenario) if c.type == "rule"), None)
        if rule is not None and rule is not self._rule:
            self._tell("rule", rule)
        self._rule = rule
        self._begin(planned, self._usual())

    def _announce_feature(self, feature: Feature) -> None:
        scenarios = feature.walk_scenarios()
        for scenario in scenarios:
            scenario.run = self._run
        for formatter in self._formatters:
            before = [scenario.run for scenario in scenarios]
            self._tell("feature", feature, to=[formatter])
            wraps = [scenario.run for scenario in scenarios] != before
            if wraps and formatter not in self._wrapping:
                self._wrapping.append(formatter)

    def _usual(self) -> list[Any]:
        return [formatter for formatter in self._formatters if formatter not in self._wrapping]

    def _begin(self, planned: ScenarioPlan, to: Sequence[Any]) -> None:
        self._tell("scenario", planned.scenario, to=to)
        for step in planned.steps:
            self._tell("step", step, to=to)

    def match(self, step: Step) -> None:
        """A step begins."""
        self._tell("match", self._matches.get(id(step)) or NoMatch(), to=self._usual())

    def result(self, step: Step) -> None:
        """A step has ended."""
        self._tell("result", step, to=self._usual())

    def conclude(self, planned: ScenarioPlan, cut: Step | None = None) -> None:
        """A scenario is over, its model complete; ``cut`` is the step that it ended in."""
        if planned.id not in self._announced:
            self.announce(planned)
            self._tell_steps(planned, self._usual())
        elif cut is not None:
            self.result(cut)
        self._tell("scenario_finished", planned.scenario, to=self._usual())
        if planned.scenario.run != self._run:
            self._call_wrapper(planned)

    def _tell_steps(self, planned: ScenarioPlan, to: Sequence[Any]) -> None:
        for step in planned.steps:
            if step.status not in (Status.skipped, Status.untested):
                self._tell("match", self._matches.get(id(step)) or NoMatch(), to=to)
                self._tell("result", step, to=to)

    def _call_wrapper(self, planned: ScenarioPlan) -> None:
        errors = {index: _error_of(step) for index, step in enumerate(planned.steps)}
        try:
            for index, error in errors.items():
                planned.steps[index].exception = error
            self._wrapped = planned
            self._guarded(self._wrapping[-1], planned.scenario.run, self._runner)
        finally:
            for step in planned.steps:
                step.exception = None

    def _run(self, runner: Any) -> bool:
        """Stands in for ``scenario.run``, which a worker has done already."""
        planned = self._wrapped
        assert planned is not None
        self._begin(planned, self._wrapping)
        self._tell_steps(planned, self._wrapping)
        return planned.scenario.status.has_failed()

    def close_feature(self) -> None:
        """Nothing more comes of the present feature, for now."""
        feature, self._feature, self._rule = self._feature, None, None
        if feature is not None:
            forget_status(feature)
            self._tell("eof")
            forget_status(feature)

    def close(self) -> None:
        """The run is over."""
        self.close_feature()
        self._tell("close")

    def _tell(self, event: str, *subject: Any, to: Sequence[Any] | None = None) -> None:
        for formatter in self._formatters if to is None else to:
            method = getattr(formatter, event, None)
            if method is not None:
                self._guarded(formatter, method, *subject)

    def _guarded(self, formatter: Any, method: Callable[..., Any], *subject: Any) -> None:
        try:
            method(*subject)
        except Trouble as trouble:  # written for people, by the formatter itself
            self._failed(str(trouble))
        except Exception:
            if id(formatter) not in self._told_failed:
                self._told_failed.add(id(formatter))
                trace = traceback.format_exc()
                self._failed(f"the formatter {type(formatter).__name__} failed:\n{trace}")


def _error_of(step: Step) -> Exception | None:
    """What a step raised in its worker, as far as its words tell; formatters look at the type."""
    outcome = step_outcome(step)
    kind = {"failed": AssertionError, "broken": RuntimeError}.get(outcome.verdict)
    return None if kind is None else kind(outcome.message)


def forget_status(feature: Feature) -> None:
    """Have behave compute the status of a feature and its rules again when it is asked for."""
    for container in [feature, *feature.iter_rules()]:
        if not container.hook_failed:
            container.clear_status()
