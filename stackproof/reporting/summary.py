"""The end of a run on one screen: counts, failures, what did not run, where the report is."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stackproof import errors, masking
from stackproof.reporting.evidence import DID_NOT_RUN, proof_of
from stackproof.reporting.lifecycle import is_selected, late_errors, never_began
from stackproof.reporting.naming import Catalogue
from stackproof.reporting.outcome import Outcome, outcome_of

#: What fits on the smallest usual terminal together with the prompt.
MOST_LINES = 24
_SLOWEST = 3
_MOST_NOTES = 6
_ALIKE = 3
_QUARANTINED = "quarantined"
_ORDER = (
    "passed",
    "failed",
    _QUARANTINED,
    "broken",
    "skipped",
    "refused",
    "not supported",
    "unknown",
)
_EXIT_CODES = {
    errors.EXIT_PASSED: "everything passed",
    errors.EXIT_FAILED: "something failed or did not run",
    errors.EXIT_COULD_NOT_RUN: "could not run",
    errors.EXIT_INTERRUPTED: "interrupted",
    errors.EXIT_TERMINATED: "terminated",
}


@dataclass(frozen=True)
class _Entry:
    name: str
    outcome: Outcome
    duration: float
    known: str = ""
    tolerated: bool = False


def render_summary(
    features: Iterable[Any],
    *,
    elapsed: float,
    provider: str = "",
    report_path: Path | str | None = None,
    config: Any,
    exit_code: int | None = None,
    notes: Iterable[str] = (),
    width: int | None = None,
) -> str:
    """The run's summary, at most 24 lines.

    Args:
        features: behave's features after the run.
        elapsed: seconds the run took.
        config: behave's configuration: what is not selected is not counted.
        exit_code: what the process ends with; by default 0 if all passed, else 1.
        notes: more lines for its end, e.g. problems of the run; six of them are shown.
        width: columns; by default the terminal's, at most 120.
    """
    width = width or min(120, shutil.get_terminal_size().columns)
    entries = _entries(features, config)
    failures = [*filter(_has_failed, entries)]
    idle = [e for e in entries if e.outcome.verdict in DID_NOT_RUN]
    if exit_code is None:
        exit_code = errors.EXIT_FAILED if failures or idle or not entries else 0
    head = [_counts(entries, elapsed, provider)]
    tail = [*_slowest(entries), *(f"report: {report_path}",) * bool(report_path)]
    tail += _some(list(notes), _MOST_NOTES)
    tail.append(f"exit code {exit_code}: {_EXIT_CODES.get(exit_code, 'see above')}")
    if exit_code == errors.EXIT_PASSED and any(entry.tolerated for entry in entries):
        tail[-1] += " but what is quarantined"
    room = max(6, MOST_LINES - len(head) - len(tail))
    body = _body(failures, idle, room)
    known = [f"  {_shortened(e.name)} - {e.known}" for e in entries if e.known]
    if known and len(body) + 2 <= room:
        body += ["quarantined:", *_some(known, room - len(body) - 1)]
    return "\n".join(_cut(masking.mask(line), width) for line in [*head, *body, *tail])


def _entries(features: Iterable[Any], config: Any) -> list[_Entry]:
    catalogue = Catalogue(config.base_dir)
    found: list[_Entry] = []
    for feature in features:
        for scenario in feature.walk_scenarios():
            proof = proof_of(scenario)
            if not proof.verdict and not is_selected(scenario, config):
                continue
            duration = proof.stop - proof.start if proof.start else scenario.duration
            identity = catalogue.identity(scenario)
            name = f"{identity.feature}: {identity.name}"
            stopped = config.stop and any(map(_has_failed, found))
            outcome = outcome_of(scenario, not_run=never_began(scenario, stopped=stopped))
            found.append(_Entry(name, outcome, duration, proof.known, proof.tolerated))
        for container, error in late_errors(feature, config):
            name = f"Hooks of the {container.type} {container.name!r}"
            found.append(_Entry(name, Outcome("broken", "suite", error), 0.0))
    return found


def _has_failed(entry: _Entry) -> bool:
    return entry.outcome.verdict in ("failed", "broken") and not entry.tolerated


def _counts(entries: list[_Entry], elapsed: float, provider: str) -> str:
    counted: Counter[str] = Counter(
        _QUARANTINED if entry.tolerated else entry.outcome.verdict for entry in entries
    )
    parts = [f"{counted[verdict]} {verdict}" for verdict in _ORDER if counted[verdict]]
    where = f" ({provider})" if provider else ""
    noun = "scenario" if len(entries) == 1 else "scenarios"
    return f"{len(entries)} {noun} in {_time(elapsed)}{where}: {', '.join(parts) or 'none ran'}"


def _body(failures: list[_Entry], idle: list[_Entry], room: int) -> list[str]:
    """Failures first; what did not run gets the rest, but at least a third if it needs it."""
    reserved = min(1 + len(idle), room // 3) if idle else 0
    lines = _section("did not pass:", failures, room - reserved)
    lines += _section("did not run:", idle, room - len(lines))
    return lines


def _section(title: str, entries: list[_Entry], room: int) -> list[str]:
    if not entries:
        return []
    entries = _gathered(entries)
    if 1 + 2 * len(entries) <= room:  # a reason in a line of its own is easier to read
        pairs = [(f"  {e.name}", f"      {_reason(e)}") for e in entries]
        return [title, *(line for pair in pairs for line in pair)]
    lines = [f"  {_shortened(e.name)} - {_reason(e)}" for e in entries]
    return [title, *_some(lines, room - 1)]


def _gathered(entries: list[_Entry]) -> list[_Entry]:
    """Scenarios that share one reason become one entry: it is one trouble."""
    by_reason: dict[str, list[_Entry]] = {}
    for entry in entries:
        by_reason.setdefault(_reason(entry), []).append(entry)
    return [
        one
        for same in by_reason.values()
        for one in (
            same
            if len(same) < _ALIKE or same[0].outcome.category == "product"
            else [replace(same[0], name=f"{len(same)} scenarios, {same[0].name} the first")]
        )
    ]


def _some(lines: list[str], room: int) -> list[str]:
    if len(lines) <= room:
        return lines
    shown = lines[: max(0, room - 1)]
    return [*shown, f"  and {len(lines) - len(shown)} more"]


def _reason(entry: _Entry) -> str:
    verdict = "" if entry.outcome.verdict in ("failed", "skipped") else entry.outcome.verdict
    return ": ".join(filter(None, (verdict, entry.outcome.headline)))


def _slowest(entries: list[_Entry]) -> list[str]:
    ranked = sorted(entries, key=lambda entry: -entry.duration)[:_SLOWEST]
    shown = [f"{_time(e.duration)} {_shortened(e.name)}" for e in ranked if e.duration >= 1]
    return [f"slowest: {shown[0]}", *(f"         {line}" for line in shown[1:])] if shown else []


def _shortened(name: str, longest: int = 56) -> str:
    return _cut(name, longest)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3].rstrip() + "..."


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
