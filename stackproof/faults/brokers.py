"""Kafka's brokers, asked one by one over their own protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackproof.clients.kafka.direct import DirectBroker, View, brokers_at
from stackproof.clients.probing import Answer
from stackproof.faults.witness import ANSWERS_WITHIN, NodeWitness, Witness
from stackproof.services import service
from stackproof.services.nodes import Service
from stackproof.texts import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stackproof.session.scenario import ScenarioSession


def node_of(number: int) -> str:
    """The node's name of the broker with an ID."""
    return f"broker-{number}"


def _number(node: str) -> int:
    return int(node.rpartition("-")[2])


class KafkaWitness:
    """Asks single brokers of the scenario's cluster; see `Witness`.

    Args:
        session: the scenario.
    """

    title = "Kafka"
    untold: Mapping[str, str] = {}

    def __init__(self, session: ScenarioSession):
        self._session = session
        endpoint = session.endpoint("kafka")
        numbered = enumerate(endpoint.instances, start=1)
        self.instances: Mapping[str, str] = {node_of(number): name for number, name in numbered}
        self._brokers = brokers_at(endpoint.addresses)
        proxied = endpoint.addresses["bootstrap"].split(",")
        self._as_clients = {n: DirectBroker(address) for n, address in enumerate(proxied, start=1)}

    def ask(self, node: str, *, as_client: bool = False, within: float = ANSWERS_WITHIN) -> Answer:
        """See `Witness`."""
        brokers = self._as_clients if as_client else self._brokers
        return brokers[_number(node)].try_to_ask(timeout=self._session.scaled(within))

    def standing(self, node: str) -> str:
        """See `Witness`; also: it is in sync everywhere."""
        answer, number = self.ask(node), _number(node)
        if not answer.answered:
            return str(answer)
        view = self.seen_by_others(number)
        if number in view.fenced:
            return "it answers, but the controller has fenced it"
        if number not in view.alive:
            return "it answers, but the others do not know it"
        behind = view.lagging(number)
        return f"it is not in sync with {', '.join(behind[:5])}" if behind else ""

    def missed(self, node: str) -> str:
        """See `Witness`: it is fenced, or out of sync."""
        number = _number(node)
        view = self.seen_by_others(number)
        behind = view.lagging(number)
        if number in view.alive and not behind:
            return ""
        seen = "alive" if number in view.alive else "fenced"
        return f"the others see it {seen}, out of sync with {counted(len(behind), 'partition')}"

    def refusal(self, node: str) -> str:
        """See `Witness`: one that cannot write ends, and the others do without it."""
        answer, number = self.ask(node), _number(node)
        if answer.answered or number in self.seen_by_others(number).alive:
            return ""
        return f"{answer}; the others do without it"

    def rate(self, node: str, size: int, *, within: float) -> float:
        """See `Witness`."""
        as_client = self._as_clients[_number(node)]
        return as_client.bytes_a_second(size, timeout=self._session.scaled(within))

    # -- what Kafka's own scenarios ask besides --------------------------------
    def seen_by(self, number: int) -> View:
        """The cluster as a broker sees it.

        Raises:
            OSError: it does not answer.
        """
        return self._brokers[number].view(timeout=self._session.scaled(ANSWERS_WITHIN))

    def seen_by_others(self, number: int) -> View:
        """The cluster as another broker sees it; of the only one, as it sees itself.

        Raises:
            OSError: none of them answers.
        """
        others = [n for n in self._brokers if n != number] or [number]
        problem = OSError("nobody was asked")
        for other in others:
            try:
                return self.seen_by(other)
            except OSError as error:
                problem = OSError(f"broker {other}: {error or type(error).__name__}")
        raise problem

    def controller_seen_by(self, number: int) -> int:
        """ID of the active controller as a broker sees it, -1: nobody; `OSError` as `seen_by`."""
        return self._brokers[number].controller(timeout=self._session.scaled(ANSWERS_WITHIN))

    def coordinator_seen_by(self, number: int, group: str) -> int:
        """ID of a group's coordinator (real name) as a broker sees it; `OSError` as `seen_by`."""
        within = self._session.scaled(ANSWERS_WITHIN)
        return self._brokers[number].coordinator(group, timeout=within)


def witness_of(session: ScenarioSession, name: str) -> Witness:
    """The independent client of the scenario's cluster of a service."""
    if isinstance(kind := service(name), Service):
        return NodeWitness(session, name, kind)
    return KafkaWitness(session)
