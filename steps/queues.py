"""Queues of RabbitMQ: confirms, acknowledgements, redelivery, dead letters."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import (
    assert_that,
    contains_string,
    equal_to,
    has_property,
    is_not,
)

from stackproof.faults.restarts import restart
from stackproof.services import rabbitmq
from stackproof.session.matching import no_deviations
from stackproof.session.needs import needs
from stackproof.session.scenario import Context
from stackproof.vocabulary import SERVER_ENDINGS


def rabbit_of(context: Context) -> rabbitmq.RabbitMQFixture:
    """The scenario's work with its RabbitMQ broker."""
    return context.session.use(rabbitmq.RabbitMQFixture)


# -- brokers and queues --------------------------------------------------------
@given("the RabbitMQ broker was restarted")
@needs("rabbitmq", dedicated=True)
def broker_was_restarted(context: Context) -> None:
    """Ends the scenario's own broker by SIGTERM, and starts it again on its data."""
    restart(context.session, "rabbitmq", "stop")


@when("the RabbitMQ broker {ending:Ending} and is started again")
@needs("rabbitmq", dedicated=True)
def broker_restarts(context: Context, ending: str) -> None:
    """Ends the scenario's own broker by SIGTERM or SIGKILL; starts it again on its data."""
    restart(context.session, "rabbitmq", SERVER_ENDINGS[ending])


@given('a queue "{queue}"')
@needs("rabbitmq")
def a_queue(context: Context, queue: str) -> None:
    """Declares a durable queue of the scenario's own."""
    rabbit_of(context).declare(queue)


@given('the queue "{queue}" with the dead-letter queue "{dead}"')
@needs("rabbitmq")
def a_queue_with_dead_letters(context: Context, queue: str, dead: str) -> None:
    """Declares a durable queue; what is rejected or expires there goes to the other one."""
    rabbit_of(context).declare(queue, dead_letters=dead)


@then('the queue "{queue}" has {count:d} ready messages')
def queue_has_ready(context: Context, queue: str, count: int) -> None:
    """Messages that no consumer has been delivered, as the broker counts them."""
    rabbit_of(context).wait_ready(queue, count)


# -- publishing ----------------------------------------------------------------
@given('{count:d} messages were published to the queue "{queue}"')
@when('{count:d} messages are published to the queue "{queue}"')
def messages_are_published(context: Context, count: int, queue: str) -> None:
    """Publishes distinct persistent messages, each confirmed before the next."""
    rabbit_of(context).publish(queue, count)


@when(
    '{count:d} messages with a time to live of {ttl:Seconds} are published to the queue "{queue}"'
)
def messages_are_published_that_expire(
    context: Context, count: int, queue: str, ttl: float
) -> None:
    """The same; each message has a time to live of its own."""
    rabbit_of(context).publish(queue, count, ttl=ttl)


@when('{count:d} messages are published with the routing key "{key}"')
def messages_are_published_by_key(context: Context, count: int, key: str) -> None:
    """To the exchange that knows every queue by its name."""
    rabbit_of(context).publish_by_key(key, count)


@then("all published messages are confirmed")
def all_confirmed(context: Context) -> None:
    """Of those that were published last none was refused, and none is without an answer."""
    sent = rabbit_of(context).sent
    assert_that((sent.failed, sent.unknown), equal_to((0, 0)), str(sent))
    assert_that(sent.ok, is_not(equal_to(0)), str(sent))


@then('{count:d} messages are returned with the reason "{reason}"')
def messages_are_returned(context: Context, count: int, reason: str) -> None:
    """The broker gave back every message with this reason, and confirmed none as delivered."""
    sent = rabbit_of(context).sent
    assert_that(sent, has_property("failed", count), str(sent))
    assert_that(str(sent), contains_string(reason))


# -- consuming -----------------------------------------------------------------
@given('consumer "{name}" consumes the queue "{queue}"')
@when('consumer "{name}" consumes the queue "{queue}"')
def consumer_consumes(context: Context, name: str, queue: str) -> None:
    """A new consumer, which is delivered whatever is there; it acknowledges nothing yet."""
    rabbit_of(context).join(name, queue)


@when('consumer "{name}" consumes the queue "{queue}" with a prefetch count of {count:d}')
def consumer_consumes_some(context: Context, name: str, queue: str, count: int) -> None:
    """The same; it is delivered so many unacknowledged messages at most."""
    rabbit_of(context).join(name, queue, prefetch=count)


@when('consumer "{name}" receives {count:d} messages')
def consumer_receives(context: Context, name: str, count: int) -> None:
    """Goes on when it has so many unacknowledged messages."""
    rabbit_of(context).receive(name, count)


@when('consumer "{name}" acknowledges {count:d} messages')
def consumer_acknowledges(context: Context, name: str, count: int) -> None:
    """The first ones of those that it has not acknowledged, requeued or rejected."""
    rabbit_of(context).acknowledge(name, count)


@when('consumer "{name}" requeues {count:d} messages')
def consumer_requeues(context: Context, name: str, count: int) -> None:
    """The same; they go back to the queue."""
    rabbit_of(context).refuse(name, count, requeue=True)


@when('consumer "{name}" rejects {count:d} messages')
def consumer_rejects(context: Context, name: str, count: int) -> None:
    """The same; they go to where the queue sends what is rejected."""
    rabbit_of(context).refuse(name, count, requeue=False)


@when('the connection of consumer "{name}" is lost')
def connection_is_lost(context: Context, name: str) -> None:
    """Its socket is cut, without a word to the broker."""
    rabbit_of(context).lose_connection(name)


@then('consumer "{name}" has received {count:d} messages')
def consumer_has_received(context: Context, name: str, count: int) -> None:
    """Since it began, and no more."""
    assert_that(rabbit_of(context).received(name, count), equal_to(count), "messages received")


@then('consumer "{name}" receives the {count:d} unacknowledged messages, marked as redelivered')
def consumer_receives_again(context: Context, name: str, count: int) -> None:
    """What was delivered and not acknowledged comes once more, unchanged; nothing else does."""
    rabbit = rabbit_of(context)
    context.session.assert_history(rabbit.redeliver(name, count))
    assert_that(rabbit.redelivered(), equal_to(count), "messages that were redelivered")


@then('the queue "{queue}" delivers every confirmed message once, unchanged and in order')
def queue_delivers_once(context: Context, queue: str) -> None:
    """A new consumer receives each of them; afterwards nothing is left."""
    rabbit = rabbit_of(context)
    context.session.assert_history(rabbit.deliver_all(queue))


@then(
    'within {limit:Seconds} the queue "{dead}" receives the {count:d} dead letters '
    'of the queue "{queue}"'
)
def dead_letters_come(context: Context, limit: float, dead: str, count: int, queue: str) -> None:
    """Each message that was rejected or has expired, once and unchanged, and no other."""
    limit = context.session.scaled(limit)
    context.session.assert_history(rabbit_of(context).read_dead_letters(queue, dead, count, limit))


@then('each dead letter of the queue "{queue}" has the reason "{reason}"')
def dead_letters_have_reason(context: Context, queue: str, reason: str) -> None:
    """Its header `x-death` names this reason and this queue, once."""
    wrong = rabbit_of(context).deaths_wrong(queue, reason)
    assert_that(wrong, no_deviations(), "dead letters with another reason")
