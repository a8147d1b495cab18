"""Breaking a cluster's brokers; each fault and its healing is proved by an independent client."""

from behave import given, register_type, then, when
from hamcrest import assert_that, equal_to, greater_than, has_length

from stackproof.session.needs import needs
from stackproof.session.premises import presume
from stackproof.session.words import TYPES
from stackproof.session.words_of_faults import FAULT_TYPES

register_type(**TYPES, **FAULT_TYPES)


@given("a Kafka cluster of {count:Brokers}")
@needs("kafka", brokers="{count}")
def a_kafka_cluster(context, count):
    """A running cluster of that many brokers, each a controller, too."""
    presume(context.session.endpoint("kafka").instances, has_length(count), "brokers")


@when("broker {broker:d} {fault:ProcessFault}")
@needs("kafka", dedicated=True)
def broker_is_broken(context, broker, fault):
    """Breaks a broker until it recovers; an independent client proves the effect."""
    assert_that(context.session.faults.begin(fault, broker).active)


@when("broker {broker:d} recovers")
@needs("kafka", dedicated=True)
def broker_recovers(context, broker):
    """Heals all that ails the broker, until it is in sync with all its partitions."""
    context.session.faults.heal(broker)


@when('messages keep arriving in "{topic}" while broker {broker:d} {fault:ProcessFault}')
@when('messages keep arriving in "{topic}" while broker {broker:d} {fault:PeerFault}')
@needs("kafka", dedicated=True)
def messages_while_broken(context, topic, broker, fault):
    """Publishes before, while and after the broker is broken; it is healed again."""
    context.session.faults.with_traffic(topic, fault, broker)


@when('messages keep arriving in "{topic}" while broker {broker:d} {fault:ClientFault}')
@needs("kafka", dedicated=True, proxied=True)
def messages_while_way_is_broken(context, topic, broker, fault):
    """Publishes before, while and after the broker's clients have a bad connection to it."""
    context.session.faults.with_traffic(topic, fault, broker)


@when('messages keep arriving in "{topic}" while broker {broker:d} {fault:DiskFault}')
@needs("kafka", dedicated=True, disk_mb=96)
def messages_while_disk_is_full(context, topic, broker, fault):
    """Publishes before, while and after the broker has no room on its disk."""
    context.session.faults.with_traffic(topic, fault, broker)


@when('messages keep arriving in "{topic}" while broker {broker:d} {fault:PowerFault}')
@needs("kafka", dedicated=True, syncs=True)
def messages_while_power_is_lost(context, topic, broker, fault):
    """Publishes before, while and after the broker is gone with all that it had not synced."""
    context.session.faults.with_traffic(topic, fault, broker)


@when('messages keep arriving in "{topic}" while all brokers are restarted, one after the other')
@needs("kafka", dedicated=True)
def messages_while_restarted(context, topic):
    """A rolling restart: each broker is stopped when the one before is back in sync."""
    context.session.faults.rolling_restart(topic)


@then("every message has been acknowledged within {limit:Seconds}")
def every_message_acknowledged(context, limit):
    """The producer got an acknowledgement for every message, those during the fault included."""
    sent = context.session.faults.traffic.finish(within=limit)
    context.session.figure("published", f"{sent.ok} messages")
    assert_that((sent.failed, sent.unknown), equal_to((0, 0)), str(sent))
    presume(sent.ok, greater_than(0), "messages acknowledged")
