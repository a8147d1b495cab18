"""The first flows on a real broker: where the time goes.

Each run starts a broker of its own; servers are in the cache already. Compared with plain
Python start-up, which tells how fast the machine is at the moment.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNS = 3


def timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)  # fmt: skip
    return time.perf_counter() - began


def main() -> None:
    yardstick = [timed([sys.executable, "-c", "import numpy, behave"]) for _ in range(RUNS)]
    totals, ready, scenarios = [], [], []
    with tempfile.TemporaryDirectory() as reports:
        command = [
            sys.executable, "-m", "behave", "features/messaging", "--tags=@seed",
            f"-Dreports={reports}",
        ]  # fmt: skip
        timed(command)  # the first one may obtain something
        for _ in range(RUNS):
            totals.append(timed(command))
            results = json.loads((Path(reports) / "results.json").read_text(encoding="utf-8"))
            ready.append(results["ready_after"])
            scenarios.append(sum(s["seconds"] for s in results["scenarios"]))
    total = statistics.median(totals)
    print(f"behave features/messaging --tags=@seed: {total:.1f} s "
          f"(min {min(totals):.1f}, max {max(totals):.1f}; {RUNS} runs)")  # fmt: skip
    print(f"  until the stack is ready: {statistics.median(ready):.1f} s")
    print(f"  in scenarios:             {statistics.median(scenarios):.1f} s")
    print(f"  ratio to starting Python with numpy and behave: "
          f"{total / statistics.median(yardstick):.0f}")  # fmt: skip


if __name__ == "__main__":
    main()
