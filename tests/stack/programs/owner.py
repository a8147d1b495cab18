"""Owns a run like `stackproof` does: begins it, has it watched, starts a family, waits.

    owner.py REPORT [--keep] [--kinds KIND ...]

Says in REPORT, a line each: `run ID`, `watcher PID`, then the family's lines, then `ready`.
"""

import argparse
import sys
from pathlib import Path

from stackproof.polling import pause, poll
from stackproof.processes import reaper
from stackproof.processes.process import ManagedProcess
from stackproof.processes.run import Run

parser = argparse.ArgumentParser()
parser.add_argument("report", type=Path)
parser.add_argument("--keep", action="store_true")
parser.add_argument("--kinds", nargs="*", default=[])
options = parser.parse_args()


def say(line: str) -> None:
    with options.report.open("a") as file:
        file.write(f"{line}\n")


run = Run.begin()
watcher = reaper.Watcher(run)
say(f"run {run.id}")
say(f"watcher {watcher.pid}")
family = Path(__file__).with_name("family.py")
expected = 2 + len(options.kinds) + ("in the ledger only" in options.kinds)
for number, kind in enumerate(options.kinds):
    ManagedProcess(
        f"member-{number}",
        [sys.executable, "-I", "-S", str(family), kind, str(options.report), str(run.directory)],
        log=run.directory / f"member-{number}.log",
        cwd=Path("/"),
        run=run,
    )
poll(
    lambda: len(options.report.read_text().splitlines()),
    until=lambda lines: lines >= expected,
    within=30,
    awaiting="the family",
    describe=lambda _: options.report.read_text(),
)
if options.keep:
    run.write_state(kept=True)
    watcher.dismiss(keep=True)
say("ready yes")
if not options.keep:
    pause(120)
