"""The end of a run on one screen: counts, failures, what did not run, where the report is."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackproof import errors, masking
from stackproof.reporting.evidence import DID_NOT_RUN, proof_of
from stackproof.reporting.lifecycle import is_selected, late_errors, never_began
from stackproof.reporting.naming import Catalogue
from stackproof.reporting.outcome import Outcome, outcome_of
from stackproof.texts import counted

#: What fits on the smallest usual terminal together with the prompt.
MOST_LINES = 24
_SLOWEST = 3
_MOST_NOTES = 6
_BESIDE_NAMES = 24
_REASON_LINES = 3
_MOST_ADVICE = 3
#: Words with a digit: counts, offsets, times, identities.
_VARYING = re.compile(r"\S*\d\S*")
_REMEDY = re.compile(r"^ *what to do: (.+)$", re.MULTILINE)
_WHAT_TO_DO = {
    "product": "read the message above and look at the timeline in the report",
    "late": "if the limit is too short for this system, set [systems.<name>.limits]; "
    "on a slow machine, --time-factor",
    "stalled": "the end of the system's output tells what it waits for",
    "suite": "mend the step or hook; its place stands in the message above",
}
_QUARANTINED = "quarantined"
_ORDER = (
    "passed",
    "failed",
    _QUARANTINED,
    "broken",
    "skipped",
    "refused",
    "not supported",
    "machine busy",
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
    body = _body(failures, idle, room, width - _BESIDE_NAMES)
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


def _body(failures: list[_Entry], idle: list[_Entry], room: int, width: int) -> list[str]:
    """Failures first; what did not run gets the rest, but at least a third if it needs it."""
    advice = _advice(failures)[: room // 4]
    room -= len(advice)
    reserved = min(1 + len(idle), room // 3) if idle else 0
    lines = _section("did not pass:", failures, room - reserved, width)
    lines += _section("did not run:", idle, room - len(lines), width)
    return lines + advice


def _section(title: str, entries: list[_Entry], room: int, width: int) -> list[str]:
    """Each cause once, with the scenarios that it struck; the most frequent first."""
    if not entries:
        return []
    by_cause: dict[str, list[_Entry]] = {}
    for entry in entries:
        by_cause.setdefault(_cause(entry), []).append(entry)
    causes = sorted(by_cause.values(), key=lambda alike: -len(alike))
    # Whole reasons are easier to read, then one line of each; then one line for both.
    for most in (_REASON_LINES, 1):
        lines = [line for alike in causes for line in _in_lines(alike, width, most)]
        if 1 + len(lines) <= room:
            return [title, *lines]
    return [title, *_some([_in_one_line(alike) for alike in causes], room - 1)]


def _in_one_line(alike: list[_Entry]) -> str:
    if len(alike) == 1:
        return f"  {_shortened(alike[0].name)} - {_reason(alike[0])}"
    return f"  {counted(len(alike), 'scenario')}: {_reason(alike[0])}"


def _in_lines(alike: list[_Entry], width: int, most: int) -> list[str]:
    reason = _reason(alike[0])
    if len(alike) == 1:
        return [f"  {alike[0].name}", *_wrapped(reason, width, "      ", most)]
    reasons = _wrapped(f"{counted(len(alike), 'scenario')}: {reason}", width, "  ", most)
    return [*reasons, f"      {_names(alike, width)}"]


def _wrapped(text: str, width: int, indent: str, most: int) -> list[str]:
    """At most so many lines; one alone is cut later, at the width of the screen."""
    if most == 1:
        return [f"{indent}{text}"]
    return textwrap.wrap(
        text, width + _BESIDE_NAMES, max_lines=most, placeholder=" ...",
        initial_indent=indent, subsequent_indent=f"{indent}    ",
    )  # fmt: skip


def _names(alike: list[_Entry], width: int) -> str:
    """The scenarios of one cause: as many names as fit into `width`, and how many more."""
    names = [entry.name for entry in alike]
    shown = 1
    while shown < len(names) and len("; ".join(names[: shown + 1])) <= width:
        shown += 1
    more = f"; and {len(names) - shown} more" if shown < len(names) else ""
    return "; ".join(_shortened(name, width) for name in names[:shown]) + more


def _cause(entry: _Entry) -> str:
    """What failures have in common that came of one thing: all but numbers, IDs and times."""
    outcome = entry.outcome
    return f"{outcome.verdict}, {outcome.category}: {_VARYING.sub('#', outcome.cause)}"


def _advice(failures: list[_Entry]) -> list[str]:
    """What to do about failures: what their messages say, or what serves their category."""
    told: dict[str, None] = {}
    for entry in failures:
        said = _REMEDY.search(entry.outcome.message)
        told[said[1] if said else _WHAT_TO_DO.get(entry.outcome.category, "")] = None
    lines = [f"what to do: {remedy}" for remedy in told if remedy][:_MOST_ADVICE]
    return [*lines, "to run only these again: stackproof run --rerun-failed"] if lines else []


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
