"""Independent clients: what they find is the proof of a fault and of its healing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackproof.clients.kafka.direct import Answer, DirectBroker, View, brokers_at
from stackproof.errors import Trouble

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

#: Seconds in which a broker that nothing ails answers, a busy machine included.
ANSWERS_WITHIN = 2.0


class KafkaWitness:
    """Asks single brokers of the scenario's cluster, past all proxies.

    Args:
        session: the scenario.
    """

    def __init__(self, session: ScenarioSession):
        self._session = session
        endpoint = session.endpoint("kafka")
        self.instances = list(endpoint.instances)
        self._brokers = brokers_at(endpoint.addresses)
        proxied = endpoint.addresses["bootstrap"].split(",")
        self._as_clients = {n: DirectBroker(address) for n, address in enumerate(proxied, start=1)}

    def instance(self, broker: int) -> str:
        """The instance's name of a broker, by its ID.

        Raises:
            Trouble: there is no such broker.
        """
        if not 1 <= broker <= len(self.instances):
            raise Trouble(
                f"there is no broker {broker} to be broken",
                f"this cluster has {len(self.instances)} that the suite started",
                "correct the step",
            )
        return self.instances[broker - 1]

    def ask(self, broker: int, *, as_client: bool = False) -> Answer:
        """One request to a broker itself, or the way that clients take."""
        brokers = self._as_clients if as_client else self._brokers
        return brokers[broker].try_to_ask(timeout=self._session.scaled(ANSWERS_WITHIN))

    def as_client(self, broker: int) -> DirectBroker:
        """A broker by the way that clients take."""
        return self._as_clients[broker]

    def seen_by(self, broker: int) -> View:
        """The cluster as a broker sees it.

        Raises:
            OSError: it does not answer.
        """
        return self._brokers[broker].view(timeout=self._session.scaled(ANSWERS_WITHIN))

    def seen_by_others(self, broker: int) -> View:
        """The cluster as another broker sees it; of the only one, as it sees itself.

        Raises:
            OSError: none of them answers.
        """
        others = [n for n in self._brokers if n != broker] or [broker]
        problem = OSError("nobody was asked")
        for other in others:
            try:
                return self.seen_by(other)
            except OSError as error:
                problem = OSError(f"broker {other}: {error or type(error).__name__}")
        raise problem

    def controller_seen_by(self, broker: int) -> int:
        """ID of the active controller as a broker sees it, -1: nobody; `OSError` as `seen_by`."""
        return self._brokers[broker].controller(timeout=self._session.scaled(ANSWERS_WITHIN))

    def coordinator_seen_by(self, broker: int, group: str) -> int:
        """ID of a group's coordinator (real name) as a broker sees it; `OSError` as `seen_by`."""
        within = self._session.scaled(ANSWERS_WITHIN)
        return self._brokers[broker].coordinator(group, timeout=within)

    def standing(self, broker: int) -> str:
        """How a broker stands with the others; empty: it answers, and is in sync everywhere."""
        answer = self.ask(broker)
        if not answer.answered:
            return str(answer)
        view = self.seen_by_others(broker)
        if broker in view.fenced:
            return "it answers, but the controller has fenced it"
        if broker not in view.alive:
            return "it answers, but the others do not know it"
        behind = view.lagging(broker)
        return f"it is not in sync with {', '.join(behind[:5])}" if behind else ""
