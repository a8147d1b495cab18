"""``python -m tests.external``: the messaging features on a secured broker of somebody else's.

Starts a Kafka with TLS, SASL, mutual TLS and access rights outside of any run, then runs
``stackproof run --stack external`` on it, once for each way to log in. What breaks no server
must pass; what does must be refused; no secret may appear anywhere; nothing may be left.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.external.broker import SecuredBroker, secured_broker
from tests.external.running import Watched, watched_run, ways_in

_DEDICATED = re.compile(r"^  (?P<name>.*)  \[.*\bdedicated\b.*\]$", re.MULTILINE)


def main() -> int:
    """Print a line for each way to log in; 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.external", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="ways in that contain TEXT")
    parser.add_argument("features", nargs="*", default=["features/messaging"])
    options = parser.parse_args()
    began = time.monotonic()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="secured-") as place:
        directory = Path(place)
        with secured_broker(directory / "somebodys") as broker:
            print(f"somebody's broker is up after {time.monotonic() - began:.1f} s: "
                  f"{', '.join(broker.addresses)}", flush=True)  # fmt: skip
            planned = watched_run(_new(directory / "plan"), {}, "--plan", *options.features)
            breaking = {found["name"] for found in _DEDICATED.finditer(planned.output)}
            for name, way in ways_in(broker, directory / "somebodys").items():
                if options.only not in name:
                    continue
                run_in = _new(directory / re.sub(r"\W+", "-", name))
                run = watched_run(
                    run_in, way, "--stack", "external", "--report-to", str(run_in / "report"),
                    *options.features, secrets=[broker.password, broker.key_password],
                )  # fmt: skip
                problems = problems_of(run, breaking, broker)
                wrong += len(problems)
                counts = ", ".join(f"{n} {v}" for v, n in Counter(run.verdicts.values()).items())
                files = sum(1 for file in run_in.rglob("*") if file.is_file())
                facts = f"exit code {run.code}; {run.seconds:.0f} s; {files} files searched"
                verdict = "FAIL" if problems else "ok  "
                print(f"{verdict}  {name}: {counts}; {facts}", flush=True)
                for problem in problems:
                    print(f"      {problem}", flush=True)
    print(f"{time.monotonic() - began:.0f} s in all")
    return 1 if wrong else 0


def problems_of(run: Watched, breaking: set[str], broker: SecuredBroker) -> list[str]:
    """What is not as it must be after a run on somebody's broker."""
    problems = []
    if not run.verdicts:
        return [f"no results: {run.output[-2000:]}"]
    if not breaking or not breaking < run.verdicts.keys():
        problems.append(f"which scenarios break servers is not known: {sorted(breaking)}")
    for name, verdict in run.verdicts.items():
        expected = "not supported" if name in breaking else "passed"
        if verdict != expected:
            problems.append(f"{name}: {verdict} instead of {expected}: {run.reasons[name]}")
        elif name in breaking and "did not start" not in run.reasons[name]:
            problems.append(f"{name}: its reason is not told: {run.reasons[name]!r}")
    if run.code != 1:
        problems.append(f"exit code {run.code}, although scenarios did not run")
    problems += [f"a secret stands in {place}" for place in run.seen]
    problems += [f"left behind: {file}" for file in run.left]
    problems += [f"left on the broker: {name}" for name in broker.content()]
    return problems


def _new(directory: Path) -> Path:
    directory.mkdir()
    return directory


if __name__ == "__main__":
    sys.exit(main())
