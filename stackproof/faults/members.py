"""A consumer of a group that goes on in the background, and the one that takes over from it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kafka.errors import KafkaError

from stackproof.faults.kafka import Kafka
from stackproof.services.kafka.client import GroupConsumer
from stackproof.session.scenario import Kept, ScenarioSession
from stackproof.texts import counted
from stackproof.workloads import Task

if TYPE_CHECKING:
    from stackproof.history import FlowVerdict

#: Messages that must be consumed each time.
SOME = 100
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
            until=lambda more: more[0] >= SOME and more[1] > 0,
            within=self._session.scaled(_SERVED_WITHIN),
            awaiting=f"the group to receive {SOME} more messages and to commit {while_}",
            describe=lambda more: f"{more[0]} received, {more[1]} commits",
        )

    def end(self) -> None:
        """Commit, leave the group, and return when that is done.

        Raises:
            DeadlineExceeded: it does not end.
            BaseException: what it has failed by.
        """
        self._task.end(within=self._session.scaled(_SERVED_WITHIN))


class Group:
    """A group of which one member after the other consumes a topic.

    Args:
        session: the scenario.
        kafka: its cluster.
        topic: as the scenario's text calls it.
        name: the same.

    Raises:
        DeadlineExceeded: the first member was handed nothing.
    """

    def __init__(self, session: ScenarioSession, kafka: Kafka, topic: str, name: str):
        self._session, self._kafka = session, kafka
        self.topic, self.name = topic, name
        self.members: list[Member] = []
        self._join("before the fault")

    def _join(self, while_: str) -> None:
        self.members.append(Member(self._session, self._kafka, self.topic, self.name))
        self.await_more(while_=while_)

    def await_more(self, *, while_: str) -> None:
        """Wait until the present member has received more; see `Member.await_more`."""
        self.members[-1].await_more(while_=while_)

    def take_over(self) -> None:
        """Close the present member, and have another one go on."""
        self.members[-1].end()
        self._join("after another consumer has taken over")

    @property
    def commits(self) -> list[float]:
        """When commits succeeded, seconds since the Unix epoch."""
        return [moment for member in self.members for moment in member.commits]

    def check(self, *, within: float) -> FlowVerdict:
        """Check that the group has been handed everything, without a gap when it was resumed.

        Raises:
            AssertionError: it has not.
            DeadlineExceeded: it has not committed everything in time.
        """
        kafka, session = self._kafka, self._session
        kafka.wait_worked_off(
            session.own(self.name), kafka.own(self.topic), within=session.scaled(within)
        )
        self.members[-1].end()
        names = tuple(member.consumer.name for member in self.members)
        verdict = session.assert_flow(
            kafka.delivery(
                self.topic, guarantee="at-least-once", group_clients=names,
                scope_clients=("producer", *names),
            )
        )  # fmt: skip
        session.figure("delivered again", counted(verdict.figures.redelivered, "message"))
        return verdict


#: Later steps ask what became of it.
GROUP = Kept[Group](
    "a consumer in the background", 'a consumer of group "readers" reads "orders" in the background'
)
