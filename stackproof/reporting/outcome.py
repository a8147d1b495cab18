"""How a scenario ended, in one object: from its proof, else from behave's model.

behave keeps the reasons of a bad end in many places: a step's exception, the scenario's
own ``error_message`` (hooks), captured output (cleanups), the feature (its hooks). Every
formatter reads them here and nowhere else, so that all reports agree.
"""

from __future__ import annotations

import itertools
import re
import traceback
from dataclasses import dataclass, replace
from typing import Any

from behave.model_type import Status

from stackproof.errors import (
    MachineBusy,
    NotSupported,
    PremiseNotMet,
    Refused,
    Trouble,
    explained,
    legible,
)
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
#: So many of the errors that led to one another are told.
_CAUSES = 10
_CARETS = re.compile(r"^ +[~^]+\n", re.MULTILINE)
_ERROR_ECHO = re.compile(r"\A(?:ASSERT FAILED|ERROR): ")
_TOO_LONG_LINES = 60
_TOO_LONG_CHARACTERS = 8000
_TOO_LONG_LINE = 600
#: The first line of a death; see `stackproof.processes.process.told_end`.
_DEATH = re.compile(r"(?P<how>.*); its log ends:")
_LOG_LINE = "  | "
_TELLING = re.compile(r"error|exception|panic|fatal|killed", re.IGNORECASE)
_TIMESTAMP = re.compile(r"\A\[?\d{4}[-/]\d\d[-/]\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?\]?\s+")


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
        """The message in one line: its first, with what was expected and what was there.

        Of a program's death: how it ended, and the last error that it printed.
        """
        if (death := _death_in(self.message)) is not None:
            return death
        lines = [line.strip() for line in self.message.splitlines() if line.strip()]
        but = next((i for i, line in enumerate(lines) if line.startswith("but: ")), 0)
        return "; ".join(lines[: but + 1] if but <= 3 else lines[:1])

    @property
    def cause(self) -> str:
        """What failures of one cause have in common, but for numbers and identities.

        Of a program's death: who ended, and how; its last words differ with what it read.
        """
        first = self.message.strip().partition("\n")[0]
        death = _DEATH.fullmatch(first)
        return death["how"] if death else self.headline


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
        trace=proof.trace or (derived.trace if same else _if_shortened(message)),
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
        trace = _traceback(step, message)
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
    """Beginning and end of a long text; says how much is left out between them.

    Two thirds are its beginning. Whole lines are left out, and the middle of long lines.
    """
    every = [_shorten_line(legible(line)) for line in text.strip("\n").rstrip().splitlines()]
    if len(every) <= lines and sum(map(len, every)) <= characters:
        return "\n".join(every)
    lines, characters = lines - 1, characters - _TOO_LONG_LINE  # room for what is said of it
    head = _first(every, lines - lines // 3, characters * 2 // 3)
    tail = _first(every[len(head) :][::-1], lines // 3, characters // 3)[::-1]
    left_out = len(every) - len(head) - len(tail)
    told = f"... ({left_out} {'line' if left_out == 1 else 'lines'} left out)"
    return "\n".join([*head, *([told] if left_out else []), *tail])


def _first(every: list[str], lines: int, characters: int) -> list[str]:
    """As many of the first lines as fit, but at least one."""
    sizes = itertools.accumulate(map(len, every))
    fitting = sum(1 for size, _ in zip(sizes, range(lines), strict=False) if size <= characters)
    return every[: max(1, fitting)]


def _shorten_line(line: str, characters: int = _TOO_LONG_LINE) -> str:
    if len(line) <= characters:
        return line
    kept = characters - 50  # room for what is said of it
    head, tail = line[: kept * 3 // 4], line[-(kept // 4) :]
    left_out = len(line) - len(head) - len(tail)
    return f"{head}... ({left_out:,} characters left out) ...{tail}"


def _death_in(message: str) -> str | None:
    """A death that a message begins with, in one line; None when it begins otherwise."""
    first, *rest = message.strip().splitlines() or [""]
    found = _DEATH.fullmatch(first)
    if found is None:
        return None
    said = itertools.takewhile(lambda line: line.startswith(_LOG_LINE), rest)
    lines = [line.removeprefix(_LOG_LINE) for line in said]
    own = [line for line in lines if line.strip() and not line[0].isspace()]
    errors = [line for line in own if _TELLING.search(line)]
    last = (errors or own or [""])[-1]
    return ": ".join(filter(None, (found["how"], _TIMESTAMP.sub("", last).strip())))


def _from_model(scenario: Any, not_run: Outcome | None) -> Outcome:
    steps = list(scenario.all_steps)
    also = _hook_error(scenario)
    cause = next((i for i, step in enumerate(steps) if step.status.has_failed()), None)
    if cause is not None:
        outcome = step_outcome(steps[cause])
        message = f"{outcome.message}\n\nand then: {also}" if also else outcome.message
        return replace(outcome, message=message, step=cause)
    if also and isinstance(scenario.exception, Trouble):
        return Outcome(*blame(scenario.exception), shorten(str(scenario.exception)))
    if also:
        trace = _traceback(scenario, also)
        verdict, category = blame(scenario.exception)
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
    message = _error_message(step, error)
    trace = _traceback(step, message) or step.error_message or ""
    if isinstance(error, MachineBusy | NotSupported | PremiseNotMet | Refused):
        trace = ""  # its class and place say nothing more
    return Outcome(*blame(error), shorten(message), trace)


def _error_message(step: Any, error: BaseException | None) -> str:
    if step.hook_failed:
        return _captured_errors(step) or f"HOOK-ERROR in a step hook: {_describe(error)}"
    if step.status is Status.pending:
        return f"Pending step: {step.keyword} {step.name}"
    if error is None:
        return _last_error_line(step.error_message)
    # A trouble is written for people.
    return str(error) if isinstance(error, Trouble) else _describe(error)


def _kind_of_failure(error: BaseException | None) -> Category:
    if isinstance(error, Late):
        return "late"
    return "stalled" if isinstance(error, Stalled) else "product"


def blame(error: BaseException | None) -> tuple[Verdict, Category]:
    """Whose fault an exception other than a failed assertion is."""
    if isinstance(error, NotSupported):
        return "not supported", "not supported"
    if isinstance(error, Refused):
        return "refused", "not supported"
    if isinstance(error, MachineBusy):
        return "machine busy", "machine busy"
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


def _traceback(statement: Any, message: str) -> str:
    """Where the error arose, without the frames of behave and the matchers.

    What ``message`` says is not said again, unless it had to be shortened. Of a long chain of
    errors, as clients make them that try again and again, the last ones are told; it may be a ring.
    """
    error: BaseException | None = statement.exception
    parts: list[str] = []
    told: set[int] = set()
    while error is not None and id(error) not in told and len(told) < _CAUSES:
        told.add(id(error))
        arose = statement.exc_traceback if error is statement.exception else error.__traceback__
        stack = traceback.extract_tb(arose)
        own = [frame for frame in stack if not _FOREIGN.search(frame.filename)]
        frames = "".join(traceback.StackSummary.from_list(own or list(stack)).format())
        what = "".join(traceback.format_exception_only(error)).strip()
        if str(error).strip() and str(error).strip() in message:
            what = f"{type(error).__name__} (its message is above)"
        parts.insert(0, f"Traceback (most recent call last):\n{_CARETS.sub('', frames)}{what}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    whole = _if_shortened(message)
    return "\n\n".join(filter(None, [whole, "\n\nwhich led to:\n\n".join(parts)]))


def _if_shortened(message: str) -> str:
    return message if shorten(message) != message.strip("\n").rstrip() else ""


def _skip_reason(scenario: Any) -> str:
    while scenario is not None:
        if getattr(scenario, "skip_reason", None):
            return str(scenario.skip_reason)
        scenario = getattr(scenario, "parent", None)
    return "skipped without a reason"
