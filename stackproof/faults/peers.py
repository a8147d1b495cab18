"""A node cut from its peers, which its clients go on reaching."""

from __future__ import annotations

from typing import ClassVar

from stackproof.actions import CutPeers, JoinPeers
from stackproof.faults.fault import FELT_WITHIN, Proof
from stackproof.faults.processes import NodeFault


class PeerCut(NodeFault):
    """No connection between it and the others carries anything, whoever made it."""

    kind: ClassVar[str] = "cut from its peers"
    serves: ClassVar[bool] = True
    _one_way: ClassVar[bool] = False

    def _before(self) -> None:
        self._wait(
            lambda: self._witness.missed(self.node),
            until=lambda missed: not missed,
            within=FELT_WITHIN,
            awaiting=f"the others to have {self.target} among them before anything is cut",
        )

    def _inject(self) -> None:
        self._act(CutPeers(self._one_way))

    def _mend(self) -> None:
        self._act(JoinPeers())

    def _felt(self) -> Proof:
        """The others miss it; it answers its clients all the same."""
        missed = self._wait(
            lambda: self._witness.missed(self.node),
            until=bool,
            within=FELT_WITHIN,
            awaiting=f"the others to miss {self.target}",
            describe=lambda missed: missed or "they have it among them",
        )
        answer = self._wait(
            lambda: self._witness.ask(self.node),
            until=lambda answer: answer.answered,
            within=FELT_WITHIN,
            awaiting=f"{self.target} to answer its clients all the same",
        )
        return Proof(f"{missed}; to clients {answer}", {"answer_ms": answer.milliseconds})


class OneWayCut(PeerCut):
    """It cannot connect to the others, nor send on connections it has made; they can to it."""

    kind = "cut one way"
    _one_way = True
