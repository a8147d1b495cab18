"""Knowing before anything starts what the selected scenarios need."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from behave.model import Feature, Scenario, Step

from stackproof.errors import Trouble
from stackproof.services import service
from stackproof.services.base import Requirement, resolve_options
from stackproof.session.needs import Need, needs_of

_TIMEOUT_TAG = re.compile(r"timeout:(\d+(?:\.\d+)?)s?$")
_ALONE_TAG = "performance"


@dataclass
class ScenarioPlan:
    """One selected scenario.

    Attributes:
        id: unique within the run, e.g. "s007".
        feature_index: position of its feature among the parsed ones.
        index: position among ``feature.walk_scenarios()``.
        requirements: what it needs, by service.
        deadline: seconds it may take.
        alone: no other scenario may run beside it.
    """

    id: str
    feature_index: int
    index: int
    scenario: Scenario
    requirements: dict[str, Requirement]
    deadline: float
    alone: bool


@dataclass
class Plan:
    """All selected scenarios and what they need."""

    features: Sequence[Feature]
    scenarios: list[ScenarioPlan] = field(default_factory=list)
    undefined: list[tuple[Scenario, Step]] = field(default_factory=list)

    def shared(self) -> set[Requirement]:
        """Clusters that scenarios share."""
        return {r for s in self.scenarios for r in s.requirements.values() if not r.dedicated}

    def dedicated(self) -> list[Requirement]:
        """Clusters for single scenarios, one entry per scenario."""
        return [r for s in self.scenarios for r in s.requirements.values() if r.dedicated]

    def services(self) -> list[str]:
        """Names of all services needed."""
        return sorted({r.service for s in self.scenarios for r in s.requirements.values()})

    def shuffle(self, seed: str) -> None:
        """Put features, and scenarios within them, into a random order (reproducible)."""
        dice = random.Random(seed)
        keys = {index: dice.random() for index in range(len(self.features))}
        self.scenarios.sort(key=lambda s: (keys[s.feature_index], dice.random()))

    def describe(self) -> str:
        """The plan for people (``--plan``)."""
        lines = [f"{len(self.scenarios)} scenarios in "
                 f"{len({s.feature_index for s in self.scenarios})} features"]  # fmt: skip
        lines += [f"  shared:    {r}" for r in sorted(self.shared(), key=str)]
        lines += [f"  dedicated: {r}, for one scenario" for r in self.dedicated()]
        last = None
        for planned in self.scenarios:
            if planned.feature_index != last:
                last = planned.feature_index
                lines.append(f"{self.features[last].filename}: {self.features[last].name}")
            needed = ", ".join(str(r) + (" dedicated" if r.dedicated else "")
                               for r in planned.requirements.values()) or "nothing"  # fmt: skip
            lines.append(f"  {planned.scenario.name}  [{needed}; {planned.deadline:g} s]")
        return "\n".join(lines)


def make_plan(
    features: Sequence[Feature],
    config: Any,
    registry: Any,
    *,
    scenario_timeout: float,
    time_factor: float,
) -> Plan:
    """Match every step of every selected scenario, Background and Rules included.

    Args:
        features: parsed features.
        config: behave's configuration; its tags and names select.
        registry: behave's step registry.
        scenario_timeout: seconds a scenario may take without a tag.
        time_factor: multiplies every limit.
    """
    plan = Plan(features)
    for feature_index, feature in enumerate(features):
        for index, scenario in enumerate(feature.walk_scenarios()):
            if not _selected(scenario, config):
                continue
            requirements = {}
            for step, match in _matched(scenario, registry):
                if match is None:
                    plan.undefined.append((scenario, step))
                    continue
                for need in needs_of(match.func):
                    merged = _merge(requirements.get(need.service), need, match, step)
                    requirements[need.service] = merged
            plan.scenarios.append(
                ScenarioPlan(
                    id=f"s{len(plan.scenarios) + 1:03d}",
                    feature_index=feature_index,
                    index=index,
                    scenario=scenario,
                    requirements=requirements,
                    deadline=_deadline(scenario, scenario_timeout) * time_factor,
                    alone=_ALONE_TAG in scenario.effective_tags,
                )
            )
    return plan


def _selected(scenario: Scenario, config: Any) -> bool:
    return scenario.should_run(config) and scenario.should_run_with_name_select(config)


def _matched(scenario: Scenario, registry: Any) -> Iterator[tuple[Step, Any]]:
    for step in scenario.all_steps:
        yield step, registry.find_match(step)


def _deadline(scenario: Scenario, default: float) -> float:
    # The scenario's own tag stands behind its feature's and outline's: the last one counts.
    for tag in reversed([*scenario.feature.tags, *scenario.tags]):
        if match := _TIMEOUT_TAG.match(tag):
            return float(match.group(1))
    return default


def _merge(present: Requirement | None, need: Need, match: Any, step: Step) -> Requirement:
    options = dict(present.options) if present else {}
    arguments = {argument.name: argument.value for argument in match.arguments or ()}
    for name, value in need.options:
        if isinstance(value, str) and value.startswith("{"):
            value = arguments[value.strip("{}")]
        if name in options and options[name] != value:
            try:
                value = max(options[name], value)
            except TypeError:
                raise Trouble(
                    f"two steps need {need.service} with different {name}",
                    f"{options[name]!r} and {value!r} ({step.filename}:{step.line})",
                    "use one of them in the scenario",
                ) from None
        options[name] = value
    resolve_options(service(need.service), options)  # unknown options are told before the start
    return Requirement(
        need.service,
        tuple(sorted(options.items())),
        need.dedicated or (present is not None and present.dedicated),
    )
