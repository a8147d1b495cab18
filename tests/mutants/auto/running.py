"""Running a system's features against a copy of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from behave.parser import parse_feature
from behave.runner import the_step_registry as registry

from stackproof.commands.steps import registered
from stackproof.errors import Trouble
from stackproof.obtain.cache import cache_directory
from stackproof.session.needs import systems_of

_LONGEST = 1800


@dataclass(frozen=True)
class Runs:
    """How features are run.

    Attributes:
        base: the project's directory.
        features: files or folders.
        place: where results go, a directory each.
        caches: a new directory, for what programs keep in the user's cache.
        options: for ``stackproof run``.
    """

    base: Path
    features: Sequence[str]
    place: Path
    caches: Path
    options: Sequence[str]

    def run(self, name: str, settings: Path, search_path: str, *more: str) -> list[dict[str, Any]]:
        """Run the features with other settings; the results of the scenarios.

        What the system keeps in the user's cache goes to one of this run, which begins as the
        control has left it: a changed system must not spoil the real one's.
        """
        place, cache = self.place / name, self.caches / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        if (self.caches / "control").is_dir():
            shutil.copytree(self.caches / "control", cache)
        with (place / "output.txt").open("w") as output:
            subprocess.run(
                [sys.executable, "-m", "stackproof", "run", "--no-report", "--suite", "release",
                 "--reports", str(place), *self.options, *more, *self.features],
                cwd=self.base, stdout=output, stderr=subprocess.STDOUT, timeout=_LONGEST,
                env={**os.environ, "STACKPROOF_CONFIG": str(settings), "PYTHONPATH": search_path,
                     "STACKPROOF_CACHE": str(cache_directory()), "XDG_CACHE_HOME": str(cache)},
            )  # fmt: skip
        try:
            return list(json.loads((place / "results.json").read_text())["scenarios"])
        except FileNotFoundError:
            raise Trouble(
                "the features could not be run",
                "\n".join((place / "output.txt").read_text().splitlines()[-15:]),
            ) from None


def against(scenarios: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of the results that speak against the system."""
    return [scenario for scenario in scenarios if scenario["verdict"] in ("failed", "broken")]


def features_of(system: str, base: Path) -> list[str]:
    """The feature files below ``features`` with a step that uses the system.

    Raises:
        Trouble: there is none.
    """
    registered(base / "steps")
    found = []
    for file in sorted((base / "features").rglob("*.feature")):
        feature = parse_feature(file.read_text(encoding="utf-8"), filename=str(file))
        steps = (step for scenario in feature.walk_scenarios() for step in scenario.all_steps)
        matches = filter(None, map(registry.find_match, steps))
        if any(
            system in systems_of(match.func, {a.name: a.value for a in match.arguments or ()})
            for match in matches
        ):
            found.append(str(file.relative_to(base)))
    if not found:
        raise Trouble(f"no feature in {base / 'features'} uses the system {system}", "",
                      "name some: --features FILE ...")  # fmt: skip
    return found
