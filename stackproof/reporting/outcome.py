"""How a scenario ended, in one object: from its proof, else from behave's model.

behave keeps the reasons of a bad end in many places: a step's exception, the scenario's
own ``error_message`` (hooks), captured output (cleanups), the feature (its hooks). Every
formatter reads them here and nowhere else, so that all reports agree.
"""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass, replace
from typing import Any

from behave.model_type import Status

from stackproof.errors import NotSupported, PremiseNotMet, Refused, Trouble, explained
from stackproof.polling import Late, Stalled
from stackproof.reporting.evidence import Category, Verdict, proof_of

_BEHAVE_LINE = re.compile(r"^(?:HOOK|CLEANUP)-ERROR in .*$", re.MULTILINE)
#: Only a value beside a value makes a difference worth showing.
_HAMCREST = re.compile(
    r"(?:\A|\n)Expected: (?P<expected>.{30,}?)\n +but: was (?P<actual>.*)\Z", re.S
)
_FOREIGN = re.compile(r"site-packages[/\\](?:behave|hamcrest)[/\\]")
_HOOK_LINE = re.compile(r"^HOOK-ERROR in .*\n?", re.MULTILINE)
_BEFORE_TROUBLE = re.compile(r"\AHOOK-ERROR in \w+: \w+: ")
_CARETS = re.compile(r"^ +[~^]+\n", re.MULTILINE)
_ERROR_ECHO = re.compile(r"\A(?:ASSERT FAILED|ERROR): ")
_TOO_LONG_LINES = 40
_TOO_LONG_CHARACTERS = 4000


@dataclass(frozen=True)
class Outcome:
    """One scenario's end.

    Attributes:
        message: the failure or the reason, without a traceback; empty when it passed.
        trace: everything else that is known.
        step: index in ``all_steps`` of the step that decided; None for hooks and passes.
    """

    verdict: Verdict
    category: Category = ""
    message: str = ""
    trace: str = ""
    expected: str = ""
    actual: str = ""
    step: int | None = None

    @property
    def headline(self) -> str:
        """The message in one line: its first, with what was expected and what was there."""
        lines = [line.strip() for line in self.message.splitlines() if line.strip()]
        but = next((i for i, line in enumerate(lines) if line.startswith("but: ")), 0)
        return "; ".join(lines[: but + 1] if but <= 3 else lines[:1])


def outcome_of(scenario: Any, *, not_run: Outcome | None = None) -> Outcome:
    """Judges a scenario whose hooks and cleanups are over.

    Args:
        not_run: what to say of a scenario that never began.
    """
    proof = proof_of(scenario)
    derived = _from_model(scenario, not_run)
    if not proof.verdict:
        return derived
    same = derived.verdict == proof.verdict
    message = proof.reason or (derived.message if same else "")
    expected, actual = _expected_actual(message)
    return Outcome(
        verdict=proof.verdict,
        category=proof.category or (derived.category if same else ""),
        message=shorten(message),
        trace=proof.trace or (derived.trace if same else "") or _if_shortened(message),
        expected=proof.expected or expected,
        actual=proof.actual or actual,
        step=derived.step,
    )


def step_outcome(step: Any) -> Outcome:
    """Judges one step."""
    status = step.status
    if status.is_passed():
        return Outcome("passed")
    if status.is_failure():
        message = _assertion_message(step)
        expected, actual = _expected_actual(message)
        trace = _traceback(step) or _if_shortened(message)
        category = _kind_of_failure(step.exception)
        return Outcome("failed", category, shorten(message), trace, expected, actual)
    if status.is_undefined():
        message = f"Undefined step: {step.keyword} {step.name}"
        hint = f"A definition to begin with:\n\n{snippet(step)}"
        return Outcome("broken", "suite", message, hint)
    if status.is_error():
        return _error_outcome(step)
    return Outcome("skipped")


def container_error(container: Any) -> str:
    """The error of a feature's or rule's own hooks and cleanups; empty when there was none."""
    if container.hook_failed:
        return container.error_message or _captured_errors(container) or "a hook failed"
    if container.status is Status.cleanup_error:
        return _captured_errors(container) or f"a cleanup of this {container.type} failed"
    return ""


def snippet(step: Any) -> str:
    """A definition for an undefined step, as behave proposes it."""
    from behave.runner_util import make_undefined_step_snippet

    return str(make_undefined_step_snippet(step)).strip()


def captured_output(scenario: Any) -> str:
    """What the scenario printed and logged while behave captured, its error not repeated."""
    parts: list[str] = []
    for statement in (scenario, *scenario.all_steps):
        for capture in statement.captured.captures:
            errors = capture.stderr.removeprefix(statement.error_message or "\0")
            errors = "" if _ERROR_ECHO.match(errors) else errors
            parts += [capture.stdout, errors, capture.log]
    # A failed scenario repeats what its steps captured, and a hook's error is its message.
    told = (_HOOK_LINE.sub("", part).strip("\n") for part in parts)
    return "\n".join(dict.fromkeys(part for part in told if part.strip()))


def shorten(text: str, lines: int = _TOO_LONG_LINES, characters: int = _TOO_LONG_CHARACTERS) -> str:
    """The first lines of a text; says how much was left out."""
    text = text.strip("\n").rstrip()
    kept = "\n".join(text.splitlines()[:lines])[:characters]
    left_out = len(text[len(kept) :].splitlines())
    return text if len(kept) == len(text) else f"{kept}\n... ({left_out} more lines)"


def _from_model(scenario: Any, not_run: Outcome | None) -> Outcome:
    steps = list(scenario.all_steps)
    also = _hook_error(scenario)
    cause = next((i for i, step in enumerate(steps) if step.status.has_failed()), None)
    if cause is not None:
        outcome = step_outcome(steps[cause])
        message = f"{outcome.message}\n\nand then: {also}" if also else outcome.message
        return replace(outcome, message=message, step=cause)
    if also and isinstance(scenario.exception, Trouble):
        return Outcome(*_blame(scenario.exception), shorten(str(scenario.exception)))
    if also:
        trace = _traceback(scenario) or _if_shortened(also)
        verdict, category = _blame(scenario.exception)
        return Outcome(verdict, category, shorten(also), trace)
    if scenario.status is Status.skipped:
        return Outcome("skipped", message=_skip_reason(scenario))
    if scenario.status.is_passed():
        return Outcome("passed")
    return not_run or Outcome("unknown", message="it was not run to its end")


def _hook_error(scenario: Any) -> str:
    """The error of a hook or cleanup; empty when all of them did their work."""
    if not scenario.status.is_hook_error():
        return ""
    kind = "cleanup" if scenario.status is Status.cleanup_error else "hook"
    text = scenario.error_message or _captured_errors(scenario)
    if isinstance(scenario.exception, Trouble):
        text = _BEFORE_TROUBLE.sub("", text)  # written for people, as in `_error_outcome`
    return text or f"a {kind} of this scenario failed (its error went to the console)"


def _captured_errors(statement: Any) -> str:
    return "\n".join(_BEHAVE_LINE.findall(str(statement.captured.output or "")))


def _error_outcome(step: Any) -> Outcome:
    error = explained(step.exception)
    trace = _traceback(step) or step.error_message or ""
    verdict, category = _blame(error)
    if step.hook_failed:
        message = _captured_errors(step) or f"HOOK-ERROR in a step hook: {_describe(error)}"
    elif step.status is Status.pending:
        message = f"Pending step: {step.keyword} {step.name}"
    elif error is None:
        message = _last_error_line(step.error_message)
    elif isinstance(error, Trouble):
        message = str(error)  # written for people; its class and place say nothing more
        trace = "" if isinstance(error, NotSupported | PremiseNotMet | Refused) else trace
    else:
        message = _describe(error)
    return Outcome(verdict, category, shorten(message), trace)


def _kind_of_failure(error: BaseException | None) -> Category:
    if isinstance(error, Late):
        return "late"
    return "stalled" if isinstance(error, Stalled) else "product"


def _blame(error: BaseException | None) -> tuple[Verdict, Category]:
    """Whose fault an exception other than a failed assertion is."""
    if isinstance(error, NotSupported):
        return "not supported", "not supported"
    if isinstance(error, Refused):
        return "refused", "not supported"
    if isinstance(error, PremiseNotMet):
        return "broken", "premise"
    # Connections that fail or time out; any other OSError is the suite's own mistake.
    if isinstance(error, Trouble | ConnectionError | TimeoutError):
        return "broken", "environment"
    return "broken", "suite"


def _assertion_message(step: Any) -> str:
    if step.exception is not None and str(step.exception).strip():
        return str(step.exception).strip("\n")
    text = (step.error_message or "").removeprefix("ASSERT FAILED:").strip(" ").strip("\n")
    return text or "the assertion has no message"


def _expected_actual(message: str) -> tuple[str, str]:
    found = _HAMCREST.search(message)
    return (found["expected"].strip(), found["actual"].strip()) if found else ("", "")


def _describe(error: BaseException | None) -> str:
    if error is None:
        return "unknown error"
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _last_error_line(text: str | None) -> str:
    """A traceback's own summary: all after its last indented line."""
    lines = (text or "unknown error").rstrip().splitlines()
    for index in range(len(lines) - 1, -1, -1):
        if lines[index].startswith("  "):
            return "\n".join(lines[index + 1 :]) or lines[-1]
    return "\n".join(lines)


def _traceback(statement: Any) -> str:
    """The error's traceback without the frames of behave and the matchers."""
    error = statement.exception
    if error is None:
        return ""
    told = traceback.TracebackException(type(error), error, statement.exc_traceback)
    link: traceback.TracebackException | None = told
    while link is not None:
        own = [frame for frame in link.stack if not _FOREIGN.search(frame.filename)]
        link.stack = traceback.StackSummary.from_list(own or link.stack)
        link = link.__cause__ or link.__context__
    return _CARETS.sub("", "".join(told.format()))


def _if_shortened(message: str) -> str:
    return message if shorten(message) != message.strip("\n").rstrip() else ""


def _skip_reason(scenario: Any) -> str:
    while scenario is not None:
        if getattr(scenario, "skip_reason", None):
            return str(scenario.skip_reason)
        scenario = getattr(scenario, "parent", None)
    return "skipped without a reason"
