"""The suite itself with a broken injector of faults: it must not believe it.

``python -m tests.mutants.injectors [NAME ...]`` runs the control and each broken injector
against the scenario of its fault, and writes ``docs/injectors.md``. Nothing happens, or nothing
heals, while the injector claims that it did: only an independent client can tell.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackproof.cli import main as stackproof
from stackproof.stack.harm.native import NativeMeans
from stackproof.stack.native import NativeCluster

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "reports" / "injectors"
#: Limits are shortened; the control shows that they are long enough.
TIME_FACTOR = 0.5
_LONGEST = 900
_SCENARIO = "Acknowledged messages survive while a broker {}"
_VARIABLE = "STACKPROOF_BROKEN_INJECTOR"
NO_EFFECT, NEVER_HEALED = "the fault had no effect", "the healing never came"


@dataclass(frozen=True)
class Broken:
    """A broken injector.

    Attributes:
        breaks: for people.
        leaves_out: the action that it only claims to do; empty: a loss of power costs nothing.
        fault: words of the scenario that must catch it.
        anomaly: what that must call it.
    """

    breaks: str
    leaves_out: str
    fault: str
    anomaly: str

    @property
    def scenario(self) -> str:
        """Name of the scenario that must catch it."""
        return _SCENARIO.format(self.fault)


_SLOW = "answers its clients 300 milliseconds late"
_APART = "is cut off from the other brokers"
MUTANTS = {
    "crash_does_nothing": Broken("It lives on.", "crash", "has crashed", NO_EFFECT),
    "stop_does_nothing": Broken("It lives on.", "stop", "is stopped", NO_EFFECT),
    "start_never_comes": Broken("It stays down.", "start", "has crashed", NEVER_HEALED),
    "pause_does_nothing": Broken("It goes on.", "pause", "is paused", NO_EFFECT),
    "resume_never_comes": Broken("It stays paused.", "resume", "is paused", NEVER_HEALED),
    "client_cut_does_nothing": Broken(
        "Clients go on talking to it.", "clients cut", "is cut off from its clients", NO_EFFECT
    ),
    "slow_does_nothing": Broken("Answers are in time.", "clients slow", _SLOW, NO_EFFECT),
    "connections_stay_slow": Broken("The delay stays.", "clients clear", _SLOW, NEVER_HEALED),
    "throttle_does_nothing": Broken(
        "The connection is as wide as ever.", "clients throttle",
        "has 50 kilobytes a second for its clients", NO_EFFECT,
    ),
    "reset_does_nothing": Broken(
        "Connections stay.", "clients reset", "resets its clients' connections", NO_EFFECT
    ),
    "peer_cut_does_nothing": Broken("The others reach it.", "peers cut", _APART, NO_EFFECT),
    "peers_stay_cut": Broken("The cut stays.", "peers join", _APART, NEVER_HEALED),
    "disk_has_room": Broken("The disk has room.", "disk fill", "has a full disk", NO_EFFECT),
    "power_loss_keeps_everything": Broken(
        "A mere crash: nothing unsynced is lost.", "", "has lost power", NO_EFFECT
    ),
}  # fmt: skip


def break_injector(mutant: Broken) -> None:
    """Have this process's native provider claim to do what it does not do."""
    act = NativeCluster.act

    def pretending(self: NativeCluster, instance: str, asked: str, **details: Any) -> Any:
        return None if asked == mutant.leaves_out else act(self, instance, asked, **details)

    def kept(self: NativeMeans, instance: str) -> dict[str, Any]:
        return {"bytes_before": 5000, "bytes_after": 5000, "files_cut": 0}

    if mutant.leaves_out:
        NativeCluster.act = pretending  # type: ignore[method-assign]
    else:
        NativeMeans.lose_power = kept  # type: ignore[method-assign]


def run(name: str, scenarios: list[str]) -> dict[str, dict[str, Any]]:
    """Run scenarios with a broken injector (empty name: none is); the results by their names."""
    place = PLACE / (name or "control")
    place.mkdir(parents=True, exist_ok=True)
    (place / "results.json").unlink(missing_ok=True)
    names = "|".join(re.escape(scenario) for scenario in scenarios)
    with (place / "output.txt").open("w") as output:
        subprocess.run(
            [sys.executable, "-m", "tests.mutants.injectors", "run", "features/faults",
             "--no-report", "--stack", "native", "--time-factor", str(TIME_FACTOR),
             "--name", f"^({names})( -- @.*)?$", "--reports", str(place)],
            cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, timeout=_LONGEST,
            env={**os.environ, _VARIABLE: name or "none"}, check=False,
        )  # fmt: skip
    try:
        results = json.loads((place / "results.json").read_text())["scenarios"]
    except FileNotFoundError:
        return {}
    return {re.sub(r" -- @\d+\.\d+.*", "", found["name"]): found for found in results}


def caught(mutant: Broken, results: dict[str, dict[str, Any]]) -> bool:
    """Whether the scenario failed, and for the reason that it must."""
    found = results.get(mutant.scenario, {"verdict": "", "reason": "", "trace": ""})
    return found["verdict"] == "failed" and mutant.anomaly in found["reason"] + found["trace"]


def main(names: list[str]) -> int:
    """Run what was asked for (nothing: all); 1 when one was not caught as it must be."""
    if unknown := sorted(set(names) - set(MUTANTS)):
        print(f"no broken injector is called {unknown[0]}; they are: {', '.join(MUTANTS)}")
        return 2
    chosen = {n: m for n, m in MUTANTS.items() if not names or n in names}
    wanted = sorted({mutant.scenario for mutant in chosen.values()})
    control = run("", wanted)
    failed = [s for s in wanted if control.get(s, {}).get("verdict") != "passed"]
    print(
        f"control: {len(wanted) - len(failed)} of {len(wanted)} passed {failed or ''}", flush=True
    )
    rows, missed = [], []
    for name, mutant in chosen.items():
        ok = caught(mutant, run(name, [mutant.scenario]))
        missed += [] if ok else [name]
        print(f"{name}: {'caught' if ok else 'NOT CAUGHT'}", flush=True)
        rows.append(f"| `{name}` | {mutant.breaks} | {mutant.scenario} | {mutant.anomaly} | "
                    f"{'yes' if ok else '**no**'} |")  # fmt: skip
    print(f"{len(chosen) - len(missed)} of {len(chosen)} broken injectors caught as they must be")
    if not names:
        head = (
            "# Broken injectors of faults\n\nWritten by `make mutants`. The injector claims what "
            "it does not do; the scenario of its fault\nmust fail and say so. With an unbroken "
            f"injector {len(wanted) - len(failed)} of these {len(wanted)} scenarios passed.\n\n"
            "| broken injector | what happens | must be caught by | named as | caught |\n"
            "|---|---|---|---|---|\n"
        )
        (ROOT / "docs" / "injectors.md").write_text(head + "\n".join(rows) + "\n")
    return 1 if missed or failed else 0


if __name__ == "__main__":
    if broken := os.environ.get(_VARIABLE):
        if broken in MUTANTS:
            break_injector(MUTANTS[broken])
        sys.exit(stackproof(sys.argv[1:]))
    sys.exit(main(sys.argv[1:]))
