"""Publishing in transactions, with each one's outcome recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kafka import errors as kafka_errors

from stackproof.history import History
from stackproof.history.columns import NONE
from stackproof.history.ledger import Ending, Status
from stackproof.polling import DeadlineExceeded
from stackproof.services.kafka.client.consuming import GroupConsumer
from stackproof.services.kafka.client.producing import Publisher
from stackproof.workloads import Task

# The coordinator refuses to commit: another producer has taken over the transactional id,
# or something in the transaction has failed. (Fenced after an answer was lost on the way, a
# commit may have happened after all; that takes two faults at once.)
_REFUSED = (
    kafka_errors.ProducerFencedError,
    kafka_errors.InvalidProducerEpochError,
    kafka_errors.TransactionAbortableError,
)
#: kafka-python's words when it does not even ask the coordinator, after an error before.
_NOT_ASKED = "in an error state"


def _refused(error: BaseException) -> bool:
    return isinstance(error, _REFUSED) or (
        isinstance(error, kafka_errors.KafkaError) and _NOT_ASKED in str(error)
    )


class TransactionalPublisher(Publisher):
    """A transactional producer: fences whoever used its transactional id before it.

    Args:
        connection: how to reach the cluster.
        history: receives every send and every transaction.
        name: the producer's name in the history.
        transactional_id: by which the cluster knows it.
        within: seconds for each answer of the transaction's coordinator.
        options: further settings of kafka-python's producer.

    Raises:
        KafkaError: the transactional id could not be initialised.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        history: History,
        *,
        name: str,
        transactional_id: str,
        within: float,
        **options: Any,
    ):
        options = {"max_block_ms": int(within * 1000), **options}
        super().__init__(
            connection, history, name=name, transactional_id=transactional_id, **options
        )
        self.transactional_id = transactional_id
        self._within = within
        self._asked = NONE
        try:
            self._producer.init_transactions()
        except BaseException:
            self.close()
            raise

    def begin(self) -> int:
        """Begin a transaction: what is published from now on belongs to it; its number.

        Raises:
            KafkaError: the producer was fenced or has failed before.
        """
        self._producer.begin_transaction()
        self.transaction = self._history.begin(self.name, self.transactional_id)
        return self.transaction

    def commit_progress(self, consumer: GroupConsumer) -> None:
        """Commit what a consumer has been handed, as a part of the transaction.

        Raises:
            KafkaError: the group or the coordinator refuses it.
            TimeoutError: there was no answer in time.
        """
        offsets, group = consumer.progress()
        self._wait(lambda: self._producer.send_offsets_to_transaction(offsets, group))

    def commit(self) -> None:
        """Commit the transaction. It is in the history first, whatever comes of it.

        Raises:
            KafkaError: it was not committed ("fail" in the history), or nobody knows
                ("unknown").
            TimeoutError: there was no answer in time; it may be committed later.
        """
        self._finish("commit", self._producer.commit_transaction)

    def abort(self) -> None:
        """Abort the transaction; errors as of `commit`."""
        self._finish("abort", self._producer.abort_transaction)

    def leave_open(self) -> None:
        """Forget the transaction without ending it: it hangs until its timeout."""
        self.transaction = NONE

    def _finish(self, how: Ending, call: Callable[[], None]) -> None:
        number, first = self.transaction, self._asked != self.transaction
        self._asked = number
        self._history.end(number, how)

        def work() -> None:
            status: Status = "ok"
            try:
                call()
            except BaseException as error:
                # An earlier attempt without an answer may have succeeded.
                status = "fail" if first and _refused(error) else "unknown"
                raise
            finally:
                # From this thread: an answer that comes late is still a known outcome.
                self._history.ended(number, how, status)

        self._wait(work)
        self.transaction = NONE

    def _wait(self, call: Callable[[], None]) -> None:
        """Call what kafka-python waits for without limit, and wait no longer than that."""
        try:
            Task(lambda _: call(), name=f"{self.name} waits").wait(within=self._within)
        except DeadlineExceeded:
            raise TimeoutError(f"{self.name}: no answer within {self._within:g} s") from None


def transform(
    consumer: GroupConsumer,
    producer: TransactionalPublisher,
    topic: str,
    change: Callable[[Any], Any],
    *,
    within: float,
) -> int:
    """Consume, transform and produce one poll's records in one transaction.

    Args:
        consumer: hands over the inputs; its progress is committed with the outputs.
        producer: sends the outputs.
        topic: where to.
        change: makes a `Message` of each `Received`.
        within: seconds for all outputs to be acknowledged.

    Returns:
        how many records there were; 0 leaves no transaction behind.

    Raises:
        KafkaError, TimeoutError: as `TransactionalPublisher.commit`, or an output was not
            acknowledged in time; the transaction is neither aborted nor repeated here.
    """
    records = consumer.poll()
    if not records:
        return 0
    producer.begin()
    sent = producer.publish(topic, [change(record) for record in records], within=within)
    if sent.ok < len(records):
        raise TimeoutError(f"{producer.name}: {sent}")
    producer.commit_progress(consumer)
    producer.commit()
    return len(records)
