"""Each known trouble ends in one clear message, with the right exit code, and leaves nothing.

Ten of them here, one of each sort; `make troubles` provokes all.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.troubles.case import CASES
from tests.troubles.catalogue import documented, provoke
from tests.troubles.sandbox import ROOT, Outcome, Sandbox

IN_EVERY_RUN = (
    "broker-dies", "breaking-somebodys", "cache-damaged", "contract-unusable", "host-unknown",
    "interrupted", "no-engine", "no-java", "pipeline-ends", "undefined-step",
)  # fmt: skip


@pytest.mark.parametrize("name", IN_EVERY_RUN)
def test_a_trouble_is_told(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    if reason := case.missing():
        pytest.skip(reason)
    provoke(case, Sandbox(tmp_path.resolve()))


def test_the_documentation_knows_each() -> None:
    assert documented(ROOT) == [
        case.title
        for area in dict.fromkeys(c.area for c in CASES.values())
        for case in CASES.values()
        if case.area == area
    ], "`make troubles` writes it anew"


def test_messages_are_read_as_they_are_printed() -> None:
    outcome = Outcome(2, "noise\nstackproof: it broke\n  why: a\n    b\n  what to do: mend\nmore\n")
    (message,) = outcome.messages("it broke")
    assert (message.what, message.why, message.remedy) == ("it broke", "a\nb", "mend")
    assert outcome.messages("it bent") == []
