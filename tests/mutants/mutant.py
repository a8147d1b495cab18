"""One broken system, and what its last run came to."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "reports" / "mutants"
_ROW = re.compile(r" -- @\d+\.\d+.*")  # behave's mark of an outline's row


@dataclass
class Mutant:
    """One broken system and what must catch it; a control is broken in nothing.

    Attributes:
        group: how it is run; see `tests.mutants.groups`.
        module: what to run instead of the reference, in the group of pipelines.
        scenarios: verdict and reason by name.
    """

    name: str
    breaks: str = "nothing"
    caught_by: list[str] = field(default_factory=list)
    anomaly: str = ""
    group: str = "pipeline"
    module: str = ""
    scenarios: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def place(self) -> Path:
        """Where its results go."""
        return PLACE / re.sub(r"\W+", "_", self.name).strip("_")

    def missed(self) -> list[str]:
        """Scenarios that had to catch it and did not; a broken one has caught nothing."""
        return [name for name in self.caught_by if not self.catches(name)]

    def catches(self, scenario: str) -> bool:
        """Whether a scenario failed for the reason that this mutant gives."""
        found = self.scenarios.get(scenario)
        return (
            found is not None
            and has_caught(found)
            and self.anomaly.lower() in (found["reason"] + found["trace"]).lower()
        )

    def read(self) -> bool:
        """Fill in its scenarios from its last run; False when there was none."""
        try:
            results = json.loads((self.place / "results.json").read_text())
        except FileNotFoundError:
            return False
        self.scenarios = {
            _ROW.sub("", scenario["name"]): scenario for scenario in results["scenarios"]
        }
        return True


def has_caught(result: dict[str, Any]) -> bool:
    """Whether a scenario has noticed that something is wrong, the suite's own doing included."""
    return result["verdict"] == "failed" or result.get("category") == "premise"


def known() -> list[Mutant]:
    """The mutants of ``mutants.toml``."""
    content = tomllib.loads((Path(__file__).parent / "mutants.toml").read_text())
    return [Mutant(**table) for table in content["mutant"]]
