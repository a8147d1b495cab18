"""What the runner knows about one scenario beyond behave's own model.

The runner sets a ``ScenarioProof`` as ``scenario.proof``. Formatters read it through
``stackproof.reporting.outcome``; a scenario without one (plain behave) is judged by its
model alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Verdict = Literal["passed", "failed", "broken", "skipped", "refused", "not supported", "unknown"]
Category = Literal["product", "environment", "suite", "not supported", ""]

#: Verdicts of scenarios whose assertions were never put to the system under test.
DID_NOT_RUN: frozenset[str] = frozenset({"skipped", "refused", "not supported", "unknown"})

#: What a reader of a failed scenario wants to see first, by words in the attachment's name.
_RANKS = ("timeline", "witness", "expected", "history", "figures", "log")


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
        """Position among the evidence: pictures, then the witness, histories, logs last."""
        name = self.name.lower()
        if self.mime.startswith("image/"):
            return 0 if "timeline" in name else 1
        for rank, word in enumerate(_RANKS):
            if word in name:
                return rank + 2 if word != "log" else 99
        return 99 if self.mime == "text/plain" else 50


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


def proof_of(scenario: Any) -> ScenarioProof:
    """The scenario's proof; an empty one under a runner that sets none."""
    proof = getattr(scenario, "proof", None)
    return proof if isinstance(proof, ScenarioProof) else ScenarioProof()
