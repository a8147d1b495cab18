"""What did not pass in the last run, to be run again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackproof import texts
from stackproof.errors import Trouble

RESULTS = "results.json"


@dataclass(frozen=True)
class LastRun:
    """The scenarios of a run that failed, broke or did not run.

    Attributes:
        run: its ID.
        seed: of its generated inputs.
        failures: entries of its results.json, by scenario key.
        others: how many scenarios had passed, or failed as their quarantine says.
        problems: what else went wrong in it.
    """

    run: str
    seed: int
    failures: dict[str, dict[str, Any]]
    others: int
    problems: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, reports: Path) -> LastRun:
        """Read a run's results.

        Raises:
            Trouble: there are none, they cannot be read, or nothing but the run itself failed.
        """
        file = reports / RESULTS
        if not file.is_file():
            raise Trouble(
                "there is no last run",
                f"{file} does not exist (none was made, or the run was killed)",
                "run all: stackproof run",
            )
        try:
            content = json.loads(texts.read(file))
            failures = {s["key"]: s for s in content["scenarios"] if not _fine(s)}
            last = cls(
                content["run"],
                int(content["seed"]),
                failures,
                len(content["scenarios"]) - len(failures),
                [str(problem) for problem in content["suite_problems"]],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise Trouble(
                f"{file} cannot be read", repr(error), "run all: stackproof run"
            ) from error
        if last.problems and not failures:
            raise Trouble(
                "no scenario failed in the last run, and still it did not pass",
                last.problems[0],
                "mend that and run all: stackproof run",
            )
        return last

    @property
    def files(self) -> list[str]:
        """The feature files of what did not pass."""
        return sorted({str(s["feature"]) for s in self.failures.values()})

    def earlier(self, key: str) -> list[dict[str, str]]:
        """How a scenario ended before, the oldest first."""
        entry = self.failures[key]
        own = {"run": self.run, "verdict": entry["verdict"], "reason": entry["reason"]}
        return [*entry.get("earlier", []), own]


def _fine(entry: dict[str, Any]) -> bool:
    quarantine = entry.get("quarantine") or {}
    return entry["verdict"] == "passed" or quarantine.get("state") == "tolerated"
