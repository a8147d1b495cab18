"""The first process of a node whose PostgreSQL an agent manages: it starts the agent, as systemd.

``python keeper.py AGENT ARGUMENTS``. What the agent leaves behind becomes this process's child, so
that the node is one family of processes. SIGUSR1 kills the agent alone, SIGUSR2 starts it again;
signals that end go to the agent, which ends its server first. Linux alone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


class Keeper:
    """Starts an agent, and knows whether it was killed on purpose."""

    def __init__(self, command: Sequence[str]):
        self._command = list(command)
        self._killed = False
        self._start()

    def _start(self) -> None:
        self._agent = os.spawnvp(os.P_NOWAIT, self._command[0], self._command)

    def kill(self, *_: object) -> None:
        """Kill the agent alone."""
        self._killed = True
        os.kill(self._agent, signal.SIGKILL)

    def start(self, *_: object) -> None:
        """Start it again."""
        if self._killed:
            self._killed = False
            self._start()

    def forward(self, number: int, _: object) -> None:
        """Have it end."""
        os.kill(self._agent, number)

    def run(self) -> int:
        """Wait for the agent's end; its exit code, 128 and the signal's number where one did it."""
        while True:
            ended, status = os.wait()
            if ended == self._agent and not self._killed:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code


def main(command: Sequence[str]) -> int:
    """Run an agent until it ends; its exit code."""
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    keeper = Keeper(command)
    signal.signal(signal.SIGUSR1, keeper.kill)
    signal.signal(signal.SIGUSR2, keeper.start)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, keeper.forward)
    return keeper.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
