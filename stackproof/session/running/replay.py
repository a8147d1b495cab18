"""Putting what workers reported onto behave's model, and telling formatters.

With one worker, formatters hear every step as it ends. With several, a scenario's
events are kept back until it has ended, so that outputs do not mix.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from behave.capture import Captured
from behave.matchers import NoMatch
from behave.model import Feature, Step
from behave.model_type import Status

from stackproof.reporting.evidence import ScenarioProof
from stackproof.session.plan import ScenarioPlan, containers_of
from stackproof.session.workers import wire


class Replay:
    """Formatters and the model they look at.

    Args:
        features: behave's features.
        formatters: behave formatters.
        matches: what matched a step, by the step's ``id()``.
        live: tell steps as they happen.
        failed: hears when a formatter raises an exception; the others go on.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        formatters: Sequence[Any],
        matches: Mapping[int, Any],
        *,
        live: bool,
        failed: Callable[[str], None],
    ):
        self._features = features
        self._formatters = formatters
        self._matches = matches
        self._live = live
        self._failed = failed
        self._feature: Feature | None = None
        self._rule: Any = None
        self._announced: set[str] = set()
        self._told_failed: set[int] = set()

    # -- what happens --------------------------------------------------------
    def started(self, planned: ScenarioPlan) -> None:
        """A scenario begins."""
        if self._live:
            self._announce(planned)

    def step_started(self, planned: ScenarioPlan, index: int) -> None:
        """A step begins."""
        planned.steps[index].status = Status.executing
        if self._live:
            self._match(planned.steps[index])

    def step_ended(self, planned: ScenarioPlan, event: wire.StepEnds) -> None:
        """A step has ended."""
        step = planned.steps[event.index]
        _apply(step, event.status, event.duration, event.error_message)
        if self._live:
            self._tell("result", step)

    def ended(self, planned: ScenarioPlan, event: wire.ScenarioEnds) -> None:
        """A scenario has ended in its worker."""
        scenario = planned.scenario
        cut = next((s for s in planned.steps if s.status is Status.executing), None)
        for step, (status, duration, message) in zip(planned.steps, event.steps, strict=True):
            _apply(step, status, duration, message)
        scenario.hook_failed = event.hook_failed
        scenario.error_message = event.error_message
        if event.output:
            scenario.captured.add_captured(Captured(stdout=event.output, name="scenario"))
        scenario.set_status(Status.from_name(event.status))
        self._conclude(planned, event.proof, cut)

    def broke(self, planned: ScenarioPlan, proof: ScenarioProof) -> None:
        """A scenario ended, or never began, without its worker saying so."""
        cut = None
        for step in planned.steps:
            if step.status is Status.executing:
                cut = step
                _apply(step, "error", 0.0, proof.reason)
            elif step.status.is_untested():
                step.set_status(Status.skipped)
        scenario = planned.scenario
        if cut is None:
            scenario.error_message = proof.reason
            scenario.hook_failed = proof.verdict == "broken"
        skipped = proof.verdict == "skipped"
        scenario.set_status(Status.skipped if skipped else Status.error)
        self._conclude(planned, proof, cut)

    def finish(self) -> None:
        """The run is over: every formatter is closed."""
        self._close_feature()
        for feature in self._features:
            for container in [feature, *feature.iter_rules()]:
                if not container.hook_failed:
                    container.clear_status()  # what was computed before the end
        self._tell("close")

    # -- telling -------------------------------------------------------------
    def _conclude(self, planned: ScenarioPlan, proof: ScenarioProof, cut: Step | None) -> None:
        planned.scenario.proof = proof
        if planned.id not in self._announced:
            self._announce(planned)
            for step in planned.steps:
                if step.status not in (Status.skipped, Status.untested):
                    self._match(step)
                    self._tell("result", step)
        elif cut is not None:
            self._tell("result", cut)
        self._tell("scenario_finished", planned.scenario)

    def _announce(self, planned: ScenarioPlan) -> None:
        self._announced.add(planned.id)
        feature = self._features[planned.feature_index]
        if self._feature is not feature:
            self._close_feature()
            self._feature = feature
            self._tell("uri", feature.filename)
            self._tell("feature", feature)
            if feature.background:
                self._tell("background", feature.background)
        rule = next((c for c in containers_of(planned.scenario) if c.type == "rule"), None)
        if rule is not None and rule is not self._rule:
            self._tell("rule", rule)
        self._rule = rule
        self._tell("scenario", planned.scenario)
        for step in planned.steps:
            self._tell("step", step)

    def _close_feature(self) -> None:
        if self._feature is not None:
            self._tell("eof")
        self._feature = self._rule = None

    def _match(self, step: Step) -> None:
        self._tell("match", self._matches.get(id(step)) or NoMatch())

    def _tell(self, event: str, *subject: Any) -> None:
        for formatter in self._formatters:
            method = getattr(formatter, event, None)
            if method is None:
                continue
            try:
                method(*subject)
            except Exception:
                if id(formatter) not in self._told_failed:
                    self._told_failed.add(id(formatter))
                    trace = traceback.format_exc()
                    self._failed(f"the formatter {type(formatter).__name__} failed:\n{trace}")


def _apply(step: Step, status: str, duration: float, message: str | None) -> None:
    step.set_status(Status.from_name(status))
    step.duration = duration
    step.error_message = message
