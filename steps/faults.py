"""Breaking a cluster's brokers; each fault and its healing is proved by an independent client."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import assert_that, equal_to, greater_than

from stackproof import faults
from stackproof.faults.restarts import rolling_restart
from stackproof.faults.words import to_break
from stackproof.services.kafka import KafkaFixture
from stackproof.session.needs import needs, needs_by
from stackproof.session.premises import presume
from stackproof.session.scenario import Context


def faults_of(context: Context) -> faults.BrokerFaults:
    """What the scenario breaks of Kafka."""
    return context.session.use(faults.BrokerFaults)


@given('{producer:Producer} publishes to "{topic}" in the background')
@needs("kafka")
def producer_in_background(context: Context, producer: str, topic: str) -> None:
    """Publishes with acks=all until a Then asks; goes on when the first 100 are acknowledged."""
    kafka = context.session.use(KafkaFixture)
    context.session.keep(faults.TRAFFIC, faults.Traffic(context.session, kafka, topic, producer))


@given(
    '{producer:Producer} that waits {patience:Seconds} for answers publishes to "{topic}" in the background'
)
@needs("kafka")
def patient_producer_in_background(
    context: Context, producer: str, patience: float, topic: str
) -> None:
    """The same; what is not answered in that time is sent again."""
    kafka = context.session.use(KafkaFixture)
    traffic = faults.Traffic(context.session, kafka, topic, producer, patience=patience)
    context.session.keep(faults.TRAFFIC, traffic)


@when("{count:d} more messages are acknowledged within {limit:Seconds}")
def more_are_acknowledged(context: Context, count: int, limit: float) -> None:
    """Of the producer in the background."""
    context.session.kept(faults.TRAFFIC).await_more(count, within=limit)


@when("{broker:Broker} {fault:Fault}")
@needs("kafka", dedicated=True)
@needs_by(lambda broker, fault: to_break("kafka", fault))
def broker_is_broken(context: Context, broker: str, fault: str) -> None:
    """Breaks a broker until it recovers; an independent client proves the effect.

    Whoever has a role is found at that moment; from then on it is "the old leader".
    """
    assert_that(faults_of(context).break_broker(fault, broker).active)


@when("{broker:Broker} recovers")
@needs("kafka", dedicated=True)
def broker_recovers(context: Context, broker: str) -> None:
    """Heals all that ails the broker, until it is in sync with all its partitions."""
    faults_of(context).heal_broker(broker)


@when("another broker is {role:Role}")
@needs("kafka", dedicated=True)
def another_broker_is(context: Context, role: str) -> None:
    """All others agree that it is not the broken one any more."""
    presume(faults_of(context).await_successor(role), greater_than(0), role)


@when("{role:Role} is the only replica in sync within {limit:Seconds}")
@needs("kafka", dedicated=True)
def only_replica_in_sync(context: Context, role: str, limit: float) -> None:
    """As all other brokers see it."""
    faults_of(context).await_alone(role, within=context.session.scaled(limit))


@when("all brokers are restarted, one after the other")
@needs("kafka", dedicated=True)
def brokers_are_restarted(context: Context) -> None:
    """A rolling restart: each broker is stopped when the one before is back in sync."""
    rolling_restart(context.session, "kafka")


@then("every message has been acknowledged within {limit:Seconds}")
def every_message_acknowledged(context: Context, limit: float) -> None:
    """The producer in the background ends; no message of it has failed or is without outcome."""
    sent = context.session.kept(faults.TRAFFIC).finish(within=limit)
    context.session.figure("published", f"{sent.ok} messages")
    assert_that((sent.failed, sent.unknown), equal_to((0, 0)), str(sent))
    presume(sent.ok, greater_than(0), "messages acknowledged")
