"""A broker cut from the other brokers, which its clients go on reaching."""

from __future__ import annotations

from typing import ClassVar

from stackproof.actions import CutPeers, JoinPeers
from stackproof.clients.kafka.direct import View
from stackproof.faults.fault import FELT_WITHIN, Proof
from stackproof.faults.processes import BrokerFault
from stackproof.texts import counted


class PeerCut(BrokerFault):
    """No connection between it and the others carries anything, whoever made it."""

    kind: ClassVar[str] = "cut from its peers"
    _one_way: ClassVar[bool] = False

    def _inject(self) -> None:
        self._act(CutPeers(self._one_way))

    def _mend(self) -> None:
        self._act(JoinPeers())

    def _felt(self) -> Proof:
        """The others miss it: fenced, or out of sync; it answers its clients all the same."""

        def missed(view: View) -> bool:
            return self.broker not in view.alive or bool(view.lagging(self.broker))

        view = self._wait(
            lambda: self._witness.seen_by_others(self.broker),
            until=missed,
            within=FELT_WITHIN,
            awaiting=f"the other brokers to miss broker {self.broker}",
            describe=lambda v: (
                f"they see it alive and in sync ({counted(len(v.partitions), 'partition')})"
            ),
        )
        answer = self._wait(
            lambda: self._witness.ask(self.broker),
            until=lambda answer: answer.answered,
            within=FELT_WITHIN,
            awaiting=f"broker {self.broker} to answer its clients all the same",
        )
        behind = view.lagging(self.broker)
        seen = "fenced" if self.broker not in view.alive else "alive"
        return Proof(
            f"the others see it {seen}, out of sync with {counted(len(behind), 'partition')}; "
            f"to clients {answer}",
            {"partitions_out_of_sync": len(behind), "answer_ms": round(answer.seconds * 1000, 1)},
        )


class OneWayCut(PeerCut):
    """It cannot connect to the others, nor send on connections it has made; they can to it."""

    kind = "cut one way"
    _one_way = True
