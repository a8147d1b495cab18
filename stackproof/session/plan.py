"""Knowing before anything starts what the selected scenarios need."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from behave.model import Feature, Scenario, Step

from stackproof.errors import Trouble
from stackproof.obtain import Artifact
from stackproof.reporting.evidence import KnownIssue
from stackproof.reporting.naming import Catalogue, Identity
from stackproof.services import service
from stackproof.services.base import Requirement, resolve_options
from stackproof.session.needs import Need, artifacts_of, needs_of, systems_of
from stackproof.settings import Settings
from stackproof.texts import counted

_TIMEOUT_TAG = re.compile(r"timeout:(?P<seconds>\d+(?:\.\d+)?)s?$")
_TIMEOUT = "timeout:"
_ALONE_TAG = "performance"
_PARAMETER = re.compile(r"\{(\w+)\}$")


@dataclass
class ScenarioPlan:
    """One selected scenario.

    Attributes:
        id: unique within the run, e.g. "s007".
        feature_index: position of its feature among the parsed ones.
        index: position among ``feature.walk_scenarios()``.
        steps: all of its steps, Background included (behave has but an iterator).
        requirements: what it needs, by service, or as a step calls it.
        deadline: seconds it may take.
        alone: no other scenario may run beside it.
        destructive: what it does that an endpoint must allow by name, by service.
        exclusive: names of what no other scenario may use beside it.
        uses: names of such things that it uses beside others.
        artifacts: keys of programs that its steps use besides services.
    """

    id: str
    feature_index: int
    index: int
    scenario: Scenario
    steps: list[Step]
    requirements: dict[str, Requirement]
    deadline: float
    alone: bool
    destructive: dict[str, str] = field(default_factory=dict)
    exclusive: frozenset[str] = frozenset()
    uses: frozenset[str] = frozenset()
    artifacts: frozenset[str] = frozenset()


@dataclass
class Plan:
    """All selected scenarios and what they need.

    Attributes:
        features: parsed features, also those without a selected scenario.
        scenarios: the selected ones in the order in which they shall run.
        undefined: steps that no step function matches.
        empty: places of what is selected but can prove nothing, with the reason.
        matches: what behave's step registry found for a step, by the step's ``id()``.
        base_dir: the project's directory; scenarios are identified by their path below it.
        notes: what was left out, in sentences for people.
        problems: what keeps the run from passing, however its scenarios end.
        selection: what was selected, as plain data, for those who merge shards.
        known_issues: of quarantined scenarios, by the plan's scenario ID.
        artifacts: programs that steps use besides services, by key.
        earlier: how scenarios that are run again ended before, by ID.
        durations: seconds that scenarios took in an earlier run, by key, as far as known.
    """

    features: Sequence[Feature]
    scenarios: list[ScenarioPlan] = field(default_factory=list)
    undefined: list[tuple[Scenario, Step]] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    matches: dict[int, Any] = field(default_factory=dict)
    base_dir: str | None = None
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    selection: dict[str, Any] = field(default_factory=dict)
    known_issues: dict[str, KnownIssue] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    earlier: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    durations: dict[str, float] = field(default_factory=dict)

    @cached_property
    def catalogue(self) -> Catalogue:
        """Knows the identities of all scenarios."""
        return Catalogue(self.base_dir)

    def identity(self, planned: ScenarioPlan) -> Identity:
        """What identifies a scenario from run to run."""
        return self.catalogue.identity(planned.scenario)

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
        features = len({s.feature_index for s in self.scenarios})
        lines = [f"{counted(len(self.scenarios), 'scenario')} in {counted(features, 'feature')}"]
        lines += self.notes
        lines += [f"problem: {problem}" for problem in self.problems]
        lines += [f"  shared:    {r}" for r in sorted(self.shared(), key=str)]
        lines += [f"  dedicated: {r}, for one scenario" for r in self.dedicated()]
        last = None
        for planned in self.scenarios:
            if planned.feature_index != last:
                last = planned.feature_index
                lines.append(f"{self.features[last].filename}: {self.features[last].name}")
            needed = ", ".join(str(r) + (" dedicated" if r.dedicated else "")
                               for r in planned.requirements.values()) or "nothing"  # fmt: skip
            known = "  quarantined" if planned.id in self.known_issues else ""
            lines.append(f"  {planned.scenario.name}  [{needed}; {planned.deadline:g} s]{known}")
        return "\n".join(lines)


def make_plan(
    features: Sequence[Feature],
    config: Any,
    registry: Any,
    *,
    scenario_timeout: float,
    time_factor: float,
    wanted: Callable[[Any], bool] = lambda scenario: True,
    settings: Settings | None = None,
) -> Plan:
    """Match every step of every selected scenario, Background and Rules included.

    Args:
        features: parsed features.
        config: behave's configuration; its tags and names select.
        registry: behave's step registry.
        scenario_timeout: seconds a scenario may take without a tag.
        time_factor: multiplies every limit.
        wanted: whether a scenario (or outline) that tags and names select is wanted at all.
        settings: tell which systems need their services for themselves.

    Raises:
        Trouble: what a scenario declares cannot be understood or had.
    """
    plan = Plan(features, base_dir=getattr(config, "base_dir", None))
    known: dict[tuple[str, str], Any] = {}
    for feature_index, feature in enumerate(features):
        plan.empty += _outlines_without_rows(feature, config, wanted)
        for index, scenario in enumerate(feature.walk_scenarios()):
            if not scenario.should_run(config) or not wanted(scenario):
                continue
            steps = list(scenario.all_steps)
            if not steps:
                plan.empty.append(f"{scenario.filename}:{scenario.line}: has no steps")
            requirements: dict[str, Requirement] = {}
            destructive: dict[str, str] = {}
            systems: set[str] = set()
            artifacts: dict[str, Artifact] = {}
            for step in steps:
                key = (step.step_type, step.name)
                if key not in known:
                    known[key] = registry.find_match(step)
                match = plan.matches[id(step)] = known[key]
                if match is None:
                    plan.undefined.append((scenario, step))
                    continue
                arguments = _arguments(match)
                named = systems_of(match.func, arguments)
                systems.update(named)
                artifacts |= {a.key: a for a in artifacts_of(match.func)}
                for need in (*_needs_of(named, settings), *needs_of(match.func, arguments)):
                    name = need.called or need.service
                    requirements[name] = _merge(requirements.get(name), need, match, step)
                    if need.destructive:
                        destructive.setdefault(name, need.destructive)
            plan.artifacts |= artifacts
            exclusive = _kept_apart(requirements, systems, settings)
            broken, used = _endpoints(requirements, settings)
            alone = _ALONE_TAG in scenario.effective_tags
            plan.scenarios.append(
                ScenarioPlan(
                    id=f"s{len(plan.scenarios) + 1:03d}",
                    feature_index=feature_index,
                    index=index,
                    scenario=scenario,
                    steps=steps,
                    requirements=requirements,
                    deadline=_deadline(scenario, scenario_timeout)
                    * time_factor
                    * _granted(systems, settings)
                    + (settings["run.quiet_within"] if alone and settings else 0),
                    alone=alone,
                    destructive=destructive,
                    exclusive=exclusive | broken,
                    uses=used,
                    artifacts=frozenset(artifacts),
                )
            )
    return plan


def _needs_of(systems: Sequence[str], settings: Settings | None) -> Iterator[Need]:
    """What systems work with: services beside other scenarios."""
    known = settings.systems if settings else {}
    for name in systems:
        for service_name in known[name].services if name in known else ():
            yield Need(service_name, False, ())


def _granted(systems: set[str], settings: Settings | None) -> float:
    """The longest time that a scenario's systems are granted, as a factor of its limit."""
    known = settings.systems if settings else {}
    return max((known[name].limits.time_factor for name in systems if name in known), default=1)


def _kept_apart(
    requirements: dict[str, Requirement], systems: set[str], settings: Settings | None
) -> frozenset[str]:
    """Keep scenarios from meeting whose systems take the names of topics literally.

    A broker of its own costs a second and lets scenarios run side by side, with nothing left
    from before. Somebody's endpoint is there but once: on that, they take turns.

    Returns:
        Names of what no other scenario may use beside this one; ``requirements`` is changed.
    """
    exclusive = set()
    exact = {name for name in systems if settings and name in settings.systems
             and settings.systems[name].exact}  # fmt: skip
    for name in exact:
        assert settings is not None
        if settings.provider_of("kafka")[0] == "external":
            exclusive.add(f"system {name}")
        elif "kafka" in requirements:
            requirements["kafka"] = replace(requirements["kafka"], dedicated=True)
    return frozenset(exclusive)


def _endpoints(
    requirements: dict[str, Requirement], settings: Settings | None
) -> tuple[frozenset[str], frozenset[str]]:
    """Endpoints of somebody's that a scenario may break, and those that it only uses."""
    if settings is None:
        return frozenset(), frozenset()
    there = [r for r in requirements.values() if settings.provider_of(r.service)[0] == "external"]
    broken = frozenset(f"endpoint {r.service}" for r in there if r.dedicated)
    return broken, frozenset(f"endpoint {r.service}" for r in there) - broken


def containers_of(scenario: Scenario) -> Iterator[Any]:
    """What a scenario stands in, from the inside: its outline, its rule, its feature."""
    parent = scenario.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def lines_around(planned: ScenarioPlan) -> set[int]:
    """Lines of what a scenario stands in."""
    return {container.line for container in containers_of(planned.scenario)}


def _outlines_without_rows(
    feature: Feature, config: Any, wanted: Callable[[Any], bool]
) -> Iterator[str]:
    """Selected outlines that make no scenario at all: they would look as if they had passed."""
    if any(s.should_skip for s in feature.walk_scenarios()):
        return  # chosen by line
    for outline in feature.iter_scenario_outlines():
        if not outline.scenarios and outline.should_run(config) and wanted(outline):
            yield f"{outline.filename}:{outline.line}: has no rows of examples"


def _deadline(scenario: Scenario, default: float) -> float:
    """What the nearest tag says: the scenario's own, its outline's, rule's, feature's."""
    # A row's tags are its outline's with those of its examples behind them.
    levels = [scenario.tags, *(container.tags for container in containers_of(scenario))]
    for tags in levels:
        for tag in reversed(tags):
            if not tag.startswith(_TIMEOUT):
                continue
            match = _TIMEOUT_TAG.match(tag)
            if match is None or float(match["seconds"]) <= 0:
                raise Trouble(
                    f"@{tag} is no time limit",
                    f"{scenario.filename}:{scenario.line}: {scenario.name}",
                    f"write it in seconds, e.g. @{_TIMEOUT}120",
                )
            return float(match["seconds"])
    return default


def _merge(present: Requirement | None, need: Need, match: Any, step: Step) -> Requirement:
    place = f"{step.filename}:{step.line}: {step.keyword} {step.name}"
    try:
        defaults = service(need.service).default_options()
        options = dict(present.options) if present else {}
        for name, declared in need.options:
            value = _value(declared, defaults.get(name), match, place)
            if name in options and options[name] != value:
                value = _larger(need.service, name, options[name], value, place)
            options[name] = value
        resolve_options(service(need.service), options)
    except Trouble as trouble:
        if place in trouble.why:
            raise
        # Told before the start, with the step that asks for it.
        raise Trouble(trouble.what, f"{trouble.why}\n{place}".lstrip(), trouble.remedy) from trouble
    return Requirement(
        need.service,
        tuple(sorted(options.items())),
        need.dedicated or (present is not None and present.dedicated),
    )


def _arguments(match: Any) -> dict[str, Any]:
    return {argument.name: argument.value for argument in match.arguments or ()}


def _value(declared: Any, default: Any, match: Any, place: str) -> Any:
    """The option's value: as declared, or that of the step's parameter in braces."""
    parameter = _PARAMETER.match(declared) if isinstance(declared, str) else None
    if parameter is None:
        return declared
    arguments = _arguments(match)
    if parameter[1] not in arguments:
        raise Trouble(
            f"the step has no parameter {parameter[1]!r}",
            f"{place}\nits parameters: {', '.join(map(str, arguments)) or 'none'}",
            "correct the step's @needs",
        )
    value = arguments[parameter[1]]
    if isinstance(value, str) and _is_number(default):
        # Compared as text, "10" would be less than "9".
        try:
            return type(default)(value)
        except ValueError:
            raise Trouble(
                f"{value!r} is no number", place, f"correct the step, or use {{{parameter[1]}:d}}"
            ) from None
    return value


def _larger(service_name: str, name: str, one: Any, other: Any, place: str) -> Any:
    if _is_number(one) and _is_number(other):
        return max(one, other)
    raise Trouble(
        f"two steps need {service_name} with different {name}",
        f"{one!r} and {other!r}\n{place}",
        "use one of them in the scenario",
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
