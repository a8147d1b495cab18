"""A broker's process ended or stopped in its tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stackproof import actions
from stackproof.actions import Action
from stackproof.clients.kafka.direct import Answer
from stackproof.faults.fault import FELT_WITHIN, HEALED_WITHIN, Fault, Proof
from stackproof.faults.witness import KafkaWitness

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession


class BrokerFault(Fault):
    """A fault of one Kafka broker; healed when it is in sync with all its partitions again.

    Args:
        session: the scenario.
        broker: its ID, from 1.
    """

    def __init__(self, session: ScenarioSession, broker: int):
        super().__init__(session)
        self.broker = broker
        self._witness = KafkaWitness(session)
        self._instance = self._witness.instance(broker)

    @property
    def target(self) -> str:
        """The broker."""
        return f"broker {self.broker}"

    def _act(self, action: Action) -> Any:
        return self._session.act("kafka", self._instance, action)

    def _gone(self) -> Proof:
        """It answers, and another broker's metadata has it in sync with all its partitions."""
        self._wait(
            lambda: self._witness.standing(self.broker),
            until=lambda problem: not problem,
            within=HEALED_WITHIN,
            awaiting=f"broker {self.broker} to be back in sync",
        )
        answer = self._witness.ask(self.broker)
        return Proof(f"{answer} and is in sync, as the others see it",
                     {"answer_ms": round(answer.seconds * 1000, 1)})  # fmt: skip

    def _no_answer(self, sign: str, *, connecting: bool) -> Proof:
        """A real request to the broker's own port gets no response."""

        def is_it(answer: Answer) -> bool:
            return not answer.answered and (answer.connected or not connecting)

        answer = self._wait(
            lambda: self._witness.ask(self.broker),
            until=is_it,
            within=FELT_WITHIN,
            awaiting=f"broker {self.broker} to {sign}",
        )
        return Proof(str(answer), {"waited_ms": round(answer.seconds * 1000, 1)})


class Crash(BrokerFault):
    """SIGKILL; healed by a start on the same data."""

    kind: ClassVar[str] = "crash"
    _ending: ClassVar[Action] = actions.Crash()

    def _inject(self) -> None:
        self._act(self._ending)

    def _mend(self) -> None:
        self._act(actions.Start())

    def _felt(self) -> Proof:
        return self._no_answer("be unreachable", connecting=False)


class Stop(Crash):
    """SIGTERM, and whatever the broker does then; healed by a start on the same data."""

    kind = "stop"
    _ending = actions.Stop()


class Pause(BrokerFault):
    """SIGSTOP: connections stay, and nothing is answered; healed by SIGCONT."""

    kind: ClassVar[str] = "pause"

    def _inject(self) -> None:
        self._act(actions.Pause())

    def _mend(self) -> None:
        self._act(actions.Resume())

    def _felt(self) -> Proof:
        return self._no_answer("answer no more on open ports", connecting=True)
