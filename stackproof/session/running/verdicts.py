"""What became of every scenario, and what that makes of the run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stackproof.errors import EXIT_COULD_NOT_RUN, EXIT_FAILED, EXIT_PASSED
from stackproof.reporting.evidence import DID_NOT_RUN, ScenarioProof
from stackproof.reporting.summary import render_summary
from stackproof.session.plan import Plan, ScenarioPlan

_MOST_NOTES = 3


class Verdicts:
    """The results of one run.

    Attributes:
        problems: what went wrong outside of features; with any, the run has not passed.
        container_problems: hooks of features and rules that failed; likewise.
        could_not_run: whether something kept scenarios from being run at all.
        cut_short: exit code of a run that was interrupted.
        exit_code: what the process should end with.
    """

    def __init__(self, plan: Plan, *, allow_skipped: bool, seed: int):
        self._plan = plan
        self._allow_skipped = allow_skipped
        self._seed = seed
        self._proofs: dict[str, ScenarioProof] = {}
        self.began = time.time()
        self.ready_after: float | None = None
        self.run_id = ""
        self.problems: list[str] = []
        self.container_problems: list[str] = []
        self.could_not_run = False
        self.cut_short = 0

    def give(self, planned: ScenarioPlan, proof: ScenarioProof) -> bool:
        """Enter a scenario's proof; False when it has one already, which stays."""
        if planned.id in self._proofs:
            return False
        if proof.verdict in ("", "unknown"):
            # Not one of those that an option may allow: it should have run.
            proof.verdict, proof.category = "broken", "suite"
        self._proofs[planned.id] = proof
        return True

    def missing(self) -> Iterator[ScenarioPlan]:
        """Scenarios without a proof so far."""
        return (p for p in self._plan.scenarios if p.id not in self._proofs)

    @property
    def exit_code(self) -> int:
        """0 only if every scenario has passed and nothing else went wrong."""
        if self.cut_short:
            return self.cut_short
        if self.could_not_run:
            return EXIT_COULD_NOT_RUN
        verdicts = {proof.verdict for proof in self._proofs.values()}
        tolerated = {"passed"} | (DID_NOT_RUN if self._allow_skipped else set())
        smooth = not self.problems and not self.container_problems and not any(self.missing())
        return EXIT_PASSED if smooth and verdicts <= tolerated else EXIT_FAILED

    def summary(self, config: Any, *, report: Path | None) -> str:
        """The summary for people, with the place of the report when there is one."""
        providers = sorted({p.provider for p in self._proofs.values() if p.provider})
        return render_summary(
            self._plan.features,
            elapsed=time.time() - self.began,
            provider=", ".join(providers),
            report_path=report,
            config=config,
            exit_code=self.exit_code,
            notes=[f"problem: {_first_line(p)}" for p in self.problems[:_MOST_NOTES]],
        )

    def as_data(self) -> dict[str, Any]:
        """Everything about the run as plain data."""
        return {
            "run": self.run_id,
            "began": self.began,
            "elapsed": time.time() - self.began,
            "ready_after": self.ready_after,
            "seed": self._seed,
            "exit_code": self.exit_code,
            "suite_problems": [*self.problems, *self.container_problems],
            "scenarios": [self._scenario(planned) for planned in self._plan.scenarios],
        }

    def _scenario(self, planned: ScenarioPlan) -> dict[str, Any]:
        proof = self._proofs.get(planned.id) or ScenarioProof(verdict="unknown")
        return {
            "id": planned.id,
            "feature": str(self._plan.features[planned.feature_index].filename),
            "name": planned.scenario.name,
            "line": planned.scenario.line,
            "tags": sorted(map(str, planned.scenario.effective_tags)),
            "verdict": proof.verdict,
            "category": proof.category,
            "reason": proof.reason,
            "trace": proof.trace,
            "seconds": round(proof.stop - proof.start, 3),
            "worker": proof.worker,
            "provider": proof.provider,
            "steps": [step.status.name for step in planned.steps],
            "figures": proof.figures,
        }


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
