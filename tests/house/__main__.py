"""``python -m tests.house``: checks of the suite's own house (part of `make lint`).

One line per check; what is wrong follows with its place and what to do. Exit code 0 when
all is well, else 1. ``--tidy`` lays the features out instead.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tests.house import code, documents, features, layout, steps
from tests.house.project import Finding, Project

CHECKS: dict[str, Callable[[Project], Iterable[Finding]]] = {
    "steps: each wording is defined, used, and matched once": steps.worded,
    "steps: a call and an assertion, explained": steps.thin,
    "features: laid out alike": layout.laid_out,
    "features: scenarios of one shape": features.shaped,
    "features: known tags, an area, a requirement": features.tagged,
    "code: nothing sleeps but the polling helper": code.sleeping,
    "code: texts have an encoding": code.encoded,
    "documents: the catalogue is as the steps are": documents.catalogued,
    "documents: Compose files are as the services are": documents.composed,
    "documents: no machine, registry or workplace is named": documents.placeless,
    "documents: one version of each requirement": documents.pinned,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, or lay out; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.house", description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parents[2])
    parser.add_argument("--tidy", action="store_true", help="lay the features out")
    options = parser.parse_args(arguments)
    project = Project(options.root)
    if options.tidy:
        return lay_out(project)
    results = [report(title, check, project) for title, check in CHECKS.items()]
    return 0 if all(results) else 1


def report(title: str, check: Callable[[Project], Iterable[Finding]], project: Project) -> bool:
    """Print what one check says; returns whether all is well."""
    try:
        findings = sorted(set(check(project)))
    except SyntaxError as error:
        findings = [Finding(error.filename or "?", error.lineno or 1, error.msg, "correct it")]
    print(f"{'ok   ' if not findings else 'WRONG'} {title}" + f": {len(findings)}" * bool(findings))
    for finding in findings:
        print(f"      {finding}")
    return not findings


def lay_out(project: Project) -> int:
    """Write every feature in its tidy form; returns the exit code."""
    for file in project.feature_files:
        if file.trouble is not None:
            print(file.trouble)
        elif (wanted := layout.tidy(file.text, file.feature)) != file.text:
            (project.root / file.path).write_text(wanted, encoding="utf-8", newline="\n")
            print(f"laid out {file.path}")
    return 1 if any(file.trouble for file in project.feature_files) else 0


if __name__ == "__main__":
    sys.exit(main())
