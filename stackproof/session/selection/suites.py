"""Suites by tag: what runs on every pull request, at night, and before a release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

#: Each has all scenarios of those before it; untagged scenarios belong to the first.
SUITES = ("pr", "nightly", "release")
#: The suite is worked out: "pr", unless what runs was said in another way.
AUTO = "auto"


def suite_of(scenario: Any) -> str:
    """The smallest suite that a scenario belongs to."""
    tags = scenario.effective_tags
    return next((suite for suite in reversed(SUITES[1:]) if suite in tags), SUITES[0])


class SuiteFilter:
    """Admits the scenarios of a suite and counts those that it leaves out.

    Args:
        asked: the setting; `AUTO` is the pull requests' suite unless tags, names or lines
            select, which then have the only say.
        config: behave's configuration.
        features: parsed features; behave has marked what lines on the command line deselect.
        selected_otherwise: something else says what runs, e.g. the last run's failures.

    Attributes:
        suite: the suite's name; empty when all scenarios are admitted.
    """

    def __init__(
        self, asked: str, config: Any, features: Sequence[Any], *, selected_otherwise: bool = False
    ):
        by_line = any(s.should_skip for feature in features for s in feature.walk_scenarios())
        tags = getattr(config, "tags", None)
        free = bool(tags or config.name or by_line or selected_otherwise)
        self.suite = ("" if free else SUITES[0]) if asked == AUTO else asked
        self._left_out: Counter[str] = Counter()

    def __call__(self, scenario: Any) -> bool:
        """Whether the suite has the scenario."""
        own = suite_of(scenario)
        if not self.suite or SUITES.index(own) <= SUITES.index(self.suite):
            return True
        self._left_out[own] += 1
        return False

    @property
    def note(self) -> str:
        """Which suites' scenarios are left out; empty when none are."""
        if not self._left_out:
            return ""
        left = ", ".join(f"{self._left_out[s]} @{s}" for s in SUITES if self._left_out[s])
        largest = next(s for s in reversed(SUITES) if self._left_out[s])
        return f"suite {self.suite}: left out {left} (--suite {largest} runs them too)"
