"""Broken parts of the suite itself: each is run against the one scenario that must catch it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.mutants.mutant import ROOT, has_caught

_LONGEST = 900


class Broken(Protocol):
    """What is broken, and what must catch it."""

    @property
    def scenario(self) -> str:
        """Name of the scenario that must catch it."""

    @property
    def anomaly(self) -> str:
        """What that must call it."""

    @property
    def told(self) -> str:
        """What is broken, for people."""


@dataclass(frozen=True)
class Kind:
    """Broken parts of one kind.

    Attributes:
        plural: what they are called, e.g. "broken clients".
        mutants: by name.
        place: where results go, a directory each.
        document: the page that lists them, and its beginning: "{passed}" and "{wanted}" are
            scenarios of the control.
        arguments: of Python, for a run whose results go to a directory.
        environment: variables of a run, by the mutant's name (empty: the control).
    """

    plural: str
    mutants: Mapping[str, Broken]
    place: Path
    document: tuple[str, str]
    arguments: Callable[[Path], Sequence[str]]
    environment: Callable[[str], Mapping[str, str]]

    def run(self, name: str, scenarios: list[str]) -> dict[str, dict[str, Any]]:
        """Run scenarios with one broken (empty name: none is); the results by their names."""
        place = self.place / (name or "control")
        place.mkdir(parents=True, exist_ok=True)
        (place / "results.json").unlink(missing_ok=True)
        names = "|".join(re.escape(scenario) for scenario in scenarios)
        with (place / "output.txt").open("w") as output:
            subprocess.run(
                [sys.executable, *self.arguments(place), "--no-report", "--stack", "native",
                 "--name", f"^({names})( -- @.*)?$", "--reports", str(place)],
                cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, timeout=_LONGEST,
                env={**os.environ, **self.environment(name)}, check=False,
            )  # fmt: skip
        try:
            results = json.loads((place / "results.json").read_text())["scenarios"]
        except FileNotFoundError:
            return {}
        return {re.sub(r" -- @\d+\.\d+.*", "", found["name"]): found for found in results}

    def main(self, names: list[str]) -> int:
        """Run what was asked for (nothing: all); 1 when one was not caught as it must be."""
        chosen = {n: m for n, m in self.mutants.items() if not names or n in names}
        wanted = sorted({mutant.scenario for mutant in chosen.values()})
        control = self.run("", wanted)
        failed = [s for s in wanted if control.get(s, {}).get("verdict") != "passed"]
        passed = len(wanted) - len(failed)
        print(f"control: {passed} of {len(wanted)} passed {failed or ''}", flush=True)
        rows, missed = [], []
        for name, mutant in chosen.items():
            ok = caught(mutant, self.run(name, [mutant.scenario]))
            missed += [] if ok else [name]
            print(f"{name}: {'caught' if ok else 'NOT CAUGHT'}", flush=True)
            rows.append(f"| `{name}` | {mutant.told} | {mutant.scenario} | {mutant.anomaly} | "
                        f"{'yes' if ok else '**no**'} |")  # fmt: skip
        caught_all = f"{len(chosen) - len(missed)} of {len(chosen)}"
        print(f"{caught_all} {self.plural} caught as they must be")
        if not names:
            path, head = self.document
            text = head.format(passed=passed, wanted=len(wanted))
            (ROOT / path).write_text(text + "\n".join(rows) + "\n")
        return 1 if missed or failed else 0


def caught(mutant: Broken, results: dict[str, dict[str, Any]]) -> bool:
    """Whether the scenario failed, and for the reason that it must."""
    found = results.get(mutant.scenario, {"verdict": "", "reason": "", "trace": ""})
    return has_caught(found) and mutant.anomaly in found["reason"] + found["trace"]
