"""What a scenario looks like: its name, the order of its steps, its tags."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from stackproof.session.selection.misread import misread
from tests.house.project import Finding, Project, bodies, rules

SUITES = {"seed", "nightly", "release", "performance"}
SEVERITIES = {"blocker", "critical", "normal", "minor", "trivial"}
REQUIREMENTS = "docs/requirements.md"
_REQUIREMENT = re.compile(r"[A-Z][A-Z0-9]*-\d+")
_REQUIREMENT_ROW = re.compile(r"^\|\s*([A-Z][A-Z0-9]*-\d+)\s*\|", re.MULTILINE)
_TIMEOUT = re.compile(r"timeout:\d+(\.\d+)?s?")
_PLACEHOLDER = re.compile(r"<([\w .-]+)>")
_BUILT_IN = {"examples.name", "examples.index", "row.index", "row.id"}


def shaped(project: Project) -> Iterator[Finding]:
    """Scenarios that do not read like the others."""
    for path, feature in project.features:
        scenarios = list(bodies(feature))
        for holder in [feature, *rules(feature)]:
            yield from _background(path, holder.background)
            if not holder.name:
                yield Finding(path, holder.line, f"{holder.keyword} without a name", "name it")
        for line, said in misread(feature, lambda wording: False):
            yield Finding(path, line, f"{said!r} is read as a description", "correct its keyword")
        if not scenarios:
            yield Finding(path, feature.line, "a feature without scenarios", "write one")
        names = Counter(scenario.name for scenario in scenarios)
        for scenario in scenarios:
            for wrong, remedy in _scenario(scenario, names[scenario.name]):
                yield Finding(path, scenario.line, wrong, remedy)
            yield from _in_order(path, scenario.steps)
            yield from _placeholders(path, scenario)


def _background(path: str, background: Any) -> Iterator[Finding]:
    for step in background.steps if background is not None else ():
        if step.step_type != "given":
            yield Finding(path, step.line, f"a {step.step_type} in a Background",
                          "move it into the scenarios")  # fmt: skip


def _scenario(scenario: Any, namesakes: int) -> Iterator[tuple[str, str]]:
    if not scenario.name:
        yield "a scenario without a name", "say in a sentence what holds"
    elif namesakes > 1:
        yield f"{namesakes} scenarios are called {scenario.name!r}", "tell them apart"
    if scenario.steps and scenario.steps[-1].step_type != "then":
        yield "the scenario ends without a Then", "say what must be seen"


def _in_order(path: str, steps: list[Any]) -> Iterator[Finding]:
    if steps and steps[0].keyword in ("And", "But"):
        yield Finding(path, steps[0].line, f"a scenario begins with {steps[0].keyword}",
                      "begin with Given, When or Then")  # fmt: skip
    for one, other in pairwise(steps):
        if other.step_type == "given" != one.step_type:
            yield Finding(path, other.line, f"a {other.keyword} after a {one.step_type.title()}",
                          "say first what is given")  # fmt: skip
        elif other.keyword == one.step_type.title():
            yield Finding(path, other.line, f"{other.keyword} is repeated", "say And or But")


def _placeholders(path: str, outline: Any) -> Iterator[Finding]:
    if outline.type != "scenario_outline":
        return
    said = [outline.name, *outline.tags]
    for step in outline.steps:
        said += [step.name, step.text or "", *_cells(step.table)]
    asked = {name for text in said for name in _PLACEHOLDER.findall(text)}
    if not any(examples.table is not None and examples.table.rows for examples in outline.examples):
        yield Finding(path, outline.line, "an outline without examples", "add some")
    for examples in outline.examples:
        columns = set(examples.table.headings if examples.table is not None else ())
        for name in sorted(asked - columns - _BUILT_IN):
            yield Finding(path, examples.line, f"no column for <{name}>", "add it")
        for name in sorted(columns - asked):
            yield Finding(path, examples.line, f"nothing says <{name}>", "remove the column")


def _cells(table: Any) -> list[str]:
    return [*table.headings, *(cell for row in table for cell in row)] if table is not None else []


def tagged(project: Project) -> Iterator[Finding]:
    """Tags that nobody knows, and scenarios without an area or a requirement."""
    areas = {path.split("/")[1] for path, _ in project.features if path.count("/") > 1}
    required = set(_REQUIREMENT_ROW.findall(project.text(REQUIREMENTS)))
    for path, feature in project.features:
        for tag in _tags(feature):
            if wrong := _unknown(tag, areas, required):
                yield Finding(path, tag.line, *wrong)
        if path.count("/") < 2:
            yield Finding(path, 1, "a feature outside the areas", "move it to a folder of its area")
            continue
        area = path.split("/")[1]
        for scenario in feature.walk_scenarios():
            tags = scenario.effective_tags
            if area not in tags:
                yield Finding(path, scenario.line, f"{scenario.name!r} lacks its area",
                              f"tag the feature @{area}")  # fmt: skip
            if not any(_REQUIREMENT.fullmatch(tag) for tag in tags):
                yield Finding(path, scenario.line, f"{scenario.name!r} proves no requirement",
                              f"tag it with an ID of {REQUIREMENTS}")  # fmt: skip


def _tags(feature: Any) -> list[Any]:
    scenarios = list(bodies(feature))
    examples = [e for scenario in scenarios for e in getattr(scenario, "examples", ())]
    return [t for holder in [feature, *rules(feature), *scenarios, *examples] for t in holder.tags]


def _unknown(tag: str, areas: set[str], required: set[str]) -> tuple[str, str] | None:
    if _REQUIREMENT.fullmatch(tag):
        if tag not in required:
            return f"requirement @{tag} does not exist", f"{REQUIREMENTS} has those there are"
        return None
    if tag in areas | SUITES | SEVERITIES or _TIMEOUT.fullmatch(tag):
        return None
    known = " ".join(f"@{name}" for name in [*sorted(areas), *sorted(SUITES), *sorted(SEVERITIES)])
    return f"tag @{tag} is unknown", f"known are {known} @timeout:SECONDS and requirement IDs"
