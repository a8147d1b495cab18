"""What a person at a terminal sees while scenarios run: quiet, and complete on failure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from behave.configuration import COLOR_ON_VALUES

from stackproof import masking
from stackproof.reporting.evidence import HANDED_ON, proof_of
from stackproof.reporting.lifecycle import ScenarioFormatter
from stackproof.reporting.naming import Catalogue
from stackproof.reporting.outcome import Outcome, shorten, step_outcome
from stackproof.reporting.summary import render_summary

__all__ = ["ConsoleFormatter", "Style", "render_summary"]

_LONGEST_TRACE = 8
_DASH = "\N{EN DASH}"
_MARKS = {
    "passed": "✓",
    "failed": "✗",
    "broken": "!",
    "skipped": _DASH,
    "refused": _DASH,
    "not supported": _DASH,
    "machine busy": _DASH,
    "unknown": "?",
}
_PLAIN_MARKS = {"✓": "+", "✗": "x", _DASH: "-"}
_COLORS = {"passed": "32", "failed": "31", "broken": "33", "unknown": "33"}
_DIM = "2"
_BOLD = "1"


class Style:
    """Marks and colours that the stream can show and its reader wants."""

    def __init__(self, stream: Any, config: Any):
        encoding = getattr(stream, "encoding", None) or "utf-8"
        self._fancy = _can_encode("".join(_MARKS.values()), encoding)
        wanted = config.color in COLOR_ON_VALUES or not os.environ.get("NO_COLOR")
        self._colored = wanted and config.has_colored_mode(stream)
        self._encoding = encoding

    def mark(self, verdict: str) -> str:
        """The verdict's sign."""
        sign = _MARKS[verdict]
        return self.paint(sign if self._fancy else _PLAIN_MARKS.get(sign, sign), _color(verdict))

    def paint(self, text: str, code: str) -> str:
        """The text in a colour, where colours are wanted."""
        return f"\x1b[{code}m{text}\x1b[0m" if self._colored else text

    def encodable(self, text: str) -> str:
        """The text with what the stream cannot show escaped."""
        return text.encode(self._encoding, "backslashreplace").decode(self._encoding)


class ConsoleFormatter(ScenarioFormatter):
    """One line per scenario; the failing step, its message and the evidence on failure."""

    name = "stackproof"
    description = "A line per scenario; failures with their reason and evidence"

    def __init__(self, stream_opener: Any, config: Any):
        super().__init__(stream_opener, config)
        self._out = self.open()
        self._style = Style(self._out, config)
        self._catalogue = Catalogue(config.base_dir)
        self._shown: tuple[int, str] = (0, "")
        self._told: set[str] = set()

    def on_scenario(self, scenario: Any, outcome: Outcome) -> None:
        """Prints the scenario's line, and more where more is to be said."""
        identity = self._catalogue.identity(scenario)
        self._head(scenario.feature, identity.rule)
        start, stop = self.times(scenario)
        took = self._style.paint(_duration(stop - start), _DIM)
        indent = "    " if identity.rule else "  "
        # It never began, for a reason that the run tells once for all.
        idle = outcome.category == "environment" and not proof_of(scenario).worker
        took = "not run" if idle else took
        self._line(f"{indent}{self._style.mark(outcome.verdict)} {identity.name}  {took}")
        if known := proof_of(scenario).known:
            self._line(f"{indent}    {known}")
        handed_on = proof_of(scenario).parameters.get(HANDED_ON)
        if handed_on and (self.config.verbose or outcome.verdict != "passed"):
            self._line(f"{indent}    handed on: {handed_on}")
        if self.config.verbose:
            self._steps(scenario, f"{indent}  ")
        if not idle:
            self._details(scenario, outcome, indent)
        self._out.flush()

    def _details(self, scenario: Any, outcome: Outcome, indent: str) -> None:
        if outcome.verdict in ("failed", "broken", "unknown"):
            self._explain(scenario, outcome, f"{indent}    ")
        elif outcome.verdict != "passed":
            prefix = "" if outcome.verdict == "skipped" else f"{outcome.verdict}: "
            # Reason and remedy once: many scenarios may share them.
            told = outcome.headline if outcome.message in self._told else outcome.message
            self._told.add(outcome.message)
            self._block(f"{prefix}{told}", f"{indent}    ")

    def on_container_error(self, container: Any, message: str) -> None:
        """Prints a hook error that belongs to no scenario."""
        feature = container.parent if container.type == "rule" else container
        self._head(feature, "")
        mark = self._style.mark("broken")
        self._line(f"  {mark} Hooks of the {container.type} {container.name!r}")
        self._block(message, "      ")
        self._out.flush()

    def _head(self, feature: Any, rule: str) -> None:
        if self._shown[0] != id(feature):
            self._line("")
            place = self._style.paint(f"features/{self._catalogue.path(feature)}", _DIM)
            self._line(f"{self._style.paint(feature.name, _BOLD)}  {place}")
            self._shown = (id(feature), "")
        if self._shown[1] != rule:
            if rule:
                self._line(f"  {rule}")
            self._shown = (id(feature), rule)

    def _steps(self, scenario: Any, indent: str) -> None:
        times = self.step_times(scenario)
        for step, ran in zip(scenario.all_steps, times, strict=True):
            took = self._style.paint(_duration(ran[1] - ran[0]), _DIM) if ran else ""
            mark = self._style.mark(step_outcome(step).verdict)
            self._line(f"{indent}{mark} {step.keyword} {step.name}  {took}".rstrip())

    def _explain(self, scenario: Any, outcome: Outcome, indent: str) -> None:
        if outcome.step is not None:
            step = list(scenario.all_steps)[outcome.step]
            self._line(f"{indent}{step.keyword} {step.name}")
        self._block(outcome.message, f"{indent}  ")
        if outcome.category == "suite" and outcome.trace:
            self._block("\n".join(_telling_part(outcome.trace)), f"{indent}  | ")
        for item in sorted(proof_of(scenario).attachments, key=lambda item: item.rank):
            if item.path is not None:
                self._line(f"{indent}{item.name}: {_relative(item.path)}")

    def _block(self, text: str, indent: str) -> None:
        for line in shorten(text).splitlines():
            self._line(f"{indent}{line}".rstrip())

    def _line(self, text: str) -> None:
        self._out.write(self._style.encodable(masking.mask(text)) + "\n")


def _telling_part(trace: str) -> list[str]:
    """The lines of a trace that say where it happened, a few of them."""
    lines = trace.rstrip().splitlines()
    heads = [n for n, line in enumerate(lines) if line.endswith("(most recent call first):")]
    if not heads:
        return lines[-_LONGEST_TRACE:]
    # Dumped stacks begin with the innermost frame; the main thread's is the last one.
    frames = lines[heads[-1] + 1 :]
    framework = next((n for n, line in enumerate(frames) if "/behave/" in line), len(frames))
    return frames[: min(framework, _LONGEST_TRACE)] or frames[:_LONGEST_TRACE]


def _color(verdict: str) -> str:
    return _COLORS.get(verdict, _DIM)


def _can_encode(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def _relative(path: Path) -> str:
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
