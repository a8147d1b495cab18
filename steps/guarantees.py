"""What producers and consumers are promised, under faults; and what is lost where nothing is."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import assert_that, empty, equal_to, greater_than, has_length

from stackproof import faults
from stackproof.faults import promises
from stackproof.services.kafka import KafkaFixture
from stackproof.session.needs import needs
from stackproof.session.scenario import Context

#: Seconds in which a consumer gets as far as it can.
_READS_WITHIN = 15.0


def kafka_of(context: Context) -> KafkaFixture:
    """The scenario's work with its Kafka cluster."""
    return context.session.use(KafkaFixture)


def producers(context: Context) -> promises.Producers:
    """The scenario's producers that send each message once."""
    return context.session.use(promises.Producers, kafka_of(context))


# -- messages that may be lost -------------------------------------------------
@given('{count:d} messages are on all replicas of "{topic}", published with acks={acks:Acks}')
@needs("kafka")
def messages_on_all_replicas(context: Context, count: int, topic: str, acks: str) -> None:
    """Publishes them, each once, and waits until all replicas in sync have them."""
    producers(context).publish(topic, count, acks).await_replicated()


@when('{count:d} messages are published to "{topic}" with acks={acks:Acks}')
@needs("kafka")
def messages_with_acks(context: Context, count: int, topic: str, acks: str) -> None:
    """Each once, without idempotence; goes on when all are acknowledged (acks=0: sent)."""
    producers(context).publish(topic, count, acks)


@then("exactly these {count:d} messages are lost")
def messages_are_lost(context: Context, count: int) -> None:
    """Those last published with acks: a final drain must find so many lost, and no others."""
    verdict = producers(context).last.check(count)
    assert_that(verdict.missing, empty())
    assert_that(verdict.figures.lost, equal_to(count), "messages lost")


@then('"{topic}" holds every acknowledged message, in order, {promise:Promise}')
@needs("kafka")
def topic_holds_every_message(context: Context, topic: str, promise: str) -> None:
    """A final drain finds what was acknowledged, unchanged; "exactly once": none of it twice."""
    kafka = kafka_of(context)
    kafka.final_drain(kafka.own(topic))
    flow = kafka.delivery(topic, guarantee=promise, drained=True)
    verdict = context.session.assert_flow(flow)
    context.session.figure("stored twice", f"{verdict.figures.stored_twice} messages")
    assert_that(verdict.figures.arrived, greater_than(0))


@then('some messages are in "{topic}" twice')
@needs("kafka")
def some_are_twice(context: Context, topic: str) -> None:
    """The check must find them; without any the scenario proves nothing."""
    flow = kafka_of(context).delivery(
        topic, guarantee="at-least-once", drained=True, expected=("stored-twice",)
    )
    context.session.assert_flow(flow)


# -- consumers that send on ----------------------------------------------------
@when('a consumer of group "{group}" copies {count:d} messages from "{source}" to "{target}"')
@needs("kafka")
def consumer_copies(context: Context, group: str, count: int, source: str, target: str) -> None:
    """Receives them, sends them on, and commits."""
    copying = promises.Copying(context.session, kafka_of(context), source, target, group)
    context.session.keep(promises.COPYING, copying).copy(count)


@when("the consumer commits {count:d} more messages and ends before it has sent them")
def consumer_commits_only(context: Context, count: int) -> None:
    """It receives and commits them, and leaves the group."""
    context.session.kept(promises.COPYING).commit_only(count)


@when("the consumer sends {count:d} more messages and ends before it has committed them")
def consumer_sends_only(context: Context, count: int) -> None:
    """It receives them and sends them on, and leaves the group."""
    context.session.kept(promises.COPYING).send_only(count)


@when("another consumer of the same group copies the rest")
def consumer_copies_rest(context: Context) -> None:
    """It goes on where the group has committed, until nothing is left."""
    context.session.kept(promises.COPYING).copy_rest()


@then("exactly {count:d} messages are missing in the copy, and none is there twice")
def messages_are_missing(context: Context, count: int) -> None:
    """The check must find their loss; nothing else is wrong with the copy."""
    figures = context.session.kept(promises.COPYING).check("at-most-once", "lost").figures
    assert_that((figures.lost, figures.duplicated), equal_to((count, 0)), "lost, duplicated")


@then("exactly {count:d} messages are in the copy twice, and none is missing")
def messages_are_twice(context: Context, count: int) -> None:
    """The check must find them; nothing else is wrong with the copy."""
    figures = context.session.kept(promises.COPYING).check("at-least-once", "duplicated").figures
    assert_that((figures.lost, figures.duplicated), equal_to((0, count)), "lost, duplicated")


# -- transactions --------------------------------------------------------------
@given('messages of "{source}" are copied to "{target}" in transactions in the background')
@needs("kafka")
def copied_in_transactions(context: Context, source: str, target: str) -> None:
    """Consumes and produces in transactions; goes on when the first 500 messages are copied."""
    transformer = promises.Transformer(context.session, kafka_of(context), source, target)
    context.session.keep(promises.TRANSFORMER, transformer)


@when("{count:d} more messages are copied within {limit:Seconds}")
def more_are_copied(context: Context, count: int, limit: float) -> None:
    """In transactions that are committed."""
    context.session.kept(promises.TRANSFORMER).await_more(count, within=limit)


@then("every message is in the copy exactly once")
def copied_exactly_once(context: Context) -> None:
    """Whoever reads committed records finds each once; no transaction is torn or half done."""
    context.session.kept(faults.TRAFFIC).finish(within=60)
    copying = context.session.kept(promises.TRANSFORMER)
    copying.finish()
    assert_that(copying.check().figures.arrived, greater_than(0))


@given('{count:d} messages are published to "{topic}" in an open transaction')
@needs("kafka")
def an_open_transaction(context: Context, count: int, topic: str) -> None:
    """A producer publishes them and does not end the transaction for now."""
    begin_transaction(context, topic, count, 60)


@given(
    '{count:d} messages are published to "{topic}" in an open transaction with a timeout of {limit:Seconds}'
)
@needs("kafka")
def an_open_transaction_with_timeout(
    context: Context, count: int, topic: str, limit: float
) -> None:
    """After that time its coordinator may end it; it looks every ten seconds."""
    begin_transaction(context, topic, count, limit)


def begin_transaction(context: Context, topic: str, count: int, timeout: float) -> None:
    """Keep a transaction whose messages are in the log."""
    transaction = promises.OpenTransaction(
        context.session, kafka_of(context), topic, count, timeout=timeout
    )
    context.session.keep(promises.TRANSACTION, transaction)
    transaction.seen("read_uncommitted", count, within=_READS_WITHIN)


@when("the transaction is aborted")
def transaction_is_aborted(context: Context) -> None:
    """Its producer asks the coordinator to abort it."""
    context.session.kept(promises.TRANSACTION).producer.abort()


@when("another producer with the same transactional ID commits {count:d} messages")
def successor_commits(context: Context, count: int) -> None:
    """By initialising the ID it fences the producer before."""
    context.session.kept(promises.TRANSACTION).succeed(count)


@when("the producer of the transaction does nothing more")
def transaction_hangs(context: Context) -> None:
    """Nobody commits or aborts the transaction."""
    context.session.kept(promises.TRANSACTION).producer.leave_open()


@then("the first producer cannot commit its transaction any more")
def zombie_is_refused(context: Context) -> None:
    """The coordinator has fenced it."""
    context.session.figure("refused by", context.session.kept(promises.TRANSACTION).refused())


@then(
    'a {isolation:ReadIsolation} consumer of "{topic}" receives exactly {count:d} messages within {limit:Seconds}'
)
@needs("kafka")
def consumer_receives_exactly(
    context: Context, isolation: promises.Isolation, topic: str, count: int, limit: float
) -> None:
    """From the beginning; a read_committed one nothing of what was aborted or is open."""
    transaction = context.session.kept(promises.TRANSACTION)
    seen = transaction.seen(isolation, count, within=limit)
    assert_that(seen, has_length(count), "messages received")
    wrong = transaction.own(seen) if isolation == "read_committed" else []
    assert_that(wrong, empty(), "messages of the transaction")


@then("no message of the transaction is ever received as committed")
def transaction_is_invisible(context: Context) -> None:
    """Checked over all that consumers of committed messages have received, at the end all."""
    context.session.kept(promises.TRANSACTION).check()
