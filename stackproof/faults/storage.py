"""A broker's disk full, or its power lost."""

from __future__ import annotations

from typing import ClassVar

from stackproof import actions
from stackproof.actions import FillDisk, FreeDisk, LosePower, Start
from stackproof.clients.kafka.direct import View
from stackproof.faults.fault import FELT_WITHIN, Proof
from stackproof.faults.processes import BrokerFault, Crash
from stackproof.polling import DeadlineExceeded
from stackproof.texts import counted


class DiskFull(BrokerFault):
    """Not a byte is free where it keeps its data; healed by room, and a start if it has ended.

    Needs the option ``disk_mb``.
    """

    kind: ClassVar[str] = "disk full"

    def _inject(self) -> None:
        self._act(FillDisk())

    def _mend(self) -> None:
        self._act(FreeDisk())
        # Kafka ends when its last log directory fails, which may be under way still.
        self._no_answer("end for want of disk", connecting=False)
        self._act(actions.Crash())
        self._act(Start())

    def _felt(self) -> Proof:
        """It serves no more, and the others do without it."""
        answer = self._no_answer("fail for want of disk", connecting=False)

        def without(view: View) -> bool:
            return self.broker not in view.alive

        self._wait(
            lambda: self._witness.seen_by_others(self.broker),
            until=without,
            within=FELT_WITHIN,
            awaiting=f"the others to do without broker {self.broker}",
            describe=lambda _: "they see it alive",
        )
        return Proof(f"{answer.text}; the others do without it", answer.values)


class PowerLoss(Crash):
    """SIGKILL, and what was not synced is gone; healed by a start on what is left.

    Needs the option ``syncs``. What exactly is lost: `stackproof.stack.harm.power`.
    """

    kind = "power loss"

    def _inject(self) -> None:
        self._lost = self._act(LosePower())

    def _felt(self) -> Proof:
        """It is unreachable, and its disk holds less than before."""
        proof = super()._felt()
        before, after = self._lost["bytes_before"], self._lost["bytes_after"]
        if after >= before:
            raise DeadlineExceeded(f"its disk still holds all of {before} bytes", self._lost)
        return Proof(
            f"{proof.text}; of {before} bytes on its disk {after} are left, "
            f"cut {counted(self._lost['files_cut'], 'file')}",
            {**proof.values, **self._lost},
        )
