"""What a scenario breaks of one service, node by node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackproof.faults.fault import Begun
from stackproof.faults.processes import NodeFault
from stackproof.faults.witness import Witness
from stackproof.faults.words import FAULTS, NODE_ROLES
from stackproof.polling import poll

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

_AGREED_WITHIN = 30.0


class Faults:
    """What a scenario breaks of one service.

    Args:
        session: the scenario.
        service: its name, as the scenario knows it.
    """

    def __init__(self, session: ScenarioSession, service: str):
        self._session = session
        self._service = service
        self._begun: Begun[NodeFault] = Begun()

    def fault(self, words: str, node: str) -> NodeFault:
        """A fault in the words of `FAULTS`, not begun.

        Args:
            words: of `FAULTS`.
            node: its name, or a role of `NODE_ROLES` that no node is called by: whoever has it now.

        Raises:
            NotSupported: nobody can tell who has the role.
            DeadlineExceeded: the nodes do not agree who has it.
        """
        return FAULTS[words](self._session, self._service, self._named(node))

    def _named(self, node: str) -> str:
        if node not in NODE_ROLES or node in self._session.endpoint(self._service).addresses:
            return node
        witness = Witness(self._session, self._service)
        return poll(
            lambda: witness.holder(node), within=self._session.scaled(_AGREED_WITHIN),
            awaiting=f"all nodes of {witness.title} to agree who is the {node}",
        )  # fmt: skip

    def begin(self, words: str, node: str, *, for_good: bool = False) -> NodeFault:
        """Break a node; healed by `heal` or, unless ``for_good``, at the scenario's end."""
        fault = self.fault(words, node)
        fault.for_good = for_good
        return self._begun.begin(fault)

    def heal(self, node: str) -> None:
        """Heal all that ails a node.

        Raises:
            PremiseNotMet: nothing does.
        """
        self._begun.heal(node.replace("-", " "))

    def heal_all(self) -> None:
        """Heal all nodes.

        Raises:
            PremiseNotMet: nothing ails them.
        """
        for node in self.ailing or {"node"}:
            self.heal(node)

    @property
    def ailing(self) -> set[str]:
        """The nodes that something ails now."""
        return {fault.node for fault in self._begun.active}
