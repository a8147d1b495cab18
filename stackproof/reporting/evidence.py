"""What the runner knows about one scenario beyond behave's own model.

The runner sets a ``ScenarioProof`` as ``scenario.proof``. Formatters read it through
``stackproof.reporting.outcome``; a scenario without one (plain behave) is judged by its
model alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

Verdict = Literal[
    "passed",
    "failed",
    "broken",
    "skipped",
    "refused",
    "not supported",
    "machine busy",
    "unknown",
]
Category = Literal[
    "product",
    "late",
    "stalled",
    "premise",
    "environment",
    "suite",
    "not supported",
    "machine busy",
    "",
]

#: Verdicts of scenarios whose assertions were never put to the system under test.
DID_NOT_RUN: frozenset[str] = frozenset(
    {"skipped", "refused", "not supported", "machine busy", "unknown"}
)

#: The parameter that tells of clusters which earlier scenarios have had.
HANDED_ON = "handed on"

#: What a reader of a failed scenario wants to see first, by words in the attachment's name.
_RANKS = ("timeline", "counterexample", "expected", "history", "figures", "log")


@dataclass
class Attachment:
    """One piece of evidence: a file or a text.

    Attributes:
        name: what the reader sees.
        mime: the content's type; text types are masked before they are published.
        path: the file that holds it, or None when ``text`` does.
        text: the content itself, or None when ``path`` has it.
        step: index in ``scenario.all_steps`` it belongs to; None for the whole scenario.
    """

    name: str
    mime: str
    path: Path | None = None
    text: str | None = None
    step: int | None = None

    @property
    def rank(self) -> int:
        """Position among the evidence: pictures, counterexamples, histories, logs last."""
        name = self.name.lower()
        if self.mime.startswith("image/"):
            return 0 if "timeline" in name else 1
        for rank, word in enumerate(_RANKS):
            if word in name:
                return rank + 2 if word != "log" else 99
        return 99 if self.mime == "text/plain" else 50


@dataclass(frozen=True)
class KnownIssue:
    """Why a scenario may fail for some time.

    Attributes:
        issue: link to where it is tracked.
        expires: the last day on which it is tolerated, as YYYY-MM-DD.
        reason: what is known.
        fails_with: part of the failure's message; another failure is not tolerated. Empty
            tolerates any failed assertion, but nothing that breaks.
    """

    issue: str
    expires: str
    reason: str
    fails_with: str = ""

    def expired(self, today: date | None = None) -> bool:
        """Whether its last day is over."""
        return self.expires < (today or date.today()).isoformat()

    def state(self, verdict: str, reason: str, today: date | None = None) -> str:
        """What it makes of an end: "tolerated", "passes", "expired", "fails otherwise"."""
        if verdict == "passed":
            return "passes"
        if self.expired(today):
            return "expired"
        named = bool(self.fails_with) and self.fails_with in reason
        if verdict == "failed" and (named or not self.fails_with):
            return "tolerated"
        return "tolerated" if verdict == "broken" and named else "fails otherwise"


_STATES = {
    "": "not judged",
    "tolerated": "failing as known",
    "passes": "but it passes",
    "expired": "but the time is over",
    "fails otherwise": "but it ended in another way",
}


@dataclass
class ScenarioProof:
    """How one scenario went, told by the runner that ran it.

    Attributes:
        start: when its first hook began, seconds since the epoch.
        stop: when its last hook or cleanup ended.
        worker: which worker ran it, e.g. "worker-1".
        provider: how its services came to run; two providers have separate histories.
        parameters: settings worth reading, by name; no part of the scenario's identity.
        figures: measured values, by name; no part of its identity either.
        attachments: the evidence.
        verdict: empty leaves the verdict to behave's model.
        category: whose fault it is.
        reason: one message for people: the failure, or why it did not run.
        trace: where in the code, and whatever else is too long for the reason.
        step_starts: when each of ``scenario.all_steps`` began; 0 for steps that did not.
        expected: what was asserted, where it can be told apart.
        actual: what was there instead.
        evidence_lost: why evidence is missing; empty when all of it could be written.
        known_issue: the quarantine of the scenario; None when it is in none.
        known_state: what the quarantine makes of this end (see `KnownIssue.state`).
        earlier: how it ended in the runs before that it is repeated for.
    """

    start: float = 0.0
    stop: float = 0.0
    worker: str = ""
    provider: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    figures: dict[str, str] = field(default_factory=dict)
    attachments: list[Attachment] = field(default_factory=list)
    verdict: Verdict | Literal[""] = ""
    category: Category = ""
    reason: str = ""
    trace: str = ""
    step_starts: list[float] = field(default_factory=list)
    expected: str = ""
    actual: str = ""
    evidence_lost: str = ""
    known_issue: KnownIssue | None = None
    known_state: str = ""
    earlier: list[dict[str, str]] = field(default_factory=list)

    @property
    def tolerated(self) -> bool:
        """It failed as its quarantine says; that is neither a pass nor the run's failure."""
        return self.known_state == "tolerated"

    @property
    def has_failed(self) -> bool:
        """Whether it failed or broke, and no quarantine covers that."""
        return self.verdict in ("failed", "broken") and not self.tolerated

    @property
    def known(self) -> str:
        """The quarantine in one line; empty without one."""
        issue = self.known_issue
        if issue is None:
            return ""
        line = f"{issue.issue} until {issue.expires}: {issue.reason}"
        return f"quarantined, {_STATES[self.known_state]}: {line}"


def proof_of(scenario: Any) -> ScenarioProof:
    """The scenario's proof; an empty one under a runner that sets none."""
    proof = getattr(scenario, "proof", None)
    return proof if isinstance(proof, ScenarioProof) else ScenarioProof()
