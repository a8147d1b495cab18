"""The matrix of broken systems and the scenarios that catch them."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.mutants.groups import Group
    from tests.mutants.mutant import Mutant

_MARKS = {
    "passed": "",
    "failed": "x",
    "broken": "!",
    "skipped": "-",
    "not supported": "-",
    "machine busy": "-",
}

_HEAD = """\
# What the suite catches

Written by `make mutants`. Each row is a deliberately broken pipeline, or a server with a
fault, from `tests/mutants/`; it must be caught by the scenario in bold, which must name the
anomaly. The controls are the unbroken ones under the same conditions: they pass everything.

## Changes that nobody thought of

`make mutants AUTO=20 SEED=7` makes random small changes (mutmut's operators, and calls left out)
in the Python code of a system, one at a time in a copy, and runs the features that use the
system. Log calls, docstrings, annotations, help texts and the like are left alone. What survived
stands with its diff in `reports/mutants-auto.md`: code that cannot matter outside, or a scenario
that is missing. For your own system: `SYSTEM=orders STACKPROOF_CONFIG=/path/stackproof.toml`;
`ARGS` takes more (`python -m tests.mutants.auto --help`).

## Changes that are put in on purpose

A section for each group, of its last run (`make mutants ARGS=redis` runs one again). In the second
table x is failed, ! broken, - did not run, empty: passed.

"""


def as_markdown(groups: Sequence[Group], mutants: Sequence[Mutant], before: str = "") -> str:
    """The matrix for people, in a section for each group.

    Args:
        groups: all of them.
        mutants: all of them.
        before: the page until now. A group of which not every mutant was run keeps its section.
    """
    known = {part.partition("\n")[0]: part for part in re.split(r"^### ", before, flags=re.M)[1:]}
    sections = []
    for group in groups:
        own = [mutant for mutant in mutants if mutant.group == group.name]
        if all(mutant.scenarios for mutant in [*group.controls, *own]):
            sections.append("\n".join([group.name, "", *_caught(own), "",
                                       *_matrix(group.controls, own)]))  # fmt: skip
        else:
            sections.append(known.get(group.name, f"{group.name}\n\nNot run yet.").rstrip())
    return _HEAD + "\n\n".join(f"### {section}" for section in sections) + "\n"


def _caught(mutants: Sequence[Mutant]) -> list[str]:
    lines = ["| broken | what is broken | must be caught by | named as | caught |",
             "|---|---|---|---|---|"]  # fmt: skip
    for mutant in mutants:
        caught = "yes" if mutant.caught_by and not mutant.missed() else "**no**"
        names = "; ".join(mutant.caught_by)
        lines.append(
            f"| `{mutant.name}` | {mutant.breaks} | **{names}** | {mutant.anomaly} | {caught} |"
        )
    return lines


def _matrix(controls: Sequence[Mutant], mutants: Sequence[Mutant]) -> list[str]:
    scenarios = list(controls[0].scenarios)
    lines = ["| | " + " | ".join(str(n) for n in range(1, len(scenarios) + 1)) + " |",
             "|---" * (len(scenarios) + 1) + "|"]  # fmt: skip
    for mutant in [*controls, *mutants]:
        marks = []
        for name in scenarios:
            verdict = mutant.scenarios.get(name, {}).get("verdict", "skipped")
            mark = _MARKS.get(verdict, "?")
            marks.append(f"**{mark}**" if name in mutant.caught_by and mark else mark)
        lines.append(f"| {mutant.name} | " + " | ".join(marks) + " |")
    return [*lines, "", *(f"{n}. {name}" for n, name in enumerate(scenarios, 1))]


def write_results(place: Path, groups: Sequence[Group], mutants: Sequence[Mutant]) -> None:
    """The mutants as Allure results, so that the report shows the suite's own power."""
    place.mkdir(parents=True, exist_ok=True)
    for old in place.glob("*"):
        old.unlink()
    matrix = f"{uuid.uuid4()}-attachment.md"
    (place / matrix).write_text(as_markdown(groups, mutants))
    now = int(time.time() * 1000)
    for mutant in mutants:
        caught = bool(mutant.caught_by) and not mutant.missed()
        reasons = [mutant.scenarios[n]["reason"] for n in mutant.caught_by if n in mutant.scenarios]
        result = {
            "uuid": str(uuid.uuid4()),
            "name": f"{mutant.name}: {mutant.breaks}",
            "fullName": f"tests.mutants.{mutant.name}",
            "testCaseId": f"mutant-{mutant.name}",
            "status": "passed" if caught else "failed",
            "statusDetails": {"message": "" if caught else "this broken system was not caught"},
            "description": f"Must be caught by {'; '.join(mutant.caught_by)} as "
            f'"{mutant.anomaly}".\n\n' + "\n\n".join(f"```\n{r}\n```" for r in reasons),
            "labels": [
                {"name": "epic", "value": "The suite's own power"},
                {"name": "feature", "value": "Broken systems are caught"},
                {"name": "requirement", "value": "BEYOND-03"},
                {"name": "tag", "value": "BEYOND-03"},
            ],
            "attachments": [{"name": "matrix", "type": "text/markdown", "source": matrix}],
            "start": now,
            "stop": now,
        }
        (place / f"{result['uuid']}-result.json").write_text(json.dumps(result))
