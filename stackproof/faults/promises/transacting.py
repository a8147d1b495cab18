"""Transactions under faults: consumed, transformed, produced; and what becomes of open ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kafka import errors as kafka_errors
from kafka.errors import KafkaError

from stackproof.errors import PremiseNotMet
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
from stackproof.session.scenario import Kept
from stackproof.texts import counted
from stackproof.workloads import Task

if TYPE_CHECKING:
    from stackproof.faults.kafka import Kafka
    from stackproof.session.scenario import ScenarioSession

_GROUP, _ID = "invoicing", "invoicing"
_IN_IT = "in it"
_A_ROUND, _SOME = 100, 500
_WITHIN = 60.0
#: Seconds for the outputs of one round to be acknowledged; then it is begun anew.
_ROUND_WITHIN = 8.0
#: Seconds between two looks of the coordinator at open transactions.
_LOOKS_EVERY = 10.0
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
        self.await_more(_SOME, within=_WITHIN, while_="before the fault")

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

    def await_more(self, count: int, *, within: float, while_: str = "") -> None:
        """Wait until ``count`` more records are committed.

        Args:
            count: how many.
            within: seconds.
            while_: what is going on, for the error.

        Raises:
            DeadlineExceeded, Died: they are not.
            BaseException: what it has failed by.
        """
        before = self.done
        self._task.await_(
            lambda: self.done - before,
            until=lambda more: more >= count,
            within=self._session.scaled(within),
            awaiting=f"{counted(count, 'more record')} to be copied {while_}".rstrip(),
            describe=lambda more: f"{more}; failed rounds: {self.failures[-3:]}",
        )

    def finish(self) -> None:
        """Copy all that was published, and stop; nothing may be published any more.

        Raises:
            DeadlineExceeded: it does not end.
            BaseException: what it has failed by.
        """
        session, kafka = self._session, self._kafka
        within = session.scaled(_WITHIN)
        kafka.wait_worked_off(session.own(_GROUP), kafka.own(self._source), within=within)
        self._task.end(within=within)
        session.figure("rounds that failed", str(len(self.failures)))

    def check(self) -> FlowVerdict:
        """Check that each message of the source is in the target exactly once, for all readers.

        Raises:
            AssertionError: see `ScenarioSession.assert_flow`.
        """
        session, kafka = self._session, self._kafka
        source, target = kafka.own(self._source), kafka.own(self._target)
        kafka.final_drain(target)
        # What became of the transactions; and, seen from the inputs, whether it is complete.
        session.assert_flow(
            kafka.delivery(self._target, guarantee="exactly-once", order=None, drained=True)
        )
        return session.assert_flow(
            Flow(f'"{self._source}" to "{self._target}"', source, target,
                 content="bytes", guarantee="exactly-once", drained=True)
        )  # fmt: skip


#: Later steps go on with it.
TRANSFORMER = Kept[Transformer](
    "a copying in the background",
    'messages of "orders" are copied to "invoices" in transactions in the background',
)


class OpenTransaction:
    """A transaction with messages in it whose end is still open.

    Args:
        session: the scenario.
        kafka: its cluster.
        topic: as the scenario's text calls it; of one partition.
        count: messages.
        timeout: seconds until its coordinator may end it.
    """

    def __init__(
        self, session: ScenarioSession, kafka: Kafka, topic: str, count: int, *, timeout: float
    ):
        self._session, self.topic = session, topic
        self._kafka = kafka
        self._real = kafka.own(topic)
        self.producer = kafka.transactional("tx", transaction_timeout_ms=int(timeout * 1000))
        self.producer.begin()
        self._publish(self.producer, _IN_IT, count)

    def _publish(self, producer: Publisher, what: str, count: int) -> None:
        messages = [Message(f"{what} {n:03d}".encode(), what.encode()) for n in range(1, count + 1)]
        sent = producer.publish(self._real, messages, within=self._session.scaled(_WITHIN))
        if sent.ok != count:
            raise PremiseNotMet(f"of {counted(count, 'message')} {what}: {sent}")

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

    def seen(self, isolation: Isolation, count: int, *, within: float) -> list[str]:
        """Wait until a fresh reader finds that many messages; what it finds.

        Args:
            isolation: of the reader.
            count: how many.
            within: seconds.

        Raises:
            DeadlineExceeded: it found fewer.
        """
        return poll(
            lambda: [one.ident for one in self._kafka.seen_now(self._real, isolation)],
            until=lambda found: len(found) >= count,
            within=self._session.scaled(within),
            awaiting=f'{counted(count, "message")} for a {isolation} consumer of "{self.topic}"',
            describe=lambda found: f"{len(found)}",
        )

    def own(self, idents: Iterable[str]) -> list[str]:
        """Those of its own messages."""
        return [ident for ident in idents if ident.startswith(_IN_IT)]

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


#: Later steps are about it.
TRANSACTION = Kept[OpenTransaction](
    "a transaction", '20 messages are published to "orders" in an open transaction'
)
