"""What can go wrong outside the system under test, told in one message.

Every message for people answers three questions: what happened, why, and what
to do about it. The runner and the command line print these without a
traceback and end with the exit code that belongs to them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

#: Exit codes of every command.
EXIT_PASSED = 0
EXIT_FAILED = 1
EXIT_COULD_NOT_RUN = 2
EXIT_INTERRUPTED = 130  # the shells' own convention for Ctrl-C: 128 + SIGINT
EXIT_TERMINATED = 143  # 128 + SIGTERM

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CONTROLS = {n: f"\\x{n:02x}" for n in (*range(32), *range(127, 160)) if chr(n) not in "\t\n\r"}


def legible(text: str) -> str:
    """The text as a terminal can show it: without colours, control characters escaped.

    They come from programs' logs and servers' answers; a terminal would obey them.
    """
    return _COLOURS.sub("", text).translate(_CONTROLS)


class Trouble(Exception):  # noqa: N818 -- read as a sentence
    """Something prevents the run or a scenario; not a verdict on the system under test.

    Args:
        what: what happened, one sentence.
        why: the cause, as far as it is known (may hold several lines, e.g. a log's end).
        remedy: what the reader can do about it.
    """

    def __init__(self, what: str, why: str = "", remedy: str = ""):
        super().__init__(what, why, remedy)
        self.what = what
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        lines = [self.what]
        if self.why:
            lines.append(_labelled("why", self.why))
        if self.remedy:
            lines.append(_labelled("what to do", self.remedy))
        return legible("\n".join(lines))


class NotSupported(Trouble):
    """This way of running the stack cannot do what the scenario needs."""


class Passing(Trouble):
    """It may pass by itself: worth waiting for."""


class PremiseNotMet(Trouble):
    """What the scenario presumes of its own doing did not come about, so nothing was proved."""

    def __str__(self) -> str:
        return f"premise: {super().__str__()}"


class MachineBusy(Trouble):
    """A figure missed its bound while the machine was busy with other things: nothing is said."""


def step_missing(what: str, before: str) -> PremiseNotMet:
    """A step comes too early.

    Args:
        what: what it needs, for people.
        before: a step that brings it about, in the words of features.
    """
    return PremiseNotMet(
        f"this step needs {what}, and no step before it has brought that about",
        "steps are done in the order of the feature",
        f'put a step like "{before}" before it',
    )


class Refused(Trouble):
    """The suite could do it but must not: it would damage what this run did not create."""


#: What to do where a server does not offer something.
ELSEWHERE = "run it on another server, or on one of the suite's own (STACK=native)"
#: What servers' answers come to, in words: kind, what is said of the server, what to do.
_ANSWERS: dict[str, tuple[type[Trouble], str, str]] = {
    "lacking": (
        NotSupported, "{} does not offer what the suite asks for", ELSEWHERE,
    ),
    "forbidden": (
        Trouble, "{} forbids what the suite needs",
        "give the suite's user the rights in docs/endpoints.md",
    ),
    "lost": (
        Passing, "the connection to {} is lost",
        "look at that server's log, and at the network",
    ),
    "refused": (
        Trouble, "{} refuses what the suite asks for",
        "look at that server's settings and log",
    ),
}  # fmt: skip


def answered(who: str, kind: str, said: str, remedy: str = "") -> Trouble:
    """What a server's answer comes to.

    Args:
        who: the server's title.
        kind: "lacking", "forbidden", "lost" or "refused".
        said: its own words, or its client's.
        remedy: what to do, where more is known than usual.
    """
    made, what, usual = _ANSWERS[kind]
    return made(what.format(who), said, remedy or usual)


Explainer = TypeVar("Explainer", bound=Callable[..., Trouble | None])
_explainers: list[Callable[..., Trouble | None]] = []


def explains(function: Explainer) -> Explainer:
    """Enter what knows a client library's exceptions; beside the code that raises them."""
    _explainers.append(function)
    return function


def explained(error: BaseException | None) -> BaseException | None:
    """An exception of a client library in words for people; any other as it is."""
    if error is None or isinstance(error, Trouble):
        return error
    return next(filter(None, (explain(error) for explain in _explainers)), error)


def _labelled(label: str, text: str) -> str:
    first, *rest = text.rstrip().splitlines() or [""]
    return "\n".join([f"  {label}: {first}", *(f"    {line}" for line in rest)])


def reason_of(error: OSError, place: object = "") -> str:
    """An operating system's refusal in words: its reason, and the file or ``place``."""
    named = error.filename or place
    reason = error.strerror or str(error) or type(error).__name__
    return f"{named}: {reason}" if named else reason


class NoEffect(PremiseNotMet):
    """The fault was injected, and an independent client noticed nothing of it."""


def no_effect(what: str, why: Exception) -> NoEffect:
    """The error that nothing was noticed of a fault."""
    return NoEffect(
        f"{what}: the fault had no effect",
        str(why),
        "nothing is said of what was to be broken; see how it is broken here",
    )


def and_then(error: BaseException, later: BaseException) -> None:
    """Have an error tell another one that came while it was dealt with."""
    error.add_note(f"and then: {type(later).__name__}: {later}")
