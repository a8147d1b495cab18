"""``python -m tests.second``: the second pipeline passes; with each fault put in, it fails."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from tests.mutants.groups import GROUPS, Group
from tests.mutants.mutant import Mutant, known
from tests.mutants.run import run_group
from tests.second import scorer


def main() -> int:
    """Run everything and print a table; 1 when something is not as it must be."""
    if missing := scorer.missing():
        print(f"not run: {missing}")
        return 2
    (group,) = [group for group in GROUPS if group.name == "scorer"]
    mutants = [mutant for mutant in known() if mutant.group == group.name]
    failures = run_group(group, mutants)
    Console(width=180).print(table(group, mutants))
    print("\n".join(failures) or "everything is as it must be")
    return 1 if failures else 0


def table(group: Group, mutants: list[Mutant]) -> Table:
    """What was run and what came of it."""
    made = Table("scorer", "passed", "failed", "other", "must fail", "named as", "as it must be")
    for mutant in [*group.controls, *mutants]:
        verdicts = [s["verdict"] for s in mutant.scenarios.values()]
        passed, failed = verdicts.count("passed"), verdicts.count("failed")
        right = not mutant.missed() if mutant.caught_by else set(verdicts) <= {*group.tolerated}
        made.add_row(
            mutant.name, str(passed), str(failed),
            str(len(verdicts) - passed - failed), "; ".join(mutant.caught_by) or "nothing",
            mutant.anomaly, "yes" if right else "NO",
        )  # fmt: skip
    return made


if __name__ == "__main__":
    sys.exit(main())
