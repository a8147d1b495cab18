"""Breaking Kafka's brokers, each called by its number or by a role that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackproof.errors import step_missing
from stackproof.faults.breaking import Faults
from stackproof.faults.processes import NodeFault
from stackproof.faults.roles import OLD, Role, Roles
from stackproof.services.kafka.known import node_of, number_of

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession


class BrokerFaults(Faults):
    """What a scenario breaks of Kafka's brokers, called by number or by role.

    Whoever has a role is found when it is to be broken. From then on that broker is "the old
    leader", even if it leads again; "the leader" is whoever leads.
    """

    def __init__(self, session: ScenarioSession):
        super().__init__(session, "kafka")
        self.roles = Roles(session)
        self._old: dict[Role, str] = {}

    def broker(self, words: str) -> str:
        """The node that features call so.

        Raises:
            PremiseNotMet: it is "the old leader", and no leader was broken.
            DeadlineExceeded: brokers do not agree who has the role.
        """
        if words.startswith("broker "):
            return node_of(int(words.split()[1]))
        role = Role.parse(words)
        if not words.startswith(OLD):
            return node_of(self.roles.holder(role, without=self._unreachable))
        if role not in self._old:
            raise step_missing(words, f"{role} crashes")
        return self._old[role]

    @property
    def _unreachable(self) -> set[int]:
        return {number_of(node) for node in self.ailing}

    def break_broker(self, fault: str, words: str) -> NodeFault:
        """Break whom features call so, until `heal_broker`."""
        node = self.broker(words)
        if not words.startswith("broker "):
            self._old[Role.parse(words)] = node
        return self.begin(fault, node)

    def heal_broker(self, words: str) -> None:
        """Heal all that ails it; errors as of `heal` and `broker`."""
        self.heal(self.broker(words))

    def await_successor(self, words: str) -> int:
        """Wait until another broker than the broken one has a role; its ID.

        Raises:
            DeadlineExceeded: nobody has it, or still the broken one.
        """
        role = Role.parse(words)
        if role not in self._old:
            raise step_missing(f"{role} that was broken", f"{role} crashes")
        return self.roles.await_moved(role, number_of(self._old[role]))

    def await_alone(self, words: str, *, within: float) -> None:
        """Wait until the leader of a topic is its only replica in sync; see `Roles.await_alone`."""
        self.roles.await_alone(Role.parse(words), within=within, without=self._unreachable)
