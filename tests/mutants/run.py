"""Running the broken systems: every one must be caught, by its scenario, for its reason.

Mutants are run with the unbroken systems of their groups beside them; the matrix of mutants
and scenarios goes to ``docs/mutants.md`` and into the report. The controls, which must pass,
show that limits are long enough and that what fails does so for the fault that was put in.
"""

from __future__ import annotations

from tests.mutants.groups import GROUPS, Group
from tests.mutants.matrix import as_markdown, write_results
from tests.mutants.mutant import PLACE, ROOT, Mutant, known

PAGE = ROOT / "docs" / "mutants.md"


def main(names: list[str]) -> int:
    """Run what was asked for (nothing: all); 1 when a mutant was not caught as it must be."""
    mutants = known()
    chosen = [m for m in mutants if not names or {m.name, m.group} & set(names)]
    failures = []
    for group in GROUPS:
        failures += run_group(group, [m for m in chosen if m.group == group.name])
    # A few may be run again: the others keep the results of their last run.
    controls = [control for group in GROUPS for control in group.controls]
    for mutant in [*controls, *mutants]:
        if not mutant.scenarios:
            mutant.read()
    PAGE.write_text(as_markdown(GROUPS, mutants, PAGE.read_text()))
    write_results(PLACE / "allure-results", GROUPS, mutants)
    caught = len(chosen) - len({f.partition(":")[0] for f in failures} & {m.name for m in chosen})
    print(f"{caught} of {len(chosen)} mutants caught as they must be")
    return 1 if failures else 0


def run_group(group: Group, mutants: list[Mutant]) -> list[str]:
    """Run the controls of a group and these of its mutants; what is not as it must be."""
    if not mutants:
        return []
    if missing := group.missing():
        print(f"{len(mutants)} mutants not run: {missing}")
        return [f"{mutant.name}: not run: {missing}" for mutant in mutants]
    failures = []
    with group.running() as run_one:
        for mutant in [*group.controls, *mutants]:
            mutant.place.mkdir(parents=True, exist_ok=True)
            (mutant.place / "results.json").unlink(missing_ok=True)
            run_one(mutant)
            mutant.read()
            problem = _problem(group, mutant)
            failures += [f"{mutant.name}: {problem}"] if problem else []
            failed = sum(s["verdict"] == "failed" for s in mutant.scenarios.values())
            told = problem or f"{failed} of {len(mutant.scenarios)} scenarios failed"
            print(f"{mutant.name}: {told}", flush=True)
    return failures


def _problem(group: Group, mutant: Mutant) -> str:
    """Why a mutant's run is not as it must be; empty: it is."""
    failed = [n for n, s in mutant.scenarios.items() if s["verdict"] not in group.tolerated]
    if not any(s["verdict"] != "not supported" for s in mutant.scenarios.values()):
        return f"did not run; see {mutant.place / 'output.txt'}"
    if mutant in group.controls:
        return f"the control failed: {', '.join(failed)}" if failed else ""
    if not mutant.caught_by:
        return f"names no scenario that must catch it; failed: {', '.join(failed) or '-'}"
    missed = mutant.missed()
    return f"not caught by: {', '.join(missed)}" if missed else ""
