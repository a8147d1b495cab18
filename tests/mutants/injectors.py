"""The suite itself with a broken injector of faults: it must not believe it.

The control and each broken injector are run against the scenario of its fault; the outcome goes
to ``docs/injectors.md``. Nothing happens, or nothing heals, while the injector claims that it
did: only an independent client can tell. As a program this module is such a run.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

from stackproof.actions import (
    Action,
    ClearClients,
    Crash,
    CutClients,
    CutPeers,
    FillDisk,
    JoinPeers,
    Pause,
    ResetClients,
    Resume,
    SlowClients,
    Start,
    Stop,
    ThrottleClients,
)
from stackproof.cli import main as stackproof
from stackproof.stack.harm.volatile import VolatileDisk
from stackproof.stack.native import NativeCluster
from tests.mutants.alone import Kind
from tests.mutants.mutant import ROOT

PLACE = ROOT / "reports" / "injectors"
#: Limits are shortened; the control shows that they are long enough.
TIME_FACTOR = 0.5
_SCENARIO = "Acknowledged messages survive while a broker {}"
_VARIABLE = "STACKPROOF_BROKEN_INJECTOR"
NO_EFFECT, NEVER_HEALED = "the fault had no effect", "the healing never came"


@dataclass(frozen=True)
class Broken:
    """A broken injector.

    Attributes:
        breaks: for people.
        leaves_out: the action that it only claims to do; None: a loss of power costs nothing.
        fault: words of the scenario that must catch it.
        anomaly: what that must call it.
    """

    breaks: str
    leaves_out: type[Action] | None
    fault: str
    anomaly: str

    @property
    def scenario(self) -> str:
        """Name of the scenario that must catch it."""
        return _SCENARIO.format(self.fault)

    @property
    def told(self) -> str:
        """What is broken, for people."""
        return self.breaks


_SLOW = "answers its clients 300 milliseconds late"
_APART = "is cut off from the other brokers"
MUTANTS = {
    "crash_does_nothing": Broken("It lives on.", Crash, "has crashed", NO_EFFECT),
    "stop_does_nothing": Broken("It lives on.", Stop, "is stopped", NO_EFFECT),
    "start_never_comes": Broken("It stays down.", Start, "has crashed", NEVER_HEALED),
    "pause_does_nothing": Broken("It goes on.", Pause, "is paused", NO_EFFECT),
    "resume_never_comes": Broken("It stays paused.", Resume, "is paused", NEVER_HEALED),
    "client_cut_does_nothing": Broken(
        "Clients go on talking to it.", CutClients, "is cut off from its clients", NO_EFFECT
    ),
    "slow_does_nothing": Broken("Answers are in time.", SlowClients, _SLOW, NO_EFFECT),
    "connections_stay_slow": Broken("The delay stays.", ClearClients, _SLOW, NEVER_HEALED),
    "throttle_does_nothing": Broken(
        "The connection is as wide as ever.", ThrottleClients,
        "has 50 kilobytes a second for its clients", NO_EFFECT,
    ),
    "reset_does_nothing": Broken(
        "Connections stay.", ResetClients, "resets its clients' connections", NO_EFFECT
    ),
    "peer_cut_does_nothing": Broken("The others reach it.", CutPeers, _APART, NO_EFFECT),
    "peers_stay_cut": Broken("The cut stays.", JoinPeers, _APART, NEVER_HEALED),
    "disk_has_room": Broken("The disk has room.", FillDisk, "has a full disk", NO_EFFECT),
    "power_loss_keeps_everything": Broken(
        "A mere crash: nothing unsynced is lost.", None, "has lost power", NO_EFFECT
    ),
}  # fmt: skip


def break_injector(mutant: Broken) -> None:
    """Have this process's native provider claim to do what it does not do."""
    act = NativeCluster.act

    def pretending(self: NativeCluster, instance: str, asked: Action) -> Any:
        return None if type(asked) is mutant.leaves_out else act(self, instance, asked)

    tell = VolatileDisk._tell

    def keeping(self: VolatileDisk, what: str) -> str:
        if what != "lose":
            return tell(self, what)
        self.stop()
        return "lost"

    if mutant.leaves_out:
        NativeCluster.act = pretending  # type: ignore[method-assign]
    else:
        VolatileDisk._tell = keeping  # type: ignore[method-assign]


KIND = Kind(
    plural="broken injectors",
    mutants=MUTANTS,
    place=PLACE,
    document=(
        "docs/injectors.md",
        "# Broken injectors of faults\n\nWritten by `make mutants`. The injector claims what "
        "it does not do; the scenario of its fault\nmust fail and say so. With an unbroken "
        "injector {passed} of these {wanted} scenarios passed.\n\n"
        "| broken injector | what happens | must be caught by | named as | caught |\n"
        "|---|---|---|---|---|\n",
    ),
    arguments=lambda place: [
        "-m", "tests.mutants.injectors", "run", "features/faults",
        "--time-factor", str(TIME_FACTOR),
    ],
    environment=lambda name: {_VARIABLE: name or "none"},
)  # fmt: skip


if __name__ == "__main__":
    if (broken := os.environ[_VARIABLE]) in MUTANTS:
        break_injector(MUTANTS[broken])
    sys.exit(stackproof(sys.argv[1:]))
