"""What a scenario breaks, and what keeps arriving meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from stackproof.errors import step_missing
from stackproof.faults.failover import Failover
from stackproof.faults.processes import BrokerFault
from stackproof.faults.rolling import rolling_restart
from stackproof.faults.traffic import Traffic
from stackproof.faults.words import WORDS

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

#: Messages that must get through while something is broken, and after it has healed.
_MEANWHILE, _AFTERWARDS = 200, 100
_SERVED_WITHIN = 30.0
_TRAFFIC, _FAILOVER = "messages that keep arriving", "a failover"


class Faults:
    """What a scenario breaks."""

    def __init__(self, session: ScenarioSession):
        self._session = session
        self._begun: list[BrokerFault] = []

    @property
    def traffic(self) -> Traffic:
        """The messages that keep arriving; `PremiseNotMet` where none do."""
        before = 'messages keep arriving in "orders" while broker 1 has crashed'
        return cast(Traffic, self._session.kept(_TRAFFIC, before))

    def keep_traffic(self, traffic: Traffic) -> Traffic:
        """Have later steps ask what became of it."""
        return self._session.keep(_TRAFFIC, traffic)

    @property
    def failover(self) -> Failover:
        """The failover that took place; `PremiseNotMet` where none did."""
        before = (
            'messages of an idempotent producer keep arriving in "orders" '
            "while the leader crashes once"
        )
        return cast(Failover, self._session.kept(_FAILOVER, before))

    def keep_failover(self, failover: Failover) -> Failover:
        """Have later steps ask what became of it, and of its traffic."""
        self.keep_traffic(failover.traffic)
        return self._session.keep(_FAILOVER, failover)

    def begin(self, words: str, broker: int) -> BrokerFault:
        """Break a broker as a feature says it; healed by `heal`, or at the scenario's end."""
        fault = WORDS[words](self._session, broker)
        self._begun.append(fault)
        return fault.begin()

    def heal(self, broker: int) -> None:
        """Heal all that ails a broker.

        Raises:
            PremiseNotMet: nothing does.
        """
        ailing = [f for f in reversed(self._begun) if f.broker == broker and f.active]
        if not ailing:
            raise step_missing(f"a broker {broker} that ails", f"broker {broker} has crashed")
        for fault in ailing:
            fault.heal()

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
        traffic = self.keep_traffic(Traffic(self._session, topic))
        traffic.await_more(_AFTERWARDS, within=_SERVED_WITHIN, while_="before the fault")
        return traffic
