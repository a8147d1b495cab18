"""A node's disk full, or its power lost."""

from __future__ import annotations

from typing import ClassVar

from stackproof.actions import FillDisk, FreeDisk, LosePower, Start
from stackproof.faults.fault import FELT_WITHIN, HEALED_WITHIN, Proof
from stackproof.faults.processes import Crash, NodeFault
from stackproof.polling import DeadlineExceeded
from stackproof.texts import counted


class DiskFull(NodeFault):
    """Not a byte is free where it keeps its data; healed by room, and a start if it has ended."""

    kind: ClassVar[str] = "disk full"
    #: The WAL of a PostgreSQL primary takes 80 MiB and more while two replicas are copied.
    options: ClassVar = {"disk_mb": 192}

    def _before(self) -> None:
        self._wait(
            lambda: self._witness.refusal(self.node),
            until=lambda refusal: not refusal,
            within=FELT_WITHIN,
            awaiting=f"{self.target} to accept writes before its disk is full",
        )

    def _inject(self) -> None:
        self._act(FillDisk())

    def _mend(self) -> None:
        self._act(FreeDisk())

    def _felt(self) -> Proof:
        """It does not write any more."""
        refusal = self._wait(
            lambda: self._witness.refusal(self.node),
            until=bool,
            within=FELT_WITHIN,
            awaiting=f"{self.target} to fail for want of disk",
            describe=lambda refusal: refusal or "it writes",
        )
        return Proof(refusal)

    def _gone(self) -> Proof:
        """It writes again; servers that end for want of disk are started, when they have ended."""
        self._wait(
            self._started,
            until=lambda ailment: not ailment,
            within=HEALED_WITHIN,
            awaiting=f"{self.target} to write with room on its disk",
        )
        return super()._gone()

    def _started(self) -> str:
        ailment = self._witness.standing(self.node) or self._witness.refusal(self.node)
        if ailment and not self._witness.ask(self.node).connected:
            self._act(Start())  # nothing happens to one that runs
        return ailment


class PowerLoss(Crash):
    """SIGKILL, and what was not synced is gone; healed by a start on what is left.

    What exactly is lost: docs/faults.md.
    """

    kind = "power loss"
    options: ClassVar = {"syncs": True}

    def _inject(self) -> None:
        self._lost = self._act(LosePower())

    def _felt(self) -> Proof:
        """It is unreachable, and something is gone that was on its disk."""
        proof = super()._felt()
        size, files = self._lost["lost_bytes"], self._lost["lost_files"]
        if not size:
            raise DeadlineExceeded("all that was on its disk is still there", self._lost)
        return Proof(
            f"{proof.text}; {size} bytes on its disk that were not synced are gone, "
            f"of {counted(files, 'file')}",
            {**proof.values, **self._lost},
        )
