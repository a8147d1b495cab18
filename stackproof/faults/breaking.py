"""What a scenario breaks, and what keeps arriving meanwhile."""

from __future__ import annotations

from stackproof.faults.fault import Begun
from stackproof.faults.kafka import Kafka
from stackproof.faults.processes import BrokerFault
from stackproof.faults.restarts import rolling_restart
from stackproof.faults.traffic import TRAFFIC, Traffic
from stackproof.faults.words import WORDS
from stackproof.session.scenario import ScenarioSession

#: Messages that must get through while something is broken, and after it has healed.
_MEANWHILE, _AFTERWARDS = 200, 100
_SERVED_WITHIN = 30.0


class Faults:
    """What a scenario breaks."""

    def __init__(self, session: ScenarioSession, kafka: Kafka):
        self._session = session
        self._kafka = kafka
        self._begun: Begun[BrokerFault] = Begun()

    def begin(self, words: str, broker: int) -> BrokerFault:
        """Break a broker as a feature says it; healed by `heal`, or at the scenario's end."""
        return self._begun.begin(WORDS[words](self._session, broker))

    def heal(self, broker: int) -> None:
        """Heal all that ails a broker.

        Raises:
            PremiseNotMet: nothing does.
        """
        self._begun.heal(f"broker {broker}")

    def with_traffic(self, topic: str, words: str, broker: int) -> None:
        """Publish before, while and after a broker is broken; `finish` tells the outcome.

        Raises:
            DeadlineExceeded: nothing was acknowledged while it was broken, or afterwards.
        """
        traffic = self._begin_traffic(topic)
        with WORDS[words](self._session, broker) as fault:
            traffic.await_more(_MEANWHILE, within=_SERVED_WITHIN, while_=f"during the {fault.kind}")
        traffic.await_more(_AFTERWARDS, within=_SERVED_WITHIN, while_="after the healing")

    def rolling_restart(self, topic: str) -> None:
        """Restart all brokers, one after the other, while messages are published."""
        traffic = self._begin_traffic(topic)
        rolling_restart(self._session)
        traffic.await_more(_AFTERWARDS, within=_SERVED_WITHIN, while_="after the restarts")

    def _begin_traffic(self, topic: str) -> Traffic:
        traffic = self._session.keep(TRAFFIC, Traffic(self._session, self._kafka, topic))
        traffic.await_more(_AFTERWARDS, within=_SERVED_WITHIN, while_="before the fault")
        return traffic
