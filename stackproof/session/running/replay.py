"""Putting what workers reported onto behave's model, and telling formatters.

With one worker, formatters hear every step as it ends; what becomes of another scenario
meanwhile (a service that it needs cannot be had) is told when that one is over. With several, a
scenario's events are kept back until it has ended, so that outputs do not mix. behave's own
formatters are then told of whole features, when all is over: they do not know that a feature may
go on after another one, nor that its hooks may fail after its end was told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from behave.capture import Captured
from behave.model import Step
from behave.model_type import Status

from stackproof.reporting.evidence import ScenarioProof
from stackproof.reporting.lifecycle import ScenarioFormatter
from stackproof.session.plan import Plan, ScenarioPlan
from stackproof.session.running.telling import Teller, forget_status
from stackproof.session.workers import wire


class Replay:
    """Formatters and the model they look at.

    Args:
        plan: the scenarios, on behave's model.
        formatters: behave formatters.
        live: tell steps as they happen.
        failed: hears when a formatter raises an exception; the others go on.
        runner: behave's, for formatters that ask it.
    """

    def __init__(
        self,
        plan: Plan,
        formatters: Sequence[Any],
        *,
        live: bool,
        failed: Callable[[str], None],
        runner: Any,
    ):
        self._plan = plan
        self._live = live
        prompt = [f for f in formatters if live or isinstance(f, ScenarioFormatter)]
        patient = [f for f in formatters if f not in prompt]
        self._prompt = Teller(plan.features, prompt, plan.matches, failed, runner)
        self._patient = Teller(plan.features, patient, plan.matches, failed, runner)
        self._concluded: list[ScenarioPlan] = []
        self._under_way: ScenarioPlan | None = None
        self._meanwhile: list[tuple[ScenarioPlan, Step | None]] = []

    def started(self, planned: ScenarioPlan) -> None:
        """A scenario begins."""
        if self._live:
            self._under_way = planned
            self._prompt.announce(planned)

    def step_started(self, planned: ScenarioPlan, index: int) -> None:
        """A step begins."""
        planned.steps[index].status = Status.executing
        if self._live:
            self._prompt.match(planned.steps[index])

    def step_ended(self, planned: ScenarioPlan, event: wire.StepEnds) -> None:
        """A step has ended."""
        step = planned.steps[event.index]
        _apply(step, event.status, event.duration, event.error_message)
        if self._live:
            self._prompt.result(step)

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
        self._tell_meanwhile()
        self._prompt.close()
        # As written: workers may have ended the scenarios of a rule among others.
        for planned in sorted(self._concluded, key=lambda p: (p.feature_index, p.index)):
            self._patient.conclude(planned)
        self._patient.close()
        for feature in self._plan.features:
            forget_status(feature)

    def _conclude(self, planned: ScenarioPlan, proof: ScenarioProof, cut: Step | None) -> None:
        planned.scenario.proof = proof
        self._concluded.append(planned)
        self._meanwhile.append((planned, cut))
        if self._under_way is None or self._under_way is planned:
            # What is under way is told first: formatters have heard of its beginning.
            self._meanwhile.sort(key=lambda told: told[0] is not self._under_way)
            self._tell_meanwhile()

    def _tell_meanwhile(self) -> None:
        self._under_way = None
        told, self._meanwhile = self._meanwhile, []
        for planned, cut in told:
            self._prompt.conclude(planned, cut)


def _apply(step: Step, status: str, duration: float, message: str | None) -> None:
    step.set_status(Status.from_name(status))
    step.duration = duration
    step.error_message = message
