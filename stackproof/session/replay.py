"""Putting what workers reported onto behave's model, and telling formatters.

With one worker, formatters hear every step as it ends. With several, a scenario's
events are kept back until it has ended, so that outputs do not mix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from behave.capture import Captured
from behave.model import Feature, Scenario, Step
from behave.model_type import Status

from stackproof.reporting.evidence import ScenarioProof
from stackproof.session import wire


class Replay:
    """Formatters and the model they look at.

    Args:
        formatters: behave formatters.
        registry: behave's step registry, for the matches formatters want to see.
        live: tell steps as they happen.
    """

    def __init__(self, formatters: Sequence[Any], registry: Any, *, live: bool):
        self._formatters = formatters
        self._registry = registry
        self._live = live
        self._feature: Feature | None = None
        self._rule: Any = None

    def started(self, feature: Feature, scenario: Scenario) -> None:
        """A scenario begins."""
        if self._live:
            self._announce(feature, scenario)

    def step_started(self, scenario: Scenario, index: int) -> None:
        """A step begins."""
        scenario.all_steps_list[index].status = Status.executing
        if self._live:
            self._match(scenario.all_steps_list[index])

    def step_ended(self, scenario: Scenario, event: wire.StepEnds) -> None:
        """A step has ended."""
        step = scenario.all_steps_list[event.index]
        _apply(step, event.status, event.duration, event.error_message)
        if self._live:
            self._tell("result", step)

    def ended(self, feature: Feature, scenario: Scenario, event: wire.ScenarioEnds) -> None:
        """A scenario has ended in its worker."""
        for step, (status, duration, message) in zip(
            scenario.all_steps_list, event.steps, strict=True
        ):
            _apply(step, status, duration, message)
        scenario.hook_failed = event.hook_failed
        scenario.error_message = event.error_message
        if event.output:
            scenario.captured.add_captured(Captured(stdout=event.output, name="scenario"))
        scenario.set_status(Status.from_name(event.status))
        self._conclude(feature, scenario, event.proof)

    def broke(self, feature: Feature, scenario: Scenario, proof: ScenarioProof) -> None:
        """A scenario ended without its worker saying so."""
        stopped_at = None
        for step in scenario.all_steps_list:
            if step.status is Status.executing:
                stopped_at = step
                _apply(step, "error", 0.0, proof.reason)
                if self._live:
                    self._tell("result", step)
            elif step.status.is_untested():
                step.set_status(Status.skipped)
        if stopped_at is None:
            scenario.error_message = proof.reason
            scenario.hook_failed = proof.verdict == "broken"
        skipped = proof.verdict == "skipped"
        scenario.set_status(Status.skipped if skipped else Status.error)
        self._conclude(feature, scenario, proof, announce=stopped_at is None)

    def close_feature(self) -> None:
        """No feature is announced any more."""
        if self._feature is not None:
            self._tell("eof")
        self._feature = self._rule = None

    def _conclude(
        self, feature: Feature, scenario: Scenario, proof: ScenarioProof, *, announce: bool = False
    ) -> None:
        scenario.proof = proof
        if not self._live or (announce and not proof.step_starts):
            self._announce(feature, scenario)
            for step in scenario.all_steps_list:
                if step.status not in (Status.skipped, Status.untested):
                    self._match(step)
                    self._tell("result", step)
        self._tell("scenario_finished", scenario)

    def _announce(self, feature: Feature, scenario: Scenario) -> None:
        if self._feature is not feature:
            self.close_feature()
            self._feature = feature
            self._tell("uri", feature.filename)
            self._tell("feature", feature)
            if feature.background:
                self._tell("background", feature.background)
        rule = _rule_of(scenario)
        if rule is not None and rule is not self._rule:
            self._tell("rule", rule)
        self._rule = rule
        self._tell("scenario", scenario)
        for step in scenario.all_steps_list:
            self._tell("step", step)

    def _match(self, step: Step) -> None:
        match = self._registry.find_match(step)
        if match is not None:
            self._tell("match", match)

    def _tell(self, event: str, *subject: Any) -> None:
        for formatter in self._formatters:
            method = getattr(formatter, event, None)
            if method is not None:
                method(*subject)


def freeze_steps(scenario: Scenario) -> None:
    """Remember the list of a scenario's steps: behave's ``all_steps`` is an iterator."""
    scenario.all_steps_list = list(scenario.all_steps)


def _apply(step: Step, status: str, duration: float, message: str | None) -> None:
    step.set_status(Status.from_name(status))
    step.duration = duration
    step.error_message = message


def _rule_of(scenario: Scenario) -> Any:
    parent = scenario.parent
    while parent is not None and parent.type != "rule":
        parent = parent.parent
    return parent
