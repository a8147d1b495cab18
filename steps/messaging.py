"""Topics, publishing, consuming: any Kafka-compatible broker."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import (
    assert_that,
    contains_string,
    equal_to,
    has_item,
    has_length,
    has_property,
    less_than_or_equal_to,
    not_none,
)

from stackproof.faults.restarts import restart
from stackproof.services.kafka import KafkaFixture
from stackproof.services.kafka.client import TopicSpec
from stackproof.session.matching import no_deviations
from stackproof.session.measuring import timed
from stackproof.session.needs import needs
from stackproof.session.scenario import Context, Kept
from stackproof.session.tables import topic_specs
from stackproof.vocabulary import SERVER_ENDINGS

#: What later steps are about.
CREATED = Kept[float]("topics that were created", "these topics are created")
REFUSAL = Kept[Exception | None](
    "a topic that was asked for", 'a topic "orders" with 0 partitions is asked for'
)
PUBLISHED = Kept[float]("messages that were published", '50 messages are published to "orders"')


def kafka_of(context: Context) -> KafkaFixture:
    """The scenario's work with its Kafka cluster."""
    return context.session.use(KafkaFixture)


@then("the broker accepts connections within {limit:Seconds}")
def broker_accepts_connections(context: Context, limit: float) -> None:
    """A client connects and negotiates API versions in that time."""
    duration = timed(lambda: kafka_of(context).admin)
    context.session.figure("connected after", f"{duration * 1000:.0f} ms")
    assert_that(duration, less_than_or_equal_to(context.session.scaled(limit)))


@then("the admin API lists the topics within {limit:Seconds}")
def admin_api_answers(context: Context, limit: float) -> None:
    """The admin API answers in that time."""
    duration = timed(kafka_of(context).admin.list_topics)
    context.session.figure("topics listed in", f"{duration * 1000:.0f} ms")
    assert_that(duration, less_than_or_equal_to(context.session.scaled(limit)))


@then("the cluster metadata names {count:Brokers} and a controller")
def metadata_names_brokers(context: Context, count: int) -> None:
    """The cluster's description holds that many live brokers, one of them the controller."""
    cluster = kafka_of(context).admin.cluster()
    assert_that(cluster.brokers, has_length(count))
    assert_that(cluster.brokers, has_item(cluster.controller), "the controller is one of them")


@given('a topic "{topic}" with {partitions:Partitions}')
@needs("kafka")
def a_topic(context: Context, topic: str, partitions: int) -> None:
    """Creates a topic of the scenario's own."""
    kafka_of(context).create_topics([TopicSpec(topic, partitions)])


@when("these topics are created")
@needs("kafka")
def topics_are_created(context: Context) -> None:
    """Creates the topics of the table: its columns are topic, partitions and settings."""
    specs = topic_specs(context.table)
    duration = timed(kafka_of(context).create_topics, specs)
    context.session.keep(CREATED, duration)
    context.session.figure("topics created in", f"{duration * 1000:.0f} ms")


@then("each topic has the partitions and settings asked for within {limit:Seconds}")
def topics_as_configured(context: Context, limit: float) -> None:
    """The broker describes every topic as it was asked for, and created it in that time."""
    created_in = context.session.kept(CREATED)
    kafka = kafka_of(context)
    differences = [d for topic in kafka.topics for d in kafka.differences(topic)]
    assert_that(differences, no_deviations(), "settings that differ")
    assert_that(created_in, less_than_or_equal_to(context.session.scaled(limit)))


@when('a topic "{topic}" with {partitions:Partitions} is asked for')
@needs("kafka")
def topic_is_asked_for(context: Context, topic: str, partitions: int) -> None:
    """Asks for a topic that the broker may refuse."""
    kafka_of(context).try_to_create(TopicSpec(topic, partitions))
    context.session.keep(REFUSAL, kafka_of(context).refusal)


@then('the broker refuses the topic: "{reason}"')
def broker_refuses(context: Context, reason: str) -> None:
    """The broker's error has this name, and the broker lives on."""
    refusal = context.session.kept(REFUSAL)
    assert_that(refusal, not_none(), "the broker's refusal")
    assert_that(type(refusal).__name__, contains_string(reason))
    kafka_of(context).admin.cluster()


@when('{count:d} messages are published to "{topic}"')
def messages_are_published(context: Context, count: int, topic: str) -> None:
    """Publishes distinct keyed messages, one after the other, with acks=all."""
    messages = kafka_of(context).plain_messages(count)
    context.session.keep(PUBLISHED, timed(kafka_of(context).publish, topic, messages))


@when('a message of {size:d} bytes is published to "{topic}"')
def a_message_of_size(context: Context, size: int, topic: str) -> None:
    """Publishes one message of that size."""
    messages = kafka_of(context).plain_messages(1, size=size)
    context.session.keep(PUBLISHED, timed(kafka_of(context).publish, topic, messages))


@then("{count:d} messages are acknowledged and none failed within {limit:Seconds}")
def messages_acknowledged(context: Context, count: int, limit: float) -> None:
    """Every message has an acknowledgement; none failed, none is without an outcome."""
    published_in = context.session.kept(PUBLISHED)
    sent = kafka_of(context).sent
    assert_that(sent, has_property("ok", count))
    assert_that((sent.failed, sent.unknown), equal_to((0, 0)), str(sent))
    context.session.figure("published in", f"{published_in * 1000:.0f} ms")
    assert_that(published_in, less_than_or_equal_to(context.session.scaled(limit)))


@then('publishing fails with "{reason}"')
def publishing_fails(context: Context, reason: str) -> None:
    """The publishing has failed for good, with an error of this name."""
    context.session.kept(PUBLISHED)
    sent = kafka_of(context).sent
    assert_that(sent, has_property("failed", 1), str(sent))
    assert_that(str(sent), contains_string(reason))


@then('"{topic}" holds exactly the acknowledged messages, in order')
def topic_holds_exactly(context: Context, topic: str) -> None:
    """A reader from the beginning finds every message once, unchanged and in order."""
    flow = kafka_of(context).observed(topic, within=context.session.scaled(15))
    context.session.assert_flow(flow)


@then('"{topic}" is empty')
def topic_is_empty(context: Context, topic: str) -> None:
    """A reader from the beginning finds nothing."""
    kafka = kafka_of(context)
    found = kafka.reader(kafka.own(topic)).drain(within=context.session.scaled(15))
    assert_that(found, no_deviations(), "records")


@when('a consumer of group "{group}" receives {count:d} messages from "{topic}" and closes')
def consumer_receives_and_closes(context: Context, group: str, count: int, topic: str) -> None:
    """A new consumer of the group receives, commits, and leaves the group."""
    consumer = kafka_of(context).join(topic, group)
    consumer.receive(count, within=context.session.scaled(10))
    consumer.close()


@then('the consumers of "{topic}" took turns without gap or overlap')
def consumers_took_turns(context: Context, topic: str) -> None:
    """Together they received every message once; each resumed where the one before stopped."""
    kafka = kafka_of(context)
    names = tuple(consumer.name for consumer in kafka.closed_consumers())
    context.session.assert_flow(kafka.delivery(topic, group_clients=names, order=None))


@then("the first message of consumer {number:d} is message {position:d}")
def first_message_of_consumer(context: Context, number: int, position: int) -> None:
    """The consumer resumed at that message of the topic (one partition)."""
    first = kafka_of(context).closed_consumers(number)[number - 1].records[0]
    assert_that(first.key, equal_to(f"message-{position:05d}".encode()))


@then('group "{group}" has nothing left to read in "{topic}"')
def group_has_no_lag(context: Context, group: str, topic: str) -> None:
    """The group's committed offsets are the ends of all partitions."""
    kafka = kafka_of(context)
    kafka.closed_consumers()
    lag = kafka.admin.lag(context.session.own(group), kafka.own(topic))
    assert_that(lag, equal_to(0), "messages not committed")


@when("the broker {ending:Ending} and is started again")
@needs("kafka", dedicated=True)
def broker_restarts(context: Context, ending: str) -> None:
    """Ends the scenario's own broker by SIGTERM or SIGKILL; starts it again on its data."""
    restart(context.session, "kafka", SERVER_ENDINGS[ending])
