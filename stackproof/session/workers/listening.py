"""What the pool of workers tells about scenarios."""

from __future__ import annotations

from typing import Any, Protocol

from stackproof.errors import Trouble
from stackproof.session.plan import ScenarioPlan
from stackproof.session.workers import wire


class Listening(Protocol):
    """Who hears what happens; called in the pool's thread unless said otherwise.

    Each scenario ends in one call of `ended`, `lost`, `kept_back`, `without` or `passed_over`.
    """

    def ready(self, planned: ScenarioPlan) -> bool:
        """Whether what the scenario needs is there, or is known not to come."""

    def trouble(self, planned: ScenarioPlan) -> Trouble | None:
        """Why what the scenario needs will not come."""

    def admit(self, planned: ScenarioPlan) -> bool:
        """Whether the scenario may start now (memory, running alone)."""

    def provide(self, planned: ScenarioPlan) -> wire.Go:
        """Get what the scenario needs; may take long, called in a helper thread."""

    def call(self, planned: ScenarioPlan, operation: str, arguments: Any) -> Any:
        """Do something for a scenario; called in a helper thread."""

    def started(self, planned: ScenarioPlan, worker: str) -> None:
        """The scenario's time begins to count."""

    def step_started(self, planned: ScenarioPlan, event: wire.StepStarts) -> None:
        """A step begins."""

    def step_ended(self, planned: ScenarioPlan, event: wire.StepEnds) -> None:
        """A step has ended."""

    def ended(self, planned: ScenarioPlan, event: wire.ScenarioEnds) -> None:
        """The scenario has ended in its worker."""

    def lost(self, planned: ScenarioPlan, what: str, trace: str) -> None:
        """Its worker was killed or died, or never came to run it."""

    def kept_back(self, planned: ScenarioPlan, reason: str) -> None:
        """A hook of its feature or rule kept it from starting."""

    def without(self, planned: ScenarioPlan, trouble: Trouble) -> None:
        """What it needs cannot be had: it will not be run."""

    def passed_over(self, planned: ScenarioPlan, reason: str) -> None:
        """The run ends before it."""

    def container_failed(self, feature_index: int, line: int, message: str) -> None:
        """A hook of a feature or rule failed without keeping a scenario back."""

    def suite_failed(self, problem: str) -> None:
        """Something failed outside of scenarios and features."""

    def could_not_run(self, problem: str) -> None:
        """A worker could not come to work: what is left will not be run."""
