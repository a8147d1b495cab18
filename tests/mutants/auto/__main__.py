"""Random small changes in a Python system under test: which do its features not see?

``make mutants AUTO=20 SEED=7 SYSTEM=churn-pipeline``, or ``python -m tests.mutants.auto 20
--seed 7``. The same seed makes the same changes in the same code. What survived is shown with
its diff in ``reports/mutants-auto.md``: code that cannot matter outside, or a scenario that is
missing.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stackproof.errors import EXIT_COULD_NOT_RUN, EXIT_PASSED, Trouble
from stackproof.settings import load
from tests.mutants.auto.changes import Change, choose
from tests.mutants.auto.copies import Sources, sources_of
from tests.mutants.auto.running import Runs, against, features_of
from tests.mutants.mutant import ROOT

REPORT = Path("reports") / "mutants-auto.md"


@dataclass
class Outcome:
    """What came of one change; nothing in ``killers``: it survived."""

    change: Change
    killers: list[str] = field(default_factory=list)
    reason: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make and run so many changes; 0 whatever survived, 2 when it could not be done."""
    options = _parser().parse_args(arguments)
    try:
        return _main(options)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return EXIT_COULD_NOT_RUN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.auto", description=__doc__)
    parser.add_argument("count", type=int, metavar="N", help="how many changes")
    parser.add_argument("--seed", type=int, help="default: another one each time")
    parser.add_argument("--system", default="churn-pipeline", metavar="NAME", help="[systems.NAME]")
    own = "package or program, relative to the system's directory; default: what it launches"
    parser.add_argument("--sources", default="", metavar="PATH", help=own)
    used = "default: those that use the system"
    parser.add_argument("--features", nargs="+", metavar="FILE", help=used)
    go_on = "run all features against each change, not up to the first failure"
    parser.add_argument("--all", action="store_true", help=go_on)
    parser.add_argument("--jobs", default="1")
    parser.add_argument("--time-factor", default="0.5", help="of the features' limits")
    parser.add_argument("--stack", default="native")
    return parser


def _main(options: argparse.Namespace) -> int:
    settings = load(Path.cwd())
    sources = sources_of(settings, options.system, options.sources)
    seed = random.randrange(10_000) if options.seed is None else options.seed
    changes = choose(sources.files(), options.count, seed)
    features = options.features or features_of(options.system, sources.base)
    print(f"{len(changes)} changes in {options.system}, seed {seed}; {', '.join(features)}",
          flush=True)  # fmt: skip
    how = ["--jobs", options.jobs, "--time-factor", options.time_factor, "--stack", options.stack]
    with tempfile.TemporaryDirectory(prefix="stackproof-auto-") as directory:
        place, caches = ROOT / "reports" / "mutants-auto", Path(directory, "caches")
        runs = Runs(sources.base, features, place, caches, how)
        passed = _control(runs, sources, Path(directory))
        head = (f"# Random changes in {options.system}\n\nSeed {seed}; {passed} scenarios of "
                f"{', '.join(features)}, which the unchanged system passes.\n")  # fmt: skip
        outcomes: list[Outcome] = []
        for number, change in enumerate(changes, 1):
            outcomes.append(_outcome(runs, sources, Path(directory), number, change, options.all))
            (ROOT / REPORT).write_text(_report(head, outcomes, sources.base))
            print(_told(outcomes[-1], sources.base), flush=True)
    survived = sum(not outcome.killers for outcome in outcomes)
    print(f"{len(outcomes) - survived} killed, {survived} survived: {REPORT}")
    return EXIT_PASSED


def _control(runs: Runs, sources: Sources, directory: Path) -> int:
    """See that a copy passes, and that it is the copy which runs; how many scenarios passed."""
    copy = sources.copy(directory / "control", None)
    results = runs.run("control", copy, sources.search_path(copy))
    if failed := against(results):
        raise Trouble(
            f"the unchanged system does not pass: {failed[0]['name']}",
            failed[0]["reason"],
            "what fails without a change tells nothing of one; --time-factor makes limits longer",
        )
    copy = sources.copy(directory / "ended", None, instead="raise SystemExit('a changed copy')\n")
    if not against(runs.run("ended", copy, sources.search_path(copy), "--stop")):
        raise Trouble(
            "a copy that ends at once passes as well",
            f"so it is not {sources.place} that runs when the system is launched",
            "name its package or program: --sources PATH",
        )
    return sum(result["verdict"] == "passed" for result in results)


def _outcome(
    runs: Runs, sources: Sources, directory: Path, number: int, change: Change, whole: bool
) -> Outcome:
    name = f"change-{number:03d}"
    copy = sources.copy(directory / name, change)
    results = runs.run(name, copy, sources.search_path(copy), *([] if whole else ["--stop"]))
    found = against(results)
    reason = str(found[0]["reason"]).strip().partition("\n")[0] if found else ""
    return Outcome(change, [scenario["name"].strip() for scenario in found], reason)


def _place(change: Change, base: Path) -> str:
    return f"{change.file.relative_to(base)}:{change.line}"


def _told(outcome: Outcome, base: Path) -> str:
    how = f"killed by {outcome.killers[0]!r}" if outcome.killers else "SURVIVED"
    return f"{_place(outcome.change, base)}: {how}"


def _report(head: str, outcomes: Sequence[Outcome], base: Path) -> str:
    survived = [outcome for outcome in outcomes if not outcome.killers]
    lines = [head, f"**{len(outcomes) - len(survived)} killed, {len(survived)} survived.**", ""]
    for outcome in sorted(outcomes, key=lambda outcome: bool(outcome.killers)):
        place = _place(outcome.change, base)
        lines += [f"## {'Killed' if outcome.killers else 'Survived'}: {place}", ""]
        if outcome.killers:
            lines += [f"By {'; '.join(outcome.killers)}: {outcome.reason}", ""]
        lines += ["```diff", outcome.change.diff(place.rpartition(":")[0]), "```", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
