"""Running the broken systems: every one must be caught, by its scenario, for its reason.

``python -m tests.mutants.run [NAME ...]`` runs the controls (the unbroken systems) and
each mutant against all scenarios that use the pipeline, and writes the matrix of mutants
and scenarios to ``docs/mutants.md`` and into the report. Limits in seconds are shortened
by one factor, or every mutant that loses something would wait them out; the control,
which must pass, shows that they are long enough.

Servers with faults (`tests.mutants.servers`) are run in the same way: a proxy stands in front
of a sound server, and the features of that service find it as an external endpoint.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.mutants.matrix import as_markdown, write_results
from tests.mutants.servers.running import FEATURES as SERVICES
from tests.mutants.servers.running import SOUND, run_features, sound_server
from tests.second import scorer

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "reports" / "mutants"
FEATURES = ("predictions", "dead_letters", "pipeline_restarts")
TIME_FACTOR = 0.25
CONTROL = "(none: the reference)"
_LONGEST = 1200
_ROW = re.compile(r" -- @\d+\.\d+.*")  # behave's mark of an outline's row


@dataclass
class Mutant:
    """One broken system and what must catch it.

    Attributes:
        module: of a broken reference pipeline; or
        fault: put into the second pipeline, the scorer in Go; or
        service: which one's server has the fault that the mutant is called after.
        scenarios: verdict and reason by name.
    """

    name: str
    breaks: str
    caught_by: list[str]
    anomaly: str
    module: str = ""
    fault: str = ""
    service: str = ""
    scenarios: dict[str, dict[str, Any]] = field(default_factory=dict)

    def missed(self) -> list[str]:
        """Scenarios that had to catch it and did not; a broken one has caught nothing."""
        return [name for name in self.caught_by if not self.catches(name)]

    def catches(self, scenario: str) -> bool:
        """Whether a scenario failed for the reason that this mutant gives."""
        found = self.scenarios.get(scenario)
        return (
            found is not None
            and found["verdict"] == "failed"
            and self.anomaly.lower() in (found["reason"] + found["trace"]).lower()
        )


def known() -> list[Mutant]:
    """The mutants of ``mutants.toml``."""
    content = tomllib.loads((Path(__file__).parent / "mutants.toml").read_text())
    return [Mutant(**table) for kind in ("mutant", "server") for table in content[kind]]


def run(mutant: Mutant, features: list[str]) -> None:
    """Run the features against a mutant and fill in its scenarios."""
    place = _place(mutant)
    place.mkdir(parents=True, exist_ok=True)
    (place / "results.json").unlink(missing_ok=True)
    (place / "stackproof.toml").write_text(_configuration(mutant))
    with (place / "output.txt").open("w") as output:
        subprocess.run(
            [sys.executable, "-m", "stackproof", "run", "--no-report",
             "--suite", "release", "--jobs", "2",
             "--time-factor", str(TIME_FACTOR), "--reports", str(place), *features],
            cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, timeout=_LONGEST,
            env=_environment(place / "stackproof.toml"),
        )  # fmt: skip
    if not read(mutant):
        print(f"{mutant.name} could not be run; see {place / 'output.txt'}")


def _configuration(mutant: Mutant) -> str:
    if mutant.fault:
        return scorer.configuration(fault=mutant.fault)
    if not mutant.module:
        return scorer.configuration(exact=mutant.name == scorer.EXACT)
    config = (ROOT / "stackproof.toml").read_text()
    config = config.replace('"reference.churn_pipeline"', f'"{mutant.module}"')
    config = config.replace('directory = "."', f'directory = "{ROOT.as_posix()}"')
    return config.replace('"contracts/', f'"{ROOT.as_posix()}/contracts/')


def read(mutant: Mutant) -> bool:
    """Fill in a mutant's scenarios from its last run; False when there was none."""
    try:
        results = json.loads((_place(mutant) / "results.json").read_text())
    except FileNotFoundError:
        return False
    mutant.scenarios = {
        _ROW.sub("", scenario["name"]): scenario for scenario in results["scenarios"]
    }
    return True


def _place(mutant: Mutant) -> Path:
    return PLACE / re.sub(r"\W+", "_", mutant.name).strip("_")


def _environment(config: Path) -> dict[str, str]:
    return {**os.environ, "STACKPROOF_CONFIG": str(config)}


def main() -> int:
    """Run what was asked for; 1 when a mutant was not caught as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="mutants to run (default: all)")
    options = parser.parse_args()
    mutants = known()
    unknown = set(options.names) - {m.name for m in mutants}
    if unknown:
        print(f"no mutant is called {sorted(unknown)[0]}; they are: "
              + ", ".join(m.name for m in mutants))  # fmt: skip
        return 2
    chosen = [m for m in mutants if not options.names or m.name in options.names]
    control = Mutant(CONTROL, "nothing", [], "", module="reference.churn_pipeline")
    failures = run_all([control], [m for m in chosen if m.module])
    sound = {name: Mutant(f"(none: {name})", "nothing", [], "", service=name) for name in SERVICES}
    for name in SERVICES:
        if members := [m for m in chosen if m.service == name]:
            with sound_server(name, PLACE) as address:
                failures += run_all([sound[name]], members, server=address)
    second = [m for m in chosen if m.fault]
    if second and (missing := scorer.missing()):
        failures += [f"{m.name}: not run: {missing}" for m in second]
        print(f"{len(second)} mutants not run: {missing}")
    elif second:
        failures += run_all(controls_of_second(), second)
    # A few may be run again: the others keep the results of their last run.
    groups = [
        (control, [m for m in mutants if not m.service]),
        *((sound[name], [m for m in mutants if m.service == name]) for name in SERVICES),
    ]
    if all(m.scenarios or read(m) for m in [control, *sound.values(), *mutants]):
        (ROOT / "docs" / "mutants.md").write_text(as_markdown(groups))
        write_results(PLACE / "allure-results", groups)
    caught = len(chosen) - sum(not f.startswith("(") for f in failures)
    print(f"{caught} of {len(chosen)} mutants caught as they must be")
    return 1 if failures else 0


def controls_of_second() -> list[Mutant]:
    """The unbroken second pipeline, with topics of each scenario's own and with exact names."""
    return [Mutant(name, "nothing", [], "") for name in (scorer.OWN, scorer.EXACT)]


def run_with_server(mutant: Mutant, server: str, *, sound: bool) -> None:
    """Run the features of a service through a proxy with the fault, and fill in the scenarios.

    Those that break their server are left out: there is no hold on an external one.
    """
    place = _place(mutant)
    run_features(mutant.service, SOUND if sound else mutant.name, server, place)
    if not read(mutant):
        print(f"{mutant.name} could not be run; see {place / 'output.txt'}")
    mutant.scenarios = {
        name: scenario
        for name, scenario in mutant.scenarios.items()
        if scenario["verdict"] != "not supported"
    }


def run_all(controls: list[Mutant], mutants: list[Mutant], *, server: str = "") -> list[str]:
    """Run controls and mutants; what is not as it must be, one line each."""
    features = [f"features/messaging/{name}.feature" for name in FEATURES]
    failures = []
    for number, mutant in enumerate([*controls, *mutants], 1):
        if server:
            run_with_server(mutant, server, sound=mutant in controls)
        else:
            run(mutant, features)
        failed = [n for n, s in mutant.scenarios.items() if s["verdict"] != "passed"]
        if not mutant.scenarios:
            problem = "did not run"
        elif mutant in controls:
            problem = f"the control failed: {', '.join(failed)}" if failed else ""
        elif not mutant.caught_by:
            problem = f"names no scenario that must catch it; failed: {', '.join(failed) or '-'}"
        else:
            missed = mutant.missed()
            problem = f"not caught by: {', '.join(missed)}" if missed else ""
        failures += [f"{mutant.name}: {problem}"] if problem else []
        told = problem or (
            f"all {len(mutant.scenarios)} scenarios passed"
            if mutant in controls
            else f"{len(failed)} scenarios failed"
        )
        print(f"{number:>3}/{len(controls) + len(mutants)}  {mutant.name}: {told}", flush=True)
    return failures


if __name__ == "__main__":
    sys.exit(main())
