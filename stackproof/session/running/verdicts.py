"""What became of every scenario, and what that makes of the run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stackproof.errors import EXIT_COULD_NOT_RUN, EXIT_FAILED, EXIT_PASSED
from stackproof.reporting.evidence import DID_NOT_RUN, ScenarioProof
from stackproof.reporting.summary import render_summary
from stackproof.session.plan import Plan, ScenarioPlan
from stackproof.texts import printable

_MOST_NOTES = 3


class Verdicts:
    """The results of one run.

    Attributes:
        problems: what went wrong outside of features; with any, the run has not passed.
        container_problems: hooks of features and rules that failed; likewise.
        memory_mb: what each shared server used at the end, in MiB.
        servers: version of each service's servers.
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
        self.memory_mb: dict[str, int] = {}
        self.servers: dict[str, str] = {}
        self.cut_short = 0

    def give(self, planned: ScenarioPlan, proof: ScenarioProof) -> bool:
        """Enter a scenario's proof; False when it has one already, which stays."""
        if planned.id in self._proofs:
            return False
        if proof.verdict in ("", "unknown"):
            # Not one of those that an option may allow: it should have run.
            proof.verdict, proof.category = "broken", "suite"
        self._judge_known(planned, proof)
        proof.earlier = self._plan.earlier.get(planned.id, [])
        if proof.earlier:
            last = proof.earlier[-1]
            proof.parameters["run again"] = f"{last['verdict']} before, in run {last['run']}"
        self._proofs[planned.id] = proof
        return True

    def _judge_known(self, planned: ScenarioPlan, proof: ScenarioProof) -> None:
        known = self._plan.known_issues.get(planned.id)
        if known is None:
            return
        proof.known_issue, proof.known_state = known, known.state(proof.verdict, proof.reason)
        if proof.known_state == "passes":
            proof.verdict, proof.category = "failed", "suite"
            proof.reason = (
                f"it passes, but it is quarantined for {known.issue}: "
                "take it out of quarantine.toml"
            )

    def missing(self) -> Iterator[ScenarioPlan]:
        """Scenarios without a proof so far."""
        return (p for p in self._plan.scenarios if p.id not in self._proofs)

    @property
    def exit_code(self) -> int:
        """0 only if every scenario has passed and nothing else went wrong."""
        if self.cut_short:
            return self.cut_short
        if self.could_not_run or self._none_began():
            return EXIT_COULD_NOT_RUN
        verdicts = {p.verdict for p in self._proofs.values() if p.known_state != "tolerated"}
        tolerated = {"passed"} | (DID_NOT_RUN if self._allow_skipped else set())
        smooth = not self.problems and not self.container_problems and not any(self.missing())
        return EXIT_PASSED if smooth and verdicts <= tolerated else EXIT_FAILED

    def _none_began(self) -> bool:
        """Whether not one step has been run, because what scenarios need could not be had."""
        proofs = self._proofs.values()
        waited = any((p.verdict, p.category) == ("broken", "environment") for p in proofs)
        return waited and not any(any(p.step_starts) or p.category == "suite" for p in proofs)

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
            notes=[
                *(f"problem: {_first_line(p)}" for p in self.problems[:_MOST_NOTES]),
                *self._plan.notes,
            ],
        )

    def as_data(self) -> dict[str, Any]:
        """Everything about the run as plain data."""
        return {
            "run": self.run_id,
            "began": self.began,
            "elapsed": time.time() - self.began,
            "ready_after": self.ready_after,
            "seed": self._seed,
            "memory_mb": self.memory_mb,
            "servers": self.servers,
            "selection": self._plan.selection,
            "notes": [*map(printable, self._plan.notes)],
            "exit_code": self.exit_code,
            "suite_problems": [*map(printable, [*self.problems, *self.container_problems])],
            "scenarios": [self._scenario(planned) for planned in self._plan.scenarios],
        }

    def _scenario(self, planned: ScenarioPlan) -> dict[str, Any]:
        proof = self._proofs.get(planned.id) or ScenarioProof(verdict="unknown")
        return {
            "id": planned.id,
            "key": self._plan.identity(planned).key,
            "feature": str(self._plan.features[planned.feature_index].filename),
            "name": planned.scenario.name,
            "line": planned.scenario.line,
            "tags": sorted(map(str, planned.scenario.effective_tags)),
            "verdict": proof.verdict,
            "category": proof.category,
            "reason": printable(proof.reason),
            "trace": printable(proof.trace),
            "seconds": round(proof.stop - proof.start, 3),
            "worker": proof.worker,
            "provider": proof.provider,
            "steps": [step.status.name for step in planned.steps],
            "parameters": {name: printable(value) for name, value in proof.parameters.items()},
            "figures": {name: printable(value) for name, value in proof.figures.items()},
            "quarantine": None
            if proof.known_issue is None
            else {**asdict(proof.known_issue), "state": proof.known_state},
            "earlier": proof.earlier,
        }


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
