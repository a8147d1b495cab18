"""``stackproof compatibility``: what of the features an external server passes, as a page.

Scenarios run that need nothing but an endpoint and do it no harm. The page holds no dates,
addresses or names of runs, so that it changes only when the server or the suite does.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from stackproof import settings as settings_module
from stackproof.commands.options import of_run
from stackproof.errors import EXIT_FAILED, EXIT_PASSED
from stackproof.services import service
from stackproof.services.base import Versioned
from stackproof.session.selection.last import RESULTS
from stackproof.stack.external import (
    ANSWERS_WITHIN,
    ExternalProvider,
    asked,
    external_endpoint,
    wait_answers,
)

#: What differs from run to run, and what stands for it.
_PASSING = (
    (re.compile(r"\br[0-9a-f]{8}(?=[-.])"), "RUN"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}:\d+|\blocalhost:\d+"), "HOST:PORT"),
    (re.compile(r"\bs\d{3,}(?=-)"), "SCENARIO"),
)
_SAID = 3  # lines of a reason


def compatibility(options: argparse.Namespace) -> int:
    """Run, and write the page; 0 when it was written, whatever the scenarios came to.

    Raises:
        Trouble: the endpoint is not configured, or does not answer.
    """
    from stackproof.commands.run import run

    the_service = service(options.service)
    settings = settings_module.load()
    endpoint = external_endpoint(settings, the_service, options.service, {})
    wait_answers(the_service, endpoint, within=ANSWERS_WITHIN * settings["run.time_factor"])
    version = ""
    if isinstance(the_service, Versioned):
        with asked(the_service, endpoint):
            version = the_service.version(endpoint)
    # Beside those of ordinary runs: `--rerun-failed` goes by the last of these.
    own = Path(settings["run.reports"]) / f"compatibility-{options.service}"
    reports = Path(options.reports or own)
    results = reports / RESULTS
    results.unlink(missing_ok=True)
    line = [*options.paths, f"--stack={ExternalProvider.name}", "--suite=pr", "--no-report",
            "--reports", str(reports)]  # fmt: skip
    line += [f"--time-factor={options.time_factor}"] if options.time_factor else []
    running = of_run(argparse.ArgumentParser()).parse_args(line)
    running.endpoint_only = options.service
    code = run(running)
    if code not in (EXIT_PASSED, EXIT_FAILED) or not results.exists():
        return code
    scenarios = json.loads(results.read_text(encoding="utf-8"))["scenarios"]
    output = Path(options.output or f"compatibility-{options.service}.md")
    output.write_text(
        page(options.title or the_service.title, version, scenarios), encoding="utf-8"
    )
    print(f"page: {output}")
    return EXIT_PASSED


def page(title: str, version: str, scenarios: Sequence[Mapping[str, Any]]) -> str:
    """The page, as Markdown.

    Args:
        title: the server's name.
        version: what it says of itself.
        scenarios: of the run's results.
    """
    by_verdict: dict[str, list[Mapping[str, Any]]] = {
        "passed": [],
        "failed": [],
        "not supported": [],
    }
    for scenario in sorted(scenarios, key=lambda s: (s["feature"], s["line"])):
        by_verdict.setdefault(scenario["verdict"], []).append(scenario)
    counts = ", ".join(f"{len(found)} {verdict}" for verdict, found in by_verdict.items())
    lines = [
        f"# {title}",
        "",
        f"{version or 'It does not say its version'}. Scenarios: {counts}.",
        "",
    ]
    for verdict, found in by_verdict.items():
        if found and verdict != "passed":
            lines += [f"## {verdict.capitalize()}", "", *_with_reasons(found), ""]
    lines += ["## Passed", "", *_in_features(by_verdict["passed"]), ""]
    return "\n".join(lines)


def _with_reasons(scenarios: Iterable[Mapping[str, Any]]) -> list[str]:
    lines = []
    for scenario in scenarios:
        said = [line.strip() for line in lasting(scenario["reason"]).splitlines() if line.strip()]
        lines += [f"- {scenario['name'].strip()}", *(f"  - {line}" for line in said[:_SAID])]
    return lines


def _in_features(scenarios: Iterable[Mapping[str, Any]]) -> list[str]:
    return [
        f"- `{Path(feature).as_posix()}`: {len([*found])}"
        for feature, found in groupby(scenarios, key=lambda s: s["feature"])
    ]


def lasting(text: str) -> str:
    """A text without what is another one in the next run."""
    for pattern, instead in _PASSING:
        text = pattern.sub(instead, text)
    return text
