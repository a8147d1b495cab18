"""The suite's own time per step: a project of empty steps under bare behave and under our runner.

Each is run with few and with many steps per scenario; the difference is what steps cost, without
start-up and what each scenario costs. Our runner's time holds its Allure and JUnit reports. The
best of several runs counts: what disturbs a run can only make it longer.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCENARIOS = 40
FEW, MANY = 10, 50
RUNS = 5
GOAL_MS = 1.0
RUNNERS = {
    "bare behave": [],
    "our runner": ["-r", "stackproof.session.runner:StackproofRunner"],
}
STEPS = """
from behave import step

@step("nothing is done for the {number:d}th time")
def nothing(context, number): pass
"""
#: Bare behave gets hooks as well, or the difference would be theirs.
HOOKS = """
def before_scenario(context, scenario): pass
def after_scenario(context, scenario): pass
"""
OUR_HOOKS = "from stackproof.session.hooks import after_scenario, before_scenario\n"


def write_project(root: Path, steps: int, hooks: str) -> None:
    (root / "steps").mkdir(parents=True)
    (root / "steps" / "steps.py").write_text(STEPS, encoding="utf-8")
    (root / "environment.py").write_text(hooks, encoding="utf-8")
    lines = ["Feature: Empty steps"]
    for scenario in range(SCENARIOS):
        lines.append(f"  Scenario: number {scenario}")
        lines += [f"    Given nothing is done for the {step}th time" for step in range(steps)]
    (root / "empty.feature").write_text("\n".join(lines) + "\n", encoding="utf-8")


def timed(root: Path, options: list[str]) -> float:
    command = [sys.executable, "-m", "behave", "-f", "plain", "-o", os.devnull, *options]
    env = {**os.environ, "STACKPROOF_RUNS": str(root / "runs")}
    began = time.perf_counter()
    subprocess.run([*command, str(root)], cwd=root, env=env, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    return time.perf_counter() - began


def main() -> None:
    best: dict[tuple[str, int], float] = {}
    with tempfile.TemporaryDirectory() as place:
        roots = {}
        for runner in RUNNERS:
            for steps in (FEW, MANY):
                root = roots[runner, steps] = Path(place) / f"{runner} {steps}".replace(" ", "-")
                write_project(root, steps, OUR_HOOKS if RUNNERS[runner] else HOOKS)
        for _ in range(RUNS):
            for key, root in roots.items():
                took = timed(root, RUNNERS[key[0]])
                best[key] = min(took, best.get(key, took))
    print(f"{SCENARIOS} scenarios of {FEW} and {MANY} empty steps; best of {RUNS} runs")
    per_step = {}
    for runner in RUNNERS:
        few, many = best[runner, FEW], best[runner, MANY]
        per_step[runner] = (many - few) / (SCENARIOS * (MANY - FEW)) * 1000
        print(f"  {runner + ':':12} {per_step[runner]:.3f} ms per step "
              f"({few:.2f} s and {many:.2f} s in all)")  # fmt: skip
    added = per_step["our runner"] - per_step["bare behave"]
    print(f"  added by the suite: {added:.3f} ms per step (goal: {GOAL_MS:g} ms or less)")


if __name__ == "__main__":
    main()
