"""A node of a service ended or stopped in its tracks, whichever service it is."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, ClassVar

from stackproof import actions
from stackproof.actions import Action
from stackproof.errors import Trouble
from stackproof.faults.fault import FELT_WITHIN, HEALED_WITHIN, Begun, Fault, Proof
from stackproof.services import service
from stackproof.services.nodes import SeesPeers, Service, instance
from stackproof.urls import split_host_and_port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stackproof.session.scenario import ScenarioSession

#: Seconds in which a node that nothing ails answers, a busy machine included.
_ANSWERS_WITHIN = 2.0


class NodeFault(Fault):
    """A fault of one node; healed when it answers, and its peers have it among them again.

    Args:
        session: the scenario; its cluster must be dedicated.
        name: the service, said by its nodes.
        node: the node's name, e.g. "replica-1".
        for_good: it is not healed at the scenario's end.
    """

    #: Whether its port still accepts connections.
    _connects: ClassVar[bool]

    def __init__(self, session: ScenarioSession, name: str, node: str, *, for_good: bool = False):
        super().__init__(session)
        self._name = name
        self.node = node
        self._for_good = for_good
        kind, endpoint = service(name), session.endpoint(name)
        self._instance = instance(endpoint.cluster, node)
        if not isinstance(kind, Service) or self._instance not in endpoint.instances:
            raise Trouble(f"there is no node {node} to be broken",
                          f"the suite started {', '.join(endpoint.instances) or 'none'}",
                          "correct the step")  # fmt: skip
        self._unready = kind.unready
        self._probe = kind.probe(endpoint, timeout=session.scaled(_ANSWERS_WITHIN))
        self._place = split_host_and_port(endpoint.addresses[node].partition("/")[0])

    @property
    def target(self) -> str:
        """The node."""
        return self.node

    def _act(self, action: Action) -> Any:
        return self._session.act(self._name, self._instance, action)

    def _felt(self) -> Proof:
        sign = "on an open port" if self._connects else "and its port is closed"
        self._wait(
            self._silence,
            until=lambda found: found[0] and found[1] == self._connects,
            within=FELT_WITHIN,
            awaiting=f"{self.node} to answer no more, {sign}",
            describe=lambda found: f"silent: {found[0]}, port open: {found[1]}",
        )
        return Proof(f"it does not answer, {sign}")

    def _silence(self) -> tuple[bool, bool]:
        """Whether it does not answer, and whether its port is open."""
        try:
            self._probe.answers(self.node)
        except self._unready:
            try:
                socket.create_connection(self._place, self._session.scaled(1.0)).close()
            except OSError:
                return True, False
            return True, True
        return False, True

    def _gone(self) -> Proof:
        self._wait(
            self._ails,
            until=lambda problem: not problem,
            within=HEALED_WITHIN,
            awaiting=f"{self.node} to be back",
        )
        return Proof("it answers, and its peers have it among them")

    def _ails(self) -> str:
        try:
            self._probe.answers(self.node)
            if isinstance(self._probe, SeesPeers):
                self._probe.seen_by_peers(self.node)
        except self._unready as error:
            return f"{type(error).__name__}: {error}".strip()
        return ""

    def _heal_at_end(self) -> None:
        if not self._for_good:
            super()._heal_at_end()


class CrashedNode(NodeFault):
    """SIGKILL; healed by a start on the same data."""

    kind = "crash"
    _connects = False
    _ending: ClassVar[Action] = actions.Crash()

    def _inject(self) -> None:
        self._act(self._ending)

    def _mend(self) -> None:
        self._act(actions.Start())


class StoppedNode(CrashedNode):
    """Its stop signal, and whatever it does then; healed by a start on the same data."""

    kind = "stop"
    _ending = actions.Stop()


class PausedNode(NodeFault):
    """SIGSTOP to all its processes: connections stay; healed by SIGCONT."""

    kind = "pause"
    _connects = True

    def _inject(self) -> None:
        self._act(actions.Pause())

    def _mend(self) -> None:
        self._act(actions.Resume())


#: What features say.
NODE_FAULTS: Mapping[str, type[NodeFault]] = {
    "has crashed": CrashedNode,
    "is stopped": StoppedNode,
    "is paused": PausedNode,
}


class NodeFaults:
    """What a scenario breaks of one service.

    Args:
        session: the scenario.
        name: the service.
    """

    def __init__(self, session: ScenarioSession, name: str):
        self._session = session
        self._name = name
        self._begun: Begun[NodeFault] = Begun()

    def begin(self, words: str, node: str, *, for_good: bool = False) -> NodeFault:
        """Break a node, in the words of `NODE_FAULTS`; healed by `heal` or at the end."""
        fault = NODE_FAULTS[words](self._session, self._name, node, for_good=for_good)
        return self._begun.begin(fault)

    def heal(self, node: str) -> None:
        """Heal all that ails a node.

        Raises:
            PremiseNotMet: nothing does.
        """
        self._begun.heal(node)
