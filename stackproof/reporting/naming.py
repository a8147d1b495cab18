"""What identifies a scenario and how it is filed: path, area, requirements, severity.

Trends join results by identity, so it must survive a renumbered line, another order,
another worker and another checkout; and two scenarios must never share one. It is made of
the feature's path below ``features/``, the rule, the scenario's (or outline's) name and
the example's cells.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

SEVERITIES = ("blocker", "critical", "normal", "minor", "trivial")
SUITES = ("release", "nightly", "pull-request")
_REQUIREMENT = re.compile(r"[A-Z][A-Z0-9]*-\d+\Z")
_SEVERITY = re.compile(r"severity[:=.](\w+)\Z")
_ROW_SUFFIX = re.compile(r" -- @\d+\.\d+ .*\Z", re.S)
_LONGEST_CELLS = 80


@dataclass(frozen=True)
class Identity:
    """A scenario's place and name in every report.

    Attributes:
        path: the feature file below ``features/``, with forward slashes.
        area: title of the folder it lies in.
        name: what readers see; outline rows of one outline have distinct names.
        template: the name as written in the feature file, placeholders included.
        cells: the example row, by heading.
        examples: the name of the Examples table.
        nth: 2, 3, ... for repetitions of exactly the same scenario in a feature.
        tags: all tags, outermost first.
    """

    path: str
    area: str
    feature: str
    rule: str
    name: str
    template: str
    cells: dict[str, str] = field(default_factory=dict)
    examples: str = ""
    nth: int = 1
    tags: tuple[str, ...] = ()

    @property
    def requirements(self) -> list[str]:
        """Requirement IDs among the tags."""
        return [tag for tag in self.tags if _REQUIREMENT.match(tag)]

    @property
    def severity(self) -> str:
        """The innermost severity tag; "normal" without one."""
        for tag in reversed(self.tags):
            found = _SEVERITY.match(tag)
            value = (found[1] if found else tag).lower()
            if value in SEVERITIES:
                return value
        return "normal"

    @property
    def suite(self) -> str:
        """When it runs: untagged scenarios run on every pull request."""
        return next((suite for suite in SUITES[:-1] if suite in self.tags), SUITES[-1])

    @property
    def package(self) -> str:
        """The feature file as a dotted name."""
        return ".".join(PurePosixPath(self.path).with_suffix("").parts)

    @property
    def full_name(self) -> str:
        """File, rule and name as written; the same for all rows of an outline."""
        again = f" (#{self.nth})" if self.nth > 1 else ""
        rule = f"{self.rule} / " if self.rule else ""
        return f"{self.path}: {rule}{self.template}{again}"

    @property
    def identifying(self) -> dict[str, str]:
        """What tells this row from its siblings."""
        return {**self.cells, **({"examples": self.examples} if self.examples else {})}

    @property
    def test_case_id(self) -> str:
        """Stable across runs and providers; one for all rows of an outline."""
        # The full name's separators may occur in names, a JSON-like list's cannot clash.
        return _digest(self.path, self.rule, self.template, str(self.nth))

    @property
    def key(self) -> str:
        """Names this scenario or row in results.json; the same whatever ran it."""
        return self.history_id("")

    def history_id(self, provider: str) -> str:
        """Stable across runs; distinct for rows and providers."""
        cells = [part for item in sorted(self.identifying.items()) for part in item]
        return _digest(self.test_case_id, provider, *cells)


class Catalogue:
    """Identities of the scenarios of all features, worked out a feature at a time."""

    def __init__(self, base_dir: str | os.PathLike[str] | None = None):
        # Absolute, but links unresolved: a linked feature is where its author put it.
        self._base = Path(base_dir or Path.cwd()).absolute()
        self._known: dict[int, Identity] = {}
        self._features: dict[int, Any] = {}  # keeps them alive, so that ids stay theirs

    def identity(self, scenario: Any) -> Identity:
        """The scenario's identity."""
        feature = scenario.feature
        if id(feature) not in self._features:
            self._features[id(feature)] = feature
            self._learn(feature)
        return self._known[id(scenario)]

    def path(self, feature: Any) -> str:
        """The feature file's path below ``features/``."""
        relative = os.path.relpath(Path(feature.filename).absolute(), self._base)
        return relative.replace(os.sep, "/").removeprefix("features/")

    def area(self, feature: Any) -> str:
        """Title of the folder below ``features/``."""
        folders = [part for part in PurePosixPath(self.path(feature)).parts[:-1] if part != ".."]
        if not folders:
            return "General"
        words = re.sub(r"[-_]+", " ", folders[0])
        return words if words != words.lower() else words.title()

    def _learn(self, feature: Any) -> None:
        path, area = self.path(feature), self.area(feature)
        seen: Counter[tuple[object, ...]] = Counter()
        for scenario in feature.walk_scenarios():
            rule = _rule_of(scenario)
            row, examples = _row_of(scenario)
            cells = dict(row.items()) if row is not None else {}
            template = scenario.parent.name if row is not None else scenario.name
            key = (rule.name if rule else "", template, tuple(sorted(cells.items())), examples)
            seen[key] += 1
            self._known[id(scenario)] = Identity(
                path=path,
                area=area,
                feature=feature.name,
                rule=rule.name if rule else "",
                name=_display_name(scenario, cells) if row is not None else scenario.name,
                template=template,
                cells=cells,
                examples=examples,
                nth=seen[key],
                tags=_ordered_tags(feature, rule, scenario),
            )


def _display_name(scenario: Any, cells: dict[str, str]) -> str:
    """The row's name without behave's numbers, distinct among its siblings."""
    name = _ROW_SUFFIX.sub("", scenario.name)
    alike = sum(_ROW_SUFFIX.sub("", sibling.name) == name for sibling in scenario.parent.scenarios)
    if alike == 1:
        return name
    values = ", ".join(cells.values())
    if len(values) > _LONGEST_CELLS:
        values = values[:_LONGEST_CELLS].rstrip() + "..."
    return f"{name} [{values}]"


def _rule_of(scenario: Any) -> Any:
    parent = scenario.parent
    while parent is not None:
        if parent.type == "rule":
            return parent
        parent = parent.parent
    return None


def _row_of(scenario: Any) -> tuple[Any, str]:
    """The example row a scenario was made from, and its table's name.

    Found by line, because ``Scenario.reset()`` forgets the row.
    """
    for examples in getattr(scenario.parent, "examples", ()):
        for row in examples.table or ():
            if row.line == scenario.line:
                return row, examples.name or ""
    return None, ""


def _ordered_tags(feature: Any, rule: Any, scenario: Any) -> tuple[str, ...]:
    levels = [feature.tags, rule.tags if rule else (), scenario.tags]
    return tuple(dict.fromkeys(str(tag) for level in levels for tag in level))


def _digest(*parts: str) -> str:
    text = "\x1f".join(parts)
    return hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
