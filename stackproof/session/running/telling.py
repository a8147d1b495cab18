"""Telling behave's formatters what happened, in the order in which they expect it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from behave.matchers import NoMatch
from behave.model import Feature, Step
from behave.model_type import Status

from stackproof.errors import Trouble
from stackproof.session.plan import ScenarioPlan, containers_of


class Teller:
    """Tells some formatters of scenarios, with what these stand in.

    Args:
        features: behave's features.
        formatters: behave formatters.
        matches: what matched a step, by the step's ``id()``.
        failed: hears when a formatter raises an exception; the others go on.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        formatters: Sequence[Any],
        matches: Mapping[int, Any],
        failed: Callable[[str], None],
    ):
        self._features = features
        self._formatters = formatters
        self._matches = matches
        self._failed = failed
        self._feature: Feature | None = None
        self._rule: Any = None
        self._announced: set[str] = set()
        self._told_failed: set[int] = set()

    def announce(self, planned: ScenarioPlan) -> None:
        """A scenario begins; nothing is said of its steps but that they are there."""
        self._announced.add(planned.id)
        feature = self._features[planned.feature_index]
        if self._feature is not feature:
            self.close_feature()
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

    def match(self, step: Step) -> None:
        """A step begins."""
        self._tell("match", self._matches.get(id(step)) or NoMatch())

    def result(self, step: Step) -> None:
        """A step has ended."""
        self._tell("result", step)

    def conclude(self, planned: ScenarioPlan, cut: Step | None = None) -> None:
        """A scenario is over, its model complete; ``cut`` is the step that it ended in."""
        if planned.id not in self._announced:
            self.announce(planned)
            for step in planned.steps:
                if step.status not in (Status.skipped, Status.untested):
                    self.match(step)
                    self.result(step)
        elif cut is not None:
            self.result(cut)
        self._tell("scenario_finished", planned.scenario)

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

    def _tell(self, event: str, *subject: Any) -> None:
        for formatter in self._formatters:
            method = getattr(formatter, event, None)
            if method is None:
                continue
            try:
                method(*subject)
            except Trouble as trouble:  # written for people, by the formatter itself
                self._failed(str(trouble))
            except Exception:
                if id(formatter) not in self._told_failed:
                    self._told_failed.add(id(formatter))
                    trace = traceback.format_exc()
                    self._failed(f"the formatter {type(formatter).__name__} failed:\n{trace}")


def forget_status(feature: Feature) -> None:
    """Have behave compute the status of a feature and its rules again when it is asked for."""
    for container in [feature, *feature.iter_rules()]:
        if not container.hook_failed:
            container.clear_status()
