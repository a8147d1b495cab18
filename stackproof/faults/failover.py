"""Brokers that have a role bounced while messages arrive and a group consumes them."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from stackproof.faults.by_role import BrokerFaults
from stackproof.faults.members import SOME, Group
from stackproof.faults.outage import acknowledged, usual_gap, without_service
from stackproof.faults.roles import Role
from stackproof.faults.traffic import Traffic
from stackproof.faults.words import TIMES
from stackproof.services.kafka.known import number_of
from stackproof.session.scenario import Kept, ScenarioSession

FIGURE = "time without service"
_SERVED_WITHIN = 60.0


@dataclass(frozen=True)
class Bounce:
    """One broker's end and return: seconds since the Unix epoch, broker's IDs."""

    broker: int
    successor: int
    began: float
    ended: float


class Failover:
    """Bounces whoever has a role; `FAILOVER` keeps it for later steps.

    Args:
        session: the scenario.
        traffic: publishes meanwhile.
        group: consumes meanwhile.
    """

    def __init__(self, session: ScenarioSession, traffic: Traffic, group: Group):
        self._session = session
        self._traffic, self._group = traffic, group
        self.bounces: list[Bounce] = []
        self._labels: dict[str, str] = {}
        self._began = time.time()

    def run(self, faults: BrokerFaults, words: str, ends: str, times: str) -> None:
        """Bounce the broker of the moment each time.

        Args:
            faults: break it.
            words: how features call it by its role.
            ends: how, as `FAULTS` calls it.
            times: one of `TIMES`.

        Raises:
            NoEffect, NotHealed: see `Fault`.
            DeadlineExceeded: nobody else took over the role, or nobody was served.
        """
        role = Role.parse(words).kind
        producer = self._traffic.producer
        self._labels = {"role": role, "ends": ends, "times": times, "producer": producer}
        self._began = time.time()
        self._await_more("for comparison")
        for _ in range(TIMES[times]):
            self._bounce(faults, words, ends)

    def _bounce(self, faults: BrokerFaults, words: str, ends: str) -> None:
        began = time.time()
        node = faults.break_broker(ends, words).node
        successor, broker = faults.await_successor(words), number_of(node)
        self._session.history.event("note", f"{words} was {broker}, is {successor}")
        self._await_more(f"without broker {broker}")
        faults.heal(node)
        self._await_more(f"after broker {broker} came back")
        self.bounces.append(Bounce(broker, successor, began, time.time()))

    def _await_more(self, while_: str) -> None:
        self._traffic.await_more(SOME, within=_SERVED_WITHIN, while_=while_)
        self._group.await_more(while_=while_)

    # -- what came of it -----------------------------------------------------
    def tell_outages(self) -> list[float]:
        """Keep the time without service of each bounce, for producer and group; the producer's.

        The producer's is the longest time between acknowledgements of one partition, the
        group's that between commits, each beyond what was usual before.
        """
        topic = self._session.own(self._traffic.topic)
        lanes = {
            "producer": acknowledged(self._session.history, "producer", topic),
            "group": [np.array(self._group.commits)],
        }
        found: dict[str, list[float]] = {}
        for client, times in lanes.items():
            usual = usual_gap(times, self._began, self.bounces[0].began)
            found[client] = [without_service(times, b.began, b.ended, usual) for b in self.bounces]
            for seconds in found[client]:
                self._session.keep_figure(FIGURE, seconds, "s", client=client, **self._labels)
            told = ", ".join(f"{seconds:.1f} s" for seconds in found[client])
            self._session.figure(f"{FIGURE}, {client}", told)
        self._session.figure("brokers", ", ".join(str(b.broker) for b in self.bounces))
        return found["producer"]


#: Later steps ask what became of it.
FAILOVER = Kept[Failover](
    "a failover",
    'the leader of "orders" crashes and recovers once',
)
