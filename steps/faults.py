"""Breaking a cluster's brokers; each fault and its healing is proved by an independent client."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import assert_that, equal_to, greater_than, has_length

from stackproof import faults
from stackproof.faults.restarts import rolling_restart
from stackproof.faults.traffic import TRAFFIC, publish_while, serves_during
from stackproof.faults.words import to_break
from stackproof.services.kafka import KafkaFixture
from stackproof.services.kafka.known import node_of
from stackproof.session.needs import needs, needs_by
from stackproof.session.premises import presume
from stackproof.session.scenario import Context


def faults_of(context: Context) -> faults.Faults:
    """What the scenario breaks of Kafka."""
    return context.session.use(faults.Faults, "kafka")


@given("a Kafka cluster of {count:Brokers}")
@needs("kafka", brokers="{count}")
def a_kafka_cluster(context: Context, count: int) -> None:
    """A running cluster of that many brokers, each a controller, too."""
    presume(context.session.endpoint("kafka").instances, has_length(count), "brokers")


@when("broker {broker:d} {fault:Fault}")
@needs("kafka", dedicated=True)
@needs_by(lambda broker, fault: to_break("kafka", fault))
def broker_is_broken(context: Context, broker: int, fault: str) -> None:
    """Breaks a broker until it recovers; an independent client proves the effect."""
    assert_that(faults_of(context).begin(fault, node_of(broker)).active)


@when("broker {broker:d} recovers")
@needs("kafka", dedicated=True)
def broker_recovers(context: Context, broker: int) -> None:
    """Heals all that ails the broker, until it is in sync with all its partitions."""
    faults_of(context).heal(node_of(broker))


@when('messages keep arriving in "{topic}" while broker {broker:d} {fault:Fault}')
@needs("kafka", dedicated=True)
@needs_by(lambda topic, broker, fault: to_break("kafka", fault))
def messages_while_broken(context: Context, topic: str, broker: int, fault: str) -> None:
    """Publishes before, while and after the broker is broken; it is healed again."""
    breaking = serves_during(faults_of(context).fault(fault, node_of(broker)))
    publish_while(context.session, context.session.use(KafkaFixture), topic, breaking)


@when('messages keep arriving in "{topic}" while all brokers are restarted, one after the other')
@needs("kafka", dedicated=True)
def messages_while_restarted(context: Context, topic: str) -> None:
    """A rolling restart: each broker is stopped when the one before is back in sync."""
    kafka = context.session.use(KafkaFixture)
    publish_while(
        context.session, kafka, topic, lambda _: rolling_restart(context.session, "kafka")
    )


@then("every message has been acknowledged within {limit:Seconds}")
def every_message_acknowledged(context: Context, limit: float) -> None:
    """The producer got an acknowledgement for every message, those during the fault included."""
    sent = context.session.kept(TRAFFIC).finish(within=limit)
    context.session.figure("published", f"{sent.ok} messages")
    assert_that((sent.failed, sent.unknown), equal_to((0, 0)), str(sent))
    presume(sent.ok, greater_than(0), "messages acknowledged")
