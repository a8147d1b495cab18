"""A vocabulary that believes too much: its own tests must say so.

No feature can catch a demand that holds whatever there is, for a feature passes where all is well.
The control and each broken one are run against the test that must catch it; the outcome goes to
``docs/broken-vocabulary.md``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.mutants.alone import Kind
from tests.mutants.clients import Broken
from tests.mutants.mutant import ROOT

PLACE = ROOT / "reports" / "vocabulary"
_WITHIN = Path(__file__).parent / "within"
VARIABLE = "STACKPROOF_BROKEN_VOCABULARY"
_TESTS = ("tests/session/test_asking.py", "tests/matching")


def _matches_anything() -> None:
    """Every field is as it must be, whatever it is."""
    from stackproof.matching.fields import Fields

    Fields.differences = lambda *_: []  # type: ignore[method-assign]


def _does_not_wait() -> None:
    """What must not come is looked for once, at the beginning."""
    from stackproof.session import asking

    before = asking.Asking._all_the_time

    def at_once(self: Any, place: Any, look: Any, problem: Any, seconds: float, what: str) -> None:
        before(self, place, look, problem, 0.0, what)

    asking.Asking._all_the_time = at_once  # type: ignore[method-assign]


def _no_last_look() -> None:
    """What must not come is not looked for at the end, when the server tells all there is."""
    from stackproof.session import asking

    asking._look_whole = lambda place, within: asking._look(place)


def _believes_the_dead() -> None:
    """A server that does not answer at the end has nothing to tell."""
    from stackproof.errors import Passing
    from stackproof.session import asking

    answered = asking._answered

    def nothing(look: Any) -> Any:
        try:
            return answered(look)
        except Passing:
            return []

    asking._answered = nothing


def _hides_fields() -> None:
    """Members whose names begin with two underscores are passed over, as by deepdiff itself."""
    from stackproof.matching import comparing

    comparing._HOW["ignore_private_variables"] = True


def _remembers_in_vain() -> None:
    """A remembered value stands for any value."""
    from stackproof.matching import wanted
    from stackproof.matching.reading import Reader

    Reader.recall = lambda self, name: wanted.anything("")  # type: ignore[method-assign]


def _tolerates_more() -> None:
    """Messages beyond those that are expected are passed over."""
    from stackproof.matching import sequences
    from stackproof.session import asking

    def comparing(expected: Any, seen: Any, *, ordered: bool) -> Any:
        found = sequences.compare(expected, seen, ordered=ordered)
        wrong = [one for one in found.problems if not one.startswith(("too many", "a second"))]
        return replace(found, problems=wrong)

    asking.compare = comparing


def _ignores_order() -> None:
    """Messages may come in any order."""
    from stackproof.matching import sequences
    from stackproof.session import asking

    asking.compare = lambda expected, seen, *, ordered: sequences.compare(
        expected, seen, ordered=False
    )


def _coerces() -> None:
    """A number and the text that reads so are the same."""
    from stackproof.matching import comparing, payloads

    comparing.same = lambda one, other: payloads.as_text(one) == payloads.as_text(other)


def _rounds() -> None:
    """Numbers are compared as 64-bit floats."""
    from stackproof.matching import comparing, payloads

    def rounding(one: Any, other: Any) -> bool:
        if payloads.is_number(one) and payloads.is_number(other):
            return float(one) == float(other)
        return payloads.same(one, other)

    comparing.same = rounding


def _null_is_missing() -> None:
    """A field that is not there is null."""
    from stackproof.matching import comparing, payloads
    from stackproof.matching.wanted import ABSENT

    def kind(one: Any, other: Any) -> bool:
        return payloads.same(one, None if other is ABSENT else other)

    comparing.same = kind


def _takes_the_first() -> None:
    """Of several values that a field finds, the first one counts."""
    from stackproof.matching import fields

    found = fields.path

    class First:
        def __init__(self, path: Any):
            self.path = path

        def find(self, content: Any) -> Any:
            return self.path.find(content)[:1]

    fields.path = lambda text: First(found(text))  # type: ignore[assignment]


def _keeps_what_was_before() -> None:
    """What was to be left aside counts all the same."""
    from stackproof.session.asking import Asking

    Asking.leave_aside = lambda *_: None  # type: ignore[method-assign]


_SAME = "test_values_are_the_same_in_kind_and_figure"
_RAISES = "DID NOT RAISE"


def _broken(apply: Callable[[], None], test: str, anomaly: str = _RAISES) -> Broken:
    return Broken(apply, f"test_{test}", anomaly)


MUTANTS = {
    "matches_anything": _broken(
        _matches_anything, "what_does_not_come_is_told_with_the_nearest_first"
    ),
    "does_not_wait": _broken(_does_not_wait, "no_such_message_waits_the_whole_time"),
    "no_last_look": _broken(_no_last_look, "no_such_message_looks_once_more_at_the_end"),
    "believes_the_dead": _broken(_believes_the_dead, "a_dead_server_is_no_proof_that_nothing_came"),
    "hides_fields": Broken(_hides_fields, _SAME, "assert not [] == False"),
    "remembers_in_vain": _broken(_remembers_in_vain, "a_remembered_value_is_compared"),
    "tolerates_more": _broken(_tolerates_more, "what_is_missing_too_much_or_out_of_order"),
    "ignores_order": _broken(_ignores_order, "between_lanes_there_is_no_order"),
    "coerces": Broken(_coerces, _SAME, "assert not [] == False"),
    "rounds": Broken(_rounds, _SAME, "assert not [] == False"),
    "null_is_missing": _broken(_null_is_missing, "rows_are_matched_by_their_key"),
    "takes_the_first": _broken(_takes_the_first, "a_field_that_finds_several_values_is_told"),
    "keeps_what_was_before": _broken(_keeps_what_was_before, "what_was_left_aside_does_not_count"),
}


@dataclass(frozen=True)
class Tested(Kind):
    """Broken parts that tests must catch: a test is what a scenario is to others."""

    def run(self, name: str, scenarios: list[str]) -> dict[str, dict[str, Any]]:
        """Run tests with one broken (empty name: none is); the results by their names."""
        place = self.place / (name or "control")
        place.mkdir(parents=True, exist_ok=True)
        results = place / "results.xml"
        results.unlink(missing_ok=True)
        with (place / "output.txt").open("w") as output:
            subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o",
                 "junit_logging=no", f"--junitxml={results}", "-k", " or ".join(scenarios),
                 *_TESTS],
                cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, timeout=300,
                env={**os.environ, **self.environment(name)}, check=False,
            )  # fmt: skip
        found: dict[str, dict[str, Any]] = {}
        for case in ElementTree.parse(results).iter("testcase"):
            test = re.sub(r"\[.*", "", case.get("name", ""), flags=re.DOTALL)
            failure = case.find("failure")
            one = found.setdefault(test, {"verdict": "passed", "reason": "", "trace": ""})
            if failure is not None:
                one["verdict"] = "failed"
                one["trace"] += failure.text or ""
        return found


KIND = Tested(
    plural="broken vocabularies",
    mutants=MUTANTS,
    place=PLACE,
    document=(
        "docs/broken-vocabulary.md",
        "# Broken vocabularies\n\nWritten by `make mutants`. A part of the vocabulary believes too "
        "much; a test of it must fail and say so.\nWith nothing broken {passed} of these {wanted} "
        "tests passed.\n\n"
        "| broken | what happens | must be caught by | named as | caught |\n"
        "|---|---|---|---|---|\n",
    ),
    arguments=lambda place: [],
    environment=lambda name: {
        VARIABLE: name or "none",
        "PYTHONPATH": os.pathsep.join([str(_WITHIN), str(ROOT)]),
    },
)
