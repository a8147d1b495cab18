"""``stackproof merge``: the reports of all shards as one report and one verdict."""

from __future__ import annotations

import argparse
from pathlib import Path

from stackproof.reporting.merging import Merged, merge_shards
from stackproof.texts import counted


def merge(options: argparse.Namespace) -> int:
    """Join the reports, say what became of the whole, and end with its exit code."""
    places = [Path(place) for place in options.directories]
    merged = merge_shards(places, Path(options.to))
    report = None
    if not options.no_report:
        from stackproof.commands.run import report_of

        report = report_of(merged.directory / "allure-results", Path(options.report_to))
    print("\n".join([*_lines(merged), *([f"report: {report}"] if report else [])]))
    verdict = "every shard is there, and all passed"
    if merged.quarantined:
        verdict += " but what is quarantined"
    print(f"exit code {merged.exit_code}: {'not passed' if merged.exit_code else verdict}")
    return merged.exit_code


def _lines(merged: Merged) -> list[str]:
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in merged.counts.items())
    ran = f"{counted(merged.shards, 'shard')}, {counted(merged.scenarios, 'scenario')}"
    lines = [f"{ran}: {verdicts or 'none ran'}"]
    lines += [f"problem: {problem}" for problem in merged.problems]
    return lines + [f"did not pass: {name}" for name in merged.failures]
