"""Transactions under faults: consumed, transformed, produced; and what becomes of open ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafka import errors as kafka_errors
from kafka.errors import KafkaError

from stackproof.errors import PremiseNotMet
from stackproof.faults.roles import LEADER, Roles
from stackproof.faults.traffic import TRAFFIC, Traffic
from stackproof.faults.words import ENDS
from stackproof.history import Flow, FlowVerdict
from stackproof.history.columns import Isolation
from stackproof.polling import poll
from stackproof.services.kafka.client import (
    GroupConsumer,
    Message,
    Publisher,
    Received,
    TransactionalPublisher,
    transform,
)
from stackproof.services.kafka.known import node_of
from stackproof.texts import counted
from stackproof.workloads import Task

if TYPE_CHECKING:
    from stackproof.faults.kafka import Kafka
    from stackproof.session.scenario import ScenarioSession

_GROUP, _ID = "invoicing", "invoicing"
_A_ROUND, _SOME = 100, 500
_WITHIN = 60.0
#: Seconds for the outputs of one round to be acknowledged; then it is begun anew.
_ROUND_WITHIN = 8.0
#: Seconds until the coordinator may end an open transaction; it looks every 10 s.
OPEN_AT_MOST, LOOKS_EVERY = 12.0, 10.0
FENCED = (kafka_errors.ProducerFencedError, kafka_errors.InvalidProducerEpochError)


class Transformer:
    """Consumes one topic, produces to another, in transactions, in a thread of its own.

    When a round fails it begins anew: with a consumer that goes on at what is committed, and
    a producer that fences its predecessor. Ended with the scenario at the latest.

    Args:
        session: the scenario.
        kafka: its cluster.
        source: as the scenario's text calls it; where to take from.
        target: where to.
    """

    def __init__(self, session: ScenarioSession, kafka: Kafka, source: str, target: str):
        self._session = session
        self._kafka = kafka
        self._source, self._target = source, target
        self.done = 0
        self.failures: list[str] = []
        self._consumer, self._producer = self._open()
        self._task = Task(self._transform, name="the transformer", owner=session)

    def _open(self) -> tuple[GroupConsumer, TransactionalPublisher]:
        kafka = self._kafka
        # The predecessor's open transaction ends first: its offsets must be settled.
        producer = kafka.transactional(_ID, request_timeout_ms=4000)
        consumer = kafka.join(
            self._source, _GROUP, isolation="read_committed", max_poll_records=_A_ROUND
        )
        return consumer, producer

    def _transform(self, task: Task) -> None:
        within = self._session.scaled(_ROUND_WITHIN)
        target = self._kafka.own(self._target)
        while not task.stopping:
            try:
                self.done += transform(
                    self._consumer, self._producer, target, Received.as_message, within=within
                )
            except (KafkaError, TimeoutError) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                self._session.history.event("note", f"a round failed: {self.failures[-1]}")
                self._consumer.close()
                self._producer.close()
                self._consumer, self._producer = self._open()
        self._consumer.close()

    def await_more(self, count: int, *, while_: str) -> None:
        """Wait until ``count`` more records are committed.

        Raises:
            DeadlineExceeded, Died: they are not.
            BaseException: what it has failed by.
        """
        before = self.done
        self._task.await_(
            lambda: self.done - before,
            until=lambda more: more >= count,
            within=self._session.scaled(_WITHIN),
            awaiting=f"{counted(count, 'more record')} to be transformed {while_}",
            describe=lambda more: f"{more}; failed rounds: {self.failures[-3:]}",
        )

    def end(self) -> None:
        """Stop after the round that goes on.

        Raises:
            DeadlineExceeded: it does not end.
            BaseException: what it has failed by.
        """
        self._task.end(within=self._session.scaled(_WITHIN))


def transform_through(
    session: ScenarioSession, kafka: Kafka, source: str, target: str, ending: str
) -> None:
    """Transform what is published while the leader of the target ends and comes back.

    Args:
        session: the scenario.
        kafka: its cluster; it must be dedicated.
        source: as the scenario's text calls it.
        target: the same.
        ending: one of `ENDS`.
    """
    traffic = session.keep(TRAFFIC, Traffic(session, kafka, source))
    transformer = Transformer(session, kafka, source, target)
    transformer.await_more(_SOME, while_="before the fault")
    roles = Roles(session, kafka.own(target))
    broker = roles.holder(LEADER)
    with ENDS[ending](session, "kafka", node_of(broker)):
        roles.await_moved(LEADER, broker)
        transformer.await_more(_SOME, while_=f"without broker {broker}")
    transformer.await_more(_SOME, while_=f"after broker {broker} came back")
    traffic.finish(within=_WITHIN)
    kafka.wait_worked_off(
        session.own(_GROUP),
        kafka.own(source),
        within=session.scaled(_WITHIN),
    )
    transformer.end()
    session.figure("rounds that failed", str(len(transformer.failures)))


def check_transformed(
    session: ScenarioSession, kafka: Kafka, source: str, target: str
) -> FlowVerdict:
    """Check that each message of the source is in the target exactly once, for all readers.

    Raises:
        AssertionError: see `ScenarioSession.assert_flow`.
    """
    kafka.final_drain(kafka.own(target))
    # What became of the transactions; and, seen from the inputs, whether it is complete.
    session.assert_flow(kafka.delivery(target, guarantee="exactly-once", order=None, drained=True))
    return session.assert_flow(
        Flow(f'"{source}" to "{target}"', kafka.own(source), kafka.own(target),
             content="bytes", guarantee="exactly-once", drained=True)
    )  # fmt: skip


class OpenTransaction:
    """A transaction with messages in it whose end is still open.

    Args:
        session: the scenario.
        kafka: its cluster.
        topic: as the scenario's text calls it; of one partition.
        count: messages.
        options: further settings of kafka-python's producer.
    """

    def __init__(
        self, session: ScenarioSession, kafka: Kafka, topic: str, count: int, **options: object
    ):
        self._session, self.topic = session, topic
        self._kafka = kafka
        self._real = kafka.own(topic)
        self.producer = kafka.transactional("tx", **options)
        self.producer.begin()
        self._publish(self.producer, "in it", count)

    def _publish(self, producer: Publisher, what: str, count: int) -> None:
        messages = [Message(f"{what} {n:03d}".encode(), what.encode()) for n in range(1, count + 1)]
        sent = producer.publish(self._real, messages, within=self._session.scaled(_WITHIN))
        if sent.ok != count:
            raise PremiseNotMet(f"of {counted(count, 'message')} {what}: {sent}")

    def publish_behind(self, count: int) -> None:
        """Publish messages of no transaction behind it."""
        self._publish(self._kafka.publisher, "behind it", count)

    def succeed(self, count: int) -> None:
        """Have a new producer of the same id commit a transaction of its own."""
        successor = self._kafka.transactional("tx")
        successor.begin()
        self._publish(successor, "of its successor", count)
        successor.commit()

    def refused(self) -> str:
        """Try to commit it as the zombie that its producer is; by what it was refused.

        Raises:
            AssertionError: it was not refused.
        """
        try:
            self.producer.commit()
        except FENCED as error:
            return type(error).__name__
        raise AssertionError("a producer that has a successor committed its transaction")

    def seen(self, isolation: Isolation) -> list[str]:
        """Idents that a fresh reader finds up to where it gets at present."""
        return [record.ident for record in self._kafka.seen_now(self._real, isolation)]

    def await_seen(self, count: int, *, within: float) -> list[str]:
        """Wait until a reader of committed records finds that many; what it finds.

        Raises:
            DeadlineExceeded: it did not.
        """
        return poll(
            lambda: self.seen("read_committed"),
            until=lambda found: len(found) >= count,
            within=self._session.scaled(within),
            awaiting=f"{counted(count, 'message')} for readers of committed ones",
            describe=lambda found: f"{len(found)}",
        )

    def check(self) -> FlowVerdict:
        """Check all that was seen of the topic."""
        kafka = self._kafka
        kafka.final_drain(self._real)
        # Every look was a reader's that was handed everything; stored twice is another anomaly.
        return self._session.assert_flow(
            kafka.delivery(
                self.topic, guarantee="exactly-once", allowed=("duplicated",), drained=True
            )
        )
