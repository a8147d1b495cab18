"""A node's processes ended or stopped in their tracks, whichever service it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from stackproof import actions
from stackproof.actions import Action
from stackproof.errors import NotSupported
from stackproof.faults.fault import FELT_WITHIN, HEALED_WITHIN, Fault, Proof
from stackproof.faults.witness import Witness, instance_of

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession


class NodeFault(Fault):
    """A fault of one node; healed when it answers, and its peers have it among them again.

    Args:
        session: the scenario; its cluster must be dedicated.
        service: its name, as the scenario knows it.
        node: the node's name, e.g. "replica-1".

    Raises:
        NotSupported: of this service nobody can prove it.
        Trouble: there is no such node.
    """

    #: Options that the cluster must be made with.
    options: ClassVar[Mapping[str, Any]] = {}
    #: Whether clients that come to this node are still served.
    serves: ClassVar[bool] = False

    def __init__(self, session: ScenarioSession, service: str, node: str):
        super().__init__(session)
        self._service = service
        self.node = node
        #: Whether it is left as it is at the scenario's end.
        self.for_good = False
        self._witness = Witness(session, service)
        self._instance = instance_of(self._witness, node)
        if why := self._witness.untold(self.kind, self.target):
            title = self._witness.title
            raise NotSupported(f"a {self.kind} of {title} cannot be proved", why, "see faults.md")

    @property
    def target(self) -> str:
        """The node, as features say it."""
        return self.node.replace("-", " ")

    def _act(self, action: Action) -> Any:
        return self._session.act(self._service, self._instance, action)

    def _gone(self) -> Proof:
        """It answers, and its peers have it among them."""
        self._wait(
            lambda: self._witness.standing(self.node),
            until=lambda ailment: not ailment,
            within=HEALED_WITHIN,
            awaiting=f"{self.target} to be back",
        )
        answer = self._witness.ask(self.node)
        return Proof(
            f"{answer}, and its peers have it among them", {"answer_ms": answer.milliseconds}
        )

    def _no_answer(self, sign: str, *, connecting: bool) -> Proof:
        """A real request past all proxies gets no response.

        Args:
            sign: what it is to do, for people.
            connecting: whether TCP must connect; else it must not.
        """
        answer = self._wait(
            lambda: self._witness.ask(self.node),
            until=lambda answer: not answer.answered and answer.connected == connecting,
            within=FELT_WITHIN,
            awaiting=f"{self.target} to {sign}",
        )
        return Proof(str(answer), {"waited_ms": answer.milliseconds})

    def _heal_at_end(self) -> None:
        if not self.for_good:
            super()._heal_at_end()


class Crash(NodeFault):
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
    """Its stop signal, and whatever it does then; healed by a start on the same data."""

    kind = "stop"
    _ending = actions.Stop()


class Pause(NodeFault):
    """SIGSTOP to all its processes: connections stay, nothing is answered; healed by SIGCONT."""

    kind: ClassVar[str] = "pause"

    def _inject(self) -> None:
        self._act(actions.Pause())

    def _mend(self) -> None:
        self._act(actions.Resume())

    def _felt(self) -> Proof:
        return self._no_answer("answer no more on open ports", connecting=True)


class AgentCrash(NodeFault):
    """SIGKILL to the agent that manages its server, which goes on alone; healed by its start."""

    kind: ClassVar[str] = "crash of the agent"
    options: ClassVar[Mapping[str, Any]] = {"managed": True}
    serves: ClassVar[bool] = True

    def _inject(self) -> None:
        self._act(actions.Signal("SIGUSR1"))

    def _mend(self) -> None:
        self._act(actions.Signal("SIGUSR2"))

    def _felt(self) -> Proof:
        problem = self._wait(
            lambda: self._witness.agent(self.node), until=bool, within=FELT_WITHIN,
            awaiting=f"the agent of {self.target} to answer no more",
        )  # fmt: skip
        answer = self._witness.ask(self.node)
        return Proof(f"{problem}; to clients {answer}", {"answer_ms": answer.milliseconds})

    def _gone(self) -> Proof:
        self._wait(
            lambda: self._witness.agent(self.node), until=lambda ailment: not ailment,
            within=HEALED_WITHIN, awaiting=f"the agent of {self.target} to answer",
        )  # fmt: skip
        return super()._gone()
