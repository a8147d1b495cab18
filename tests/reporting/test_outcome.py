"""Messages and traces of failures: nothing said twice, nothing cut at its end."""

from typing import Any

import pytest
from behave.model_type import Status

from stackproof.polling import Died
from stackproof.reporting.outcome import Outcome, shorten, step_outcome
from tests.reporting.conftest import parse


def raised(raise_it: Any) -> Any:
    """A step in which an exception was raised, as behave leaves it."""
    step = parse("Feature: F\n  Scenario: S\n    When it is done\n").scenarios[0].steps[0]
    try:
        raise_it()
    except Exception as error:
        step.store_exception_context(error)
        failed = isinstance(error, AssertionError)
        step.set_status(Status.failed if failed else Status.error)
    return step


@pytest.mark.parametrize("lines", [1, 20, 59, 60, 61, 62, 500])
@pytest.mark.parametrize("width", [5, 120, 3000])
def test_a_long_text_keeps_its_beginning_and_its_end(lines: int, width: int):
    text = "\n".join(f"begin {n} {'x' * width} end {n}" for n in range(lines))
    short = shorten(text)
    assert short.startswith("begin 0 ") and short.endswith(f" end {lines - 1}")
    assert len(short.splitlines()) <= 60 and len(short) < 9000
    assert shorten(short) == short
    if lines <= 20 and width <= 120:
        assert short == text
    if width <= 120 and short != text:
        left_out = int(short.split("... (")[1].split()[0])
        assert len(short.splitlines()) - 1 + left_out == lines


def test_what_a_message_says_its_trace_does_not_say_again():
    def fail() -> None:
        try:
            raise Died("the pipeline ended with exit code 1")
        except Died as error:
            raise AssertionError(f"3 lost\nbecause {error}") from error

    outcome = step_outcome(raised(fail))
    assert outcome.message == "3 lost\nbecause the pipeline ended with exit code 1"
    assert "AssertionError: 3 lost" not in outcome.trace
    assert "test_outcome.py" in outcome.trace
    assert outcome.trace.count("(its message is above)") == 2
    assert "which led to:" in outcome.trace


def test_a_cause_that_the_message_does_not_tell_stands_in_the_trace():
    def fail() -> None:
        try:
            {}["offset"]
        except KeyError as error:
            raise ValueError("no such record") from error

    outcome = step_outcome(raised(fail))
    assert outcome.message == "ValueError: no such record"
    assert "KeyError: 'offset'" in outcome.trace
    assert "ValueError: no such record" not in outcome.trace


def test_errors_that_lead_to_each_other_are_told_once():
    def fail() -> None:
        first, second = KeyError("offset"), ValueError("no such record")
        first.__context__, second.__context__ = second, first
        raise AssertionError("lost") from first

    outcome = step_outcome(raised(fail))
    assert outcome.trace.count("KeyError: 'offset'") == 1
    assert outcome.trace.count("ValueError: no such record") == 1


def test_of_a_hundred_attempts_the_last_are_told():
    def fail() -> None:
        error: BaseException | None = None
        for number in range(100):
            later = ConnectionError(f"attempt {number}")
            later.__cause__, error = error, later
        raise AssertionError("lost") from error

    outcome = step_outcome(raised(fail))
    assert "attempt 99" in outcome.trace and "attempt 9\n" not in outcome.trace


def test_what_a_message_had_to_leave_out_stands_in_the_trace():
    def fail() -> None:
        raise AssertionError("\n".join(f"line {n}" for n in range(200)))

    outcome = step_outcome(raised(fail))
    assert "line 100\n" not in outcome.message
    assert outcome.trace.count("line 100\n") == 1


PYTHON = """\
2026-11-25T20:08:33.402Z INFO starting
Traceback (most recent call last):
  File "a.py", line 3, in work
    raise PipelineError("cannot process offset 7")
pipeline.PipelineError: cannot process offset 7"""
JAVA = """\
Exception in thread "main" java.lang.IllegalStateException: at offset 7
\tat app.Main.main(Main.java:3)
Caused by: java.io.IOException: no space left
\tat app.Store.write(Store.java:9)
\t... 5 more"""
GO = "panic: offset 7 cannot be read\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:7 +0x1d"
LOG = "2026-11-25 20:08:33,402 ERROR cannot process offset 7\n[2026-11-25 20:08:33] bye"


@pytest.mark.parametrize(
    ("log", "last"),
    [
        (PYTHON, "pipeline.PipelineError: cannot process offset 7"),
        (JAVA, "Caused by: java.io.IOException: no space left"),
        (GO, "panic: offset 7 cannot be read"),
        (LOG, "ERROR cannot process offset 7"),
        ("bye", "bye"),
        ("(it printed nothing)", "(it printed nothing)"),
    ],
)
def test_the_headline_of_a_death_is_how_it_ended_and_the_last_error(log: str, last: str):
    shown = "\n".join(f"  | {line}" for line in log.splitlines())
    message = f"pipeline-1 ended with exit code 1; its log ends:\n{shown}\n\n9 lost: an error"
    assert Outcome("failed", "product", message).headline == (
        f"pipeline-1 ended with exit code 1: {last}"
    )
