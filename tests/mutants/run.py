"""Running the broken systems: every one must be caught, by its scenario, for its reason.

``python -m tests.mutants.run [NAME ...]`` runs the control (the unbroken reference) and
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.mutants.matrix import as_markdown, write_results
from tests.mutants.servers.running import SOUND, run_features, sound_server

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "reports" / "mutants"
FEATURES = ("predictions", "dead_letters", "pipeline_restarts")
TIME_FACTOR = 0.25
_LONGEST = 1200
_ROW = re.compile(r" -- @\d+\.\d+.*")  # behave's mark of an outline's row


@dataclass
class Mutant:
    """One broken system and what must catch it.

    Attributes:
        module: what to run instead of the reference; or
        service: which service has the fault called like the mutant.
        scenarios: verdict and reason by name.
    """

    name: str
    breaks: str
    caught_by: list[str]
    anomaly: str
    module: str = ""
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


CONTROLS = {
    "": Mutant("(none: the reference)", "nothing", [], "", module="reference.churn_pipeline"),
    "redis": Mutant("(none: Redis)", "nothing", [], "", service="redis"),
    "rabbitmq": Mutant("(none: RabbitMQ)", "nothing", [], "", service="rabbitmq"),
}


def known() -> list[Mutant]:
    """The mutants of ``mutants.toml``."""
    content = tomllib.loads((Path(__file__).parent / "mutants.toml").read_text())
    return [Mutant(**table) for kind in ("mutant", "server") for table in content[kind]]


def run(mutant: Mutant, features: list[str]) -> None:
    """Run the features against a mutant and fill in its scenarios."""
    place = _place(mutant)
    place.mkdir(parents=True, exist_ok=True)
    (place / "results.json").unlink(missing_ok=True)
    config = (ROOT / "stackproof.toml").read_text()
    config = config.replace('"reference.churn_pipeline"', f'"{mutant.module}"')
    config = config.replace('directory = "."', f'directory = "{ROOT.as_posix()}"')
    config = config.replace('"contracts/', f'"{ROOT.as_posix()}/contracts/')
    (place / "stackproof.toml").write_text(config)
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
    if mutant in CONTROLS.values():
        return PLACE / f"none-{mutant.service}".rstrip("-")
    return PLACE / mutant.name


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
    groups = {
        service: (control, [m for m in mutants if m.service == service])
        for service, control in CONTROLS.items()
    }
    failures = []
    for service, (control, members) in groups.items():
        members = [m for m in members if m in chosen]
        with _runner(service) as run_one:
            for mutant in [control, *members] if members else []:
                run_one(mutant)
                problem = _problem(mutant, mutant is control)
                failures += [f"{mutant.name}: {problem}"] if problem else []
                failed = sum(s["verdict"] == "failed" for s in mutant.scenarios.values())
                print(f"{mutant.name}: " + (problem or f"{failed} scenarios failed"), flush=True)
    # A few may be run again: the others keep the results of their last run.
    if all(m.scenarios or read(m) for m in [*CONTROLS.values(), *mutants]):
        (ROOT / "docs" / "mutants.md").write_text(as_markdown(list(groups.values())))
        write_results(PLACE / "allure-results", list(groups.values()))
    controls = tuple(control.name for control in CONTROLS.values())
    caught = len(chosen) - sum(not f.startswith(controls) for f in failures)
    print(f"{caught} of {len(chosen)} mutants caught as they must be")
    return 1 if failures else 0


def _problem(mutant: Mutant, is_control: bool) -> str:
    """Why a mutant's run is not as it must be; empty: it is."""
    fine = ("passed", "not supported") if mutant.service else ("passed",)
    failed = [n for n, s in mutant.scenarios.items() if s["verdict"] not in fine]
    if not any(s["verdict"] != "not supported" for s in mutant.scenarios.values()):
        return "did not run"
    if is_control:
        return f"the control failed: {', '.join(failed)}" if failed else ""
    if not mutant.caught_by:
        return f"names no scenario that must catch it; failed: {', '.join(failed) or '-'}"
    missed = mutant.missed()
    return f"not caught by: {', '.join(missed)}" if missed else ""


@contextmanager
def _runner(service: str) -> Iterator[Callable[[Mutant], None]]:
    """What runs one mutant of a group; a sound server lives as long."""
    if not service:
        features = [f"features/messaging/{name}.feature" for name in FEATURES]
        yield lambda mutant: run(mutant, features)
        return
    with sound_server(service, PLACE) as server:

        def run_one(mutant: Mutant) -> None:
            fault = SOUND if mutant is CONTROLS[service] else mutant.name
            run_features(service, fault, server, _place(mutant))
            if not read(mutant):
                print(f"{mutant.name} could not be run; see {_place(mutant) / 'output.txt'}")

        yield run_one


if __name__ == "__main__":
    sys.exit(main())
