"""What producers and consumers are promised, under faults; and what is lost where nothing is."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import assert_that, empty, equal_to, greater_than, has_length, only_contains
from hamcrest import starts_with as begins_with

from stackproof.faults import promises
from stackproof.faults.promises.handing_on import HandingOn
from stackproof.faults.promises.losing import Losing
from stackproof.faults.promises.repeating import publish_through_late_answers
from stackproof.services.kafka import KafkaFixture
from stackproof.session.needs import needs
from stackproof.session.premises import presume
from stackproof.session.scenario import Context, Kept

#: What later steps are about.
LOSS: Kept[Losing] = Kept(
    "messages that are bound to be lost",
    'messages to "orders" are acknowledged with acks=0 by a leader that hangs and then crashes',
)
HANDED_ON: Kept[HandingOn] = Kept(
    "messages that were handed on",
    '"orders" is handed on to "invoices" by a consumer that commits before it sends '
    "and ends in between, and by its successor",
)
TRANSACTION: Kept[promises.OpenTransaction] = Kept(
    "a transaction", '20 messages to "orders" in an open transaction'
)


def kafka_of(context: Context) -> KafkaFixture:
    """The scenario's work with its Kafka cluster."""
    return context.session.use(KafkaFixture)


def transaction_of(context: Context) -> promises.OpenTransaction:
    """The transaction that was opened before."""
    return context.session.kept(TRANSACTION)


@when('messages to "{topic}" are acknowledged with {way:Way}')
@needs("kafka", dedicated=True)
def messages_bound_to_be_lost(context: Context, topic: str, way: str) -> None:
    """Has the cluster lose for certain what it acknowledges meanwhile; makes the topic."""
    context.session.keep(LOSS, Losing(context.session, kafka_of(context), topic)).run(way)


@when('messages to "{topic}" are acknowledged with {way:PowerWay}')
@needs("kafka", dedicated=True, syncs=True)
def messages_bound_to_be_lost_with_power(context: Context, topic: str, way: str) -> None:
    """The same, where what a broker makes durable is known."""
    context.session.keep(LOSS, Losing(context.session, kafka_of(context), topic)).run(way)


@then("the loss of all of them is found and named")
def loss_is_found(context: Context) -> None:
    """The checks find it under its names, and as large as it must be; none is inconclusive."""
    verdict = context.session.kept(LOSS).check()
    assert_that(verdict.missing, empty())


@when('{producer:Producer} publishes to "{topic}" while answers come later than it waits')
@needs("kafka", dedicated=True, proxied=True)
def publishing_through_late_answers(context: Context, producer: str, topic: str) -> None:
    """What is in flight when answers become late is stored, and sent again without an answer."""
    publish_through_late_answers(context.session, kafka_of(context), topic, producer)


@then('"{topic}" holds every acknowledged message, in order, and none twice')
def topic_holds_each_once(context: Context, topic: str) -> None:
    """A final drain finds what was acknowledged, each message at one offset."""
    kafka = kafka_of(context)
    kafka.final_drain(kafka.own(topic))
    flow = kafka.delivery(topic, guarantee="idempotent", drained=True)
    assert_that(context.session.assert_flow(flow).figures.arrived, greater_than(0))


@then('"{topic}" holds every acknowledged message, in order, and some are found to be there twice')
def topic_holds_some_twice(context: Context, topic: str) -> None:
    """A final drain finds what was acknowledged; that some are stored twice must be found."""
    kafka = kafka_of(context)
    kafka.final_drain(kafka.own(topic))
    flow = kafka.delivery(
        topic, guarantee="at-least-once", drained=True, expected=("stored-twice",)
    )
    verdict = context.session.assert_flow(flow)
    context.session.figure("stored twice", f"{verdict.figures.stored_twice} messages")


@when(
    'messages of "{source}" are transformed into "{target}" in transactions while the leader {ending:Ending}'
)
@needs("kafka", dedicated=True)
def transformed_in_transactions(context: Context, source: str, target: str, ending: str) -> None:
    """Consumes, transforms and produces before, while and after the target's leader is away."""
    promises.transform_through(context.session, kafka_of(context), source, target, ending)


@then('every message of "{source}" is in "{target}" exactly once')
def transformed_exactly_once(context: Context, source: str, target: str) -> None:
    """Whoever reads committed records finds each once; no transaction is torn or half done."""
    verdict = promises.check_transformed(context.session, kafka_of(context), source, target)
    assert_that(verdict.figures.arrived, greater_than(0))


@when(
    '"{source}" is handed on to "{target}" by a consumer that {committing:Committing} and ends in between, and by its successor'
)
@needs("kafka")
def handed_on(context: Context, source: str, target: str, committing: str) -> None:
    """One consumer ends between committing and sending; the next one of its group goes on."""
    handing_on = HandingOn(context.session, kafka_of(context), source, target, committing)
    context.session.keep(HANDED_ON, handing_on).run()


@then("exactly what it had committed and not sent is found lost, and nothing is there twice")
def committed_is_found_lost(context: Context) -> None:
    """As many messages are lost as its end came between; their loss is found and named."""
    handing_on = context.session.kept(HANDED_ON)
    figures = handing_on.check().figures
    assert_that((figures.lost, figures.duplicated), equal_to((handing_on.between, 0)))


@then("exactly what it had sent and not committed is found there twice, and nothing is lost")
def sent_is_found_twice(context: Context) -> None:
    """As many messages are there twice as its end came between; they are found and named."""
    handing_on = context.session.kept(HANDED_ON)
    figures = handing_on.check().figures
    assert_that((figures.lost, figures.duplicated), equal_to((0, handing_on.between)))


@given('{count:d} messages to "{topic}" in an open transaction')
@needs("kafka")
def an_open_transaction(context: Context, count: int, topic: str) -> None:
    """A producer publishes them and does not end the transaction for now."""
    transaction = promises.OpenTransaction(
        context.session,
        kafka_of(context),
        topic,
        count,
        transaction_timeout_ms=int(promises.OPEN_AT_MOST * 1000),
    )
    context.session.keep(TRANSACTION, transaction)
    presume(transaction.seen("read_uncommitted"), has_length(count), "messages in the log")


@when("the transaction is aborted")
def transaction_is_aborted(context: Context) -> None:
    """Its producer asks the coordinator to abort it."""
    transaction_of(context).producer.abort()


@when("a new producer with the same transactional ID commits {count:d} messages")
def successor_commits(context: Context, count: int) -> None:
    """By initialising the ID it fences the producer before."""
    transaction_of(context).succeed(count)


@when("the transaction's producer disappears and {count:d} messages of no transaction follow")
def transaction_hangs(context: Context, count: int) -> None:
    """Nobody ends the transaction; messages of another producer stand behind it."""
    transaction_of(context).producer.leave_open()
    transaction_of(context).publish_behind(count)


@then("readers of committed messages wait before it, and others see all {count:d}")
def readers_wait(context: Context, count: int) -> None:
    """A fresh reader of committed records finds none, one of uncommitted records all."""
    assert_that(transaction_of(context).seen("read_committed"), empty())
    assert_that(transaction_of(context).seen("read_uncommitted"), has_length(count))


@then("they see the {count:d} messages behind it when its time is up, and none of it ever")
def readers_go_on(context: Context, count: int) -> None:
    """The coordinator aborts it after its timeout; it looks every ten seconds."""
    transaction = transaction_of(context)
    seen = transaction.await_seen(count, within=promises.OPEN_AT_MOST + 2 * promises.LOOKS_EVERY)
    assert_that(seen, has_length(count))
    assert_that(seen, only_contains(begins_with("behind it")))
    transaction.check()


@then("the old producer is refused to commit")
def zombie_is_refused(context: Context) -> None:
    """The coordinator has fenced it."""
    context.session.figure("refused by", transaction_of(context).refused())


@then("readers of committed messages see {count:d} messages, and others all {total:d}")
def readers_see(context: Context, count: int, total: int) -> None:
    """Aborted messages are in the log, and hidden from readers of committed ones."""
    transaction = transaction_of(context)
    seen = transaction.await_seen(count, within=10)
    assert_that(transaction.check().figures.acknowledged, equal_to(count))
    assert_that(seen, has_length(count))
    assert_that(transaction.seen("read_uncommitted"), has_length(total))
