"""What Kafka's own scenarios ask single brokers besides what every fault asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackproof.faults.witness import ANSWERS_WITHIN
from stackproof.services.kafka.client.direct import View, brokers_at
from stackproof.services.kafka.known import node_of
from stackproof.services.kafka.probe import KafkaProbe

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession


class Brokers:
    """The brokers of the scenario's cluster past all proxies, by ID.

    Args:
        session: the scenario.
    """

    def __init__(self, session: ScenarioSession):
        endpoint = session.endpoint("kafka").past_proxies()
        self._within = session.scaled(ANSWERS_WITHIN)
        self._probe = KafkaProbe(endpoint, timeout=self._within)
        self._brokers = brokers_at(endpoint.addresses, endpoint.access)

    @property
    def numbers(self) -> list[int]:
        """Their IDs."""
        return list(self._brokers)

    def seen_by(self, number: int) -> View:
        """The cluster as a broker sees it; `OSError`: it does not answer."""
        return self._probe.seen_by(node_of(number))

    def seen_by_others(self, number: int) -> View:
        """The cluster as another broker sees it; `OSError`: none of them answers."""
        return self._probe.seen_by_others(node_of(number))

    def controller_seen_by(self, number: int) -> int:
        """ID of the active controller as a broker sees it, -1: nobody; `OSError` as `seen_by`."""
        return self._brokers[number].controller(timeout=self._within)

    def coordinator_seen_by(self, number: int, group: str) -> int:
        """ID of a group's coordinator (real name) as a broker sees it; `OSError` as `seen_by`."""
        return self._brokers[number].coordinator(group, timeout=self._within)
