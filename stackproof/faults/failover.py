"""Brokers that have a role bounced while messages arrive and a group consumes them."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from kafka.errors import KafkaError

from stackproof.faults.kafka import Kafka
from stackproof.faults.outage import acknowledged, usual_gap, without_service
from stackproof.faults.roles import Roles
from stackproof.faults.traffic import Traffic
from stackproof.faults.words import ENDS, PRODUCERS, TIMES
from stackproof.history import FlowVerdict
from stackproof.services.kafka.client import GroupConsumer
from stackproof.services.kafka.known import node_of
from stackproof.session.scenario import Kept, ScenarioSession
from stackproof.texts import counted
from stackproof.workloads import Task

GROUP = "readers"
FIGURE = "time without service"

#: Messages that must be acknowledged, and consumed, while the broker is away and afterwards.
_SOME = 100
_SERVED_WITHIN = 60.0
_POLLED = 500


class Member:
    """A member of a group that consumes and commits in a thread of its own until it is ended.

    Args:
        session: the scenario.
        kafka: its cluster.
        topic: as the scenario's text calls it.
        group: the same.
    """

    def __init__(self, session: ScenarioSession, kafka: Kafka, topic: str, group: str):
        self._session = session
        self._kafka = kafka
        self.consumer: GroupConsumer = kafka.join(topic, group)
        #: When commits of progress succeeded, seconds since the Unix epoch.
        self.commits: list[float] = []
        self.refused = 0
        self._task = Task(self._consume, name=self.consumer.name, owner=session)

    def _consume(self, task: Task) -> None:
        while not task.stopping:
            if self.consumer.poll(max_records=_POLLED):
                self._commit()
        self._commit()
        self.consumer.close()

    def _commit(self) -> None:
        try:
            self.consumer.commit()
        except KafkaError:  # it is moving; what comes next commits this, too, or repeats it
            self.refused += 1
        else:
            self.commits.append(time.time())

    def await_more(self, *, while_: str) -> None:
        """Wait until it has received some more records, and has committed.

        Raises:
            DeadlineExceeded, Died: it has not.
            BaseException: what it has failed by.
        """
        received, commits = len(self.consumer.records), len(self.commits)
        self._task.await_(
            lambda: (len(self.consumer.records) - received, len(self.commits) - commits),
            until=lambda more: more[0] >= _SOME and more[1] > 0,
            within=self._session.scaled(_SERVED_WITHIN),
            awaiting=f"the group to receive {_SOME} more messages and to commit {while_}",
            describe=lambda more: f"{more[0]} received, {more[1]} commits",
        )

    def end(self) -> None:
        """Commit, leave the group, and return when that is done.

        Raises:
            DeadlineExceeded: it does not end.
            BaseException: what it has failed by.
        """
        self._task.end(within=self._session.scaled(_SERVED_WITHIN))


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
        kafka: its cluster; it must be dedicated.
        topic: as the scenario's text calls it.
        producer: one of `PRODUCERS`.
    """

    def __init__(self, session: ScenarioSession, kafka: Kafka, topic: str, producer: str):
        self._session = session
        self._kafka = kafka
        self.topic, self.producer = topic, producer
        self.traffic = Traffic(session, kafka, topic, **PRODUCERS[producer])
        self.members = [Member(session, kafka, topic, GROUP)]
        self._roles = Roles(session, kafka.own(topic), session.own(GROUP))
        self.bounces: list[Bounce] = []
        self._labels: dict[str, str] = {}
        self._began = time.time()

    def run(self, role: str, ends: str, times: str) -> None:
        """Bounce, each time that role's holder of the moment; then let another member take over.

        Raises:
            NoEffect, NotHealed: see `Fault`.
            DeadlineExceeded: nobody else took over the role, or nobody was served.
        """
        self._labels = {"role": role, "ends": ends, "times": times, "producer": self.producer}
        self._await_more("before the failover")
        self._began = time.time()
        self._await_more("for comparison")
        for _ in range(TIMES[times]):
            self._bounce(role, ends)
        self.members[0].end()
        self.members.append(Member(self._session, self._kafka, self.topic, GROUP))
        self._await_more("after the failover")

    def _bounce(self, role: str, ends: str) -> None:
        broker = self._roles.holder(role)
        began = time.time()
        with ENDS[ends](self._session, "kafka", node_of(broker)):
            successor = self._roles.await_moved(role, broker)
            self._session.history.event("note", f"{role} was {broker}, is {successor}")
            self._await_more(f"without broker {broker}")
        self._await_more(f"after broker {broker} came back")
        self.bounces.append(Bounce(broker, successor, began, time.time()))

    def _await_more(self, while_: str) -> None:
        self.traffic.await_more(_SOME, within=_SERVED_WITHIN, while_=while_)
        self.members[-1].await_more(while_=while_)

    # -- what came of it -----------------------------------------------------
    def check_stored(self, guarantee: str) -> FlowVerdict:
        """Check what a final drain finds in the topic; duplicates are told.

        Raises:
            AssertionError: see `ScenarioSession.assert_flow`.
        """
        kafka = self._kafka
        kafka.final_drain(kafka.own(self.topic))
        verdict = self._session.assert_flow(
            kafka.delivery(self.topic, guarantee=guarantee, drained=True)
        )
        self._session.figure("stored twice", counted(verdict.figures.stored_twice, "message"))
        return verdict

    def check_consumed(self, *, within: float) -> FlowVerdict:
        """Check that the group has been handed everything, without a gap when it was resumed.

        Raises:
            AssertionError: it has not.
            DeadlineExceeded: it has not committed everything in time.
        """
        kafka = self._kafka
        kafka.wait_worked_off(
            self._session.own(GROUP), kafka.own(self.topic), within=self._session.scaled(within)
        )
        self.members[-1].end()
        names = tuple(member.consumer.name for member in self.members)
        verdict = self._session.assert_flow(
            kafka.delivery(
                self.topic, guarantee="at-least-once", group_clients=names,
                scope_clients=("producer", *names),
            )
        )  # fmt: skip
        self._session.figure(
            "delivered again", f"{counted(verdict.figures.redelivered, 'message')}"
        )
        return verdict

    def tell_outages(self) -> list[float]:
        """Keep the time without service of each bounce, for producer and group; the producer's.

        The producer's is the longest time between acknowledgements of one partition, the
        group's that between commits, each beyond what was usual before.
        """
        topic = self._kafka.own(self.topic)
        lanes = {
            "producer": acknowledged(self._session.history, "producer", topic),
            "group": [np.array([t for member in self.members for t in member.commits])],
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
    'messages of an idempotent producer keep arriving in "orders" while the leader crashes once',
)
