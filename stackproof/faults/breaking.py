"""What a scenario breaks of one service, node by node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackproof.faults.fault import Begun
from stackproof.faults.processes import NodeFault
from stackproof.faults.words import FAULTS

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession


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
        """A fault in the words of `FAULTS`, not begun."""
        return FAULTS[words](self._session, self._service, node)

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
