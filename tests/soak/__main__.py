"""``python -m tests.soak repeat [N] | kill [N]  [--stack docker] [FEATURE ...]``.

repeat: N runs of the messaging features in random order, every second one with one core kept
busy (without @performance); one failure is a failure. Called again, it goes on where it was.
kill: N runs killed by SIGKILL at random moments; whatever is left 10 seconds later (of processes,
directories, containers, networks, volumes) is a failure.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from stackproof.polling import DeadlineExceeded, pause, poll
from stackproof.processes.run import RUN_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
GONE_WITHIN = 10.0
#: The engine carries out what a killed Compose has asked for; see `leftovers`.
GONE_WITHIN_DOCKER = 30.0


#: Ends with whoever started it, however that one ended.
_BURN = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"


@contextmanager
def busy_core(busy: bool) -> Iterator[None]:
    """Keep one core busy meanwhile."""
    if not busy:
        yield
        return
    burner = subprocess.Popen([sys.executable, "-c", _BURN])
    try:
        yield
    finally:
        burner.kill()
        burner.wait()


def repeat(count: int, arguments: list[str], record: Path) -> int:
    """Run the features until ``record`` has ``count`` runs of this commit; how many failed.

    A run that was cut short is not in the record: called again, the rest is run.
    """
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    lines = record.read_text().splitlines() if record.exists() else []
    done = [run for run in map(json.loads, lines)
            if (run["commit"], run["arguments"]) == (commit, arguments)]  # fmt: skip
    for run in done:
        print(_told(run, count), flush=True)
    for number in range(len(done) + 1, count + 1):
        run = {"commit": commit, "arguments": arguments, **_one_run(number, arguments)}
        record.parent.mkdir(parents=True, exist_ok=True)
        with record.open("a") as file:
            file.write(json.dumps(run) + "\n")
        done.append(run)
        print(_told(run, count), flush=True)
    failures = sum(run["exit code"] != 0 for run in done)
    print(f"{failures} of {len(done)} runs of {commit} failed")
    return failures


def _one_run(number: int, arguments: list[str]) -> dict[str, Any]:
    busy = number % 2 == 0
    seed = f"{random.getrandbits(32):08x}"
    # Bounds of figures hold on a quiet machine only.
    tags = ["--tags", "not @performance"] if busy else []
    with tempfile.TemporaryDirectory() as reports, busy_core(busy):
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "stackproof", "run", "--no-report", "--random", seed,
             "--reports", reports, "--jobs", str(1 + number % 2), *tags, *arguments],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
        elapsed = time.monotonic() - began
        file = Path(reports) / "results.json"
        scenarios = json.loads(file.read_text())["scenarios"] if file.exists() else []
    return {
        "number": number, "seed": seed, "workers": 1 + number % 2, "busy": busy,
        "scenarios": len(scenarios), "seconds": round(elapsed, 1), "exit code": done.returncode,
        "not passed": [f"{s['name']}: {s['verdict']}\n{s['reason']}" for s in scenarios
                       if s["verdict"] != "passed"],
        "output": "" if scenarios else done.stderr[-2000:],
    }  # fmt: skip


def _told(run: dict[str, Any], count: int) -> str:
    line = (
        f"{run['number']:>3}/{count}  order {run['seed']}  {run['workers']} workers"
        f"{'  one core busy' if run['busy'] else '':<15}  {run['scenarios']} scenarios"
        f"  {run['seconds']:5.1f} s  exit code {run['exit code']}"
    )
    return "\n      ".join([line, *run["not passed"], *filter(None, [run["output"]])])


def kill(count: int, arguments: list[str]) -> int:
    """Kill ``count`` runs at random moments; the number of runs that left something."""
    failures = 0
    engine = Containers() if "docker" in arguments else None
    for number in range(1, count + 1):
        with tempfile.TemporaryDirectory() as reports, tempfile.TemporaryDirectory() as runs:
            # A place of its own: somebody else's runs on this machine are not left by this one.
            base = Path(runs).resolve()
            run = subprocess.Popen(
                [sys.executable, "-m", "stackproof", "run", "--no-report",
                 "--reports", reports, *arguments],
                cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env={**os.environ, "STACKPROOF_RUNS": str(base)},
            )  # fmt: skip
            # Every second one while the stack comes up: that is where most can go wrong.
            moment = random.uniform(0.3, 12.0 if number % 2 else 4.0)
            pause(moment)
            ours = list(base.glob("*/*"))
            identities = [d.name for d in ours]
            alive = f"{len(marked(identities))} processes"
            if engine is not None:
                alive += f", {len(engine.of(identities))} containers, networks, volumes"
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
            began = time.monotonic()
            try:
                poll(
                    lambda found=identities, places=ours: [
                        *marked(found),
                        *(p for p in places if p.exists()),
                        *(engine.of(found) if engine is not None else ()),
                    ],
                    until=lambda left: not left,
                    within=GONE_WITHIN if engine is None else GONE_WITHIN_DOCKER,
                    awaiting="everything of the run to be gone",
                )
                left = f"nothing left after {time.monotonic() - began:.1f} s"
            except DeadlineExceeded as late:
                failures += 1
                left = f"LEFT: {late.seen}"
            if engine is not None and (late_ones := engine.late(identities)):
                failures += 1
                left += f"; CAME LATER: {late_ones}"
            killed = f"killed after {moment:4.1f} s with {alive}"
            print(f"{number:>3}/{count}  {killed}: {left}", flush=True)
    print(f"{failures} of {count} killed runs left something")
    return failures


class Containers:
    """What an engine has of runs; asked by the command line, not by the code under test."""

    def __init__(self) -> None:
        self._volumes = set(self._ask("volume", "ls", "--quiet"))

    def _ask(self, *words: str) -> list[str]:
        done = subprocess.run(["docker", *words], capture_output=True, text=True, check=True)
        return done.stdout.split("\n")[:-1]

    def of(self, identities: list[str]) -> list[str]:
        """Containers and networks that name one of the runs, and volumes that nobody uses."""
        everything = [
            *self._ask("ps", "--all", "--format", "container {{.Names}} {{.Status}} {{.Labels}}"),
            *self._ask("network", "ls", "--format", "network {{.Name}} {{.Labels}}"),
            *self._ask("volume", "ls", "--format", "volume {{.Name}} {{.Labels}}"),
        ]
        unused = set(self._ask("volume", "ls", "--quiet", "--filter", "dangling=true"))
        return [line for line in everything if any(i in line for i in identities)] + [
            f"volume {name}" for name in sorted(unused - self._volumes)
        ]

    def late(self, identities: list[str]) -> list[str]:
        """What the engine still makes when the reaper has gone."""
        pause(3.0)
        return self.of(identities)


def marked(identities: list[str]) -> list[str]:
    """Living processes that belong to one of the runs."""
    found = []
    for process in psutil.process_iter():
        try:
            marks = [process.environ().get(RUN_VARIABLE, ""), " ".join(process.cmdline()),
                     process.cwd()]  # fmt: skip
            if process.status() != psutil.STATUS_ZOMBIE and any(
                identity in mark for identity in identities for mark in marks
            ):
                found.append(f"{process.pid} {process.name()}")
        except (psutil.Error, OSError):
            continue
    return found


def main() -> int:
    """1 when something failed or was left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["repeat", "kill"])
    parser.add_argument("count", type=int, nargs="?", default=10)
    parser.add_argument("--stack", default="native", help="provider (default: native)")
    parser.add_argument("--suite", default="release", help="pr, nightly or release (default)")
    parser.add_argument(
        "--record", type=Path, default=ROOT / "reports" / "soak.jsonl",
        help="where repeated runs are noted (default: reports/soak.jsonl)",
    )  # fmt: skip
    options, rest = parser.parse_known_args()
    rest = rest or ["features/messaging"]
    arguments = ["--stack", options.stack, "--suite", options.suite, *rest]
    if options.what == "repeat":
        return 1 if repeat(options.count, arguments, options.record) else 0
    return 1 if kill(options.count, arguments) else 0


if __name__ == "__main__":
    sys.exit(main())
