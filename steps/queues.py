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

from stackproof.faults import Faults
from stackproof.faults.restarts import restart
from stackproof.faults.words import to_break
from stackproof.services import rabbitmq
from stackproof.services.rabbitmq.known import DEATH, arguments
from stackproof.session.matching import no_deviations
from stackproof.session.needs import needs, needs_by
from stackproof.session.scenario import Context
from stackproof.session.tables import records
from stackproof.vocabulary import SERVER_ENDINGS


def queue_arguments(context: Context) -> dict[str, int | str]:
    """What stands in the table below a step: columns argument and value."""
    rows = records(context.table, ("argument", "value")) if context.table else []
    return arguments({row["argument"]: row["value"] for row in rows})


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
    """Declares a durable queue of the scenario's own, with the arguments of the table, if there is one."""
    rabbit_of(context).declare(queue, arguments=queue_arguments(context))


@given('an auto-delete queue "{queue}"')
@needs("rabbitmq")
def an_auto_delete_queue(context: Context, queue: str) -> None:
    """The same; it is to go with its last consumer."""
    rabbit_of(context).declare(queue, auto_delete=True, arguments=queue_arguments(context))


@given('the queue "{queue}" with the dead-letter queue "{dead}"')
@needs("rabbitmq")
def a_queue_with_dead_letters(context: Context, queue: str, dead: str) -> None:
    """The same as a queue; a fanout exchange "QUEUE.dlx" brings its dead letters to the other one."""
    rabbit_of(context).declare(queue, dead_letters=dead, arguments=queue_arguments(context))


@given('a {kind:Exchange} exchange "{exchange}"')
@needs("rabbitmq")
def an_exchange(context: Context, kind: str, exchange: str) -> None:
    """Declares a durable exchange of the scenario's own."""
    rabbit_of(context).declare_exchange(exchange, kind)


@given('the {kind:Exchange} exchange "{exchange}" with the alternate exchange "{alternate}"')
@needs("rabbitmq")
def an_exchange_with_alternate(context: Context, kind: str, exchange: str, alternate: str) -> None:
    """The same; what it cannot route goes to the other one."""
    rabbit_of(context).declare_exchange(exchange, kind, alternate)


@given('the exchange "{exchange}" routes "{key}" to the queue "{queue}"')
@needs("rabbitmq")
def exchange_routes(context: Context, exchange: str, key: str, queue: str) -> None:
    """Binds a queue to an exchange with this routing key, or pattern of a topic exchange."""
    rabbit_of(context).bind(exchange, queue, key)


@given('the exchange "{exchange}" routes everything to the queue "{queue}"')
@needs("rabbitmq")
def exchange_routes_everything(context: Context, exchange: str, queue: str) -> None:
    """Binds a queue to a fanout exchange."""
    rabbit_of(context).bind(exchange, queue)


@when('the queue "{queue}" is deleted')
@needs("rabbitmq")
def queue_is_deleted(context: Context, queue: str) -> None:
    """Whoever consumes it."""
    rabbit_of(context).delete(queue)


@then('within {limit:Seconds} there is no queue "{queue}" any more')
@needs("rabbitmq")
def queue_is_gone(context: Context, limit: float, queue: str) -> None:
    """The broker does not know it."""
    rabbit_of(context).wait_gone(queue, context.session.scaled(limit))


@then('another client may not consume the queue "{queue}": "{reason}"')
@needs("rabbitmq")
def queue_is_refused(context: Context, queue: str, reason: str) -> None:
    """The broker gives a client with a connection of its own this reason."""
    assert_that(rabbit_of(context).refused(queue), contains_string(reason))


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


@given('{count:d} messages with the priority {priority:d} were published to the queue "{queue}"')
@when('{count:d} messages with the priority {priority:d} are published to the queue "{queue}"')
def messages_are_published_with_priority(
    context: Context, count: int, priority: int, queue: str
) -> None:
    """The same; the higher the number, the more urgent they are."""
    rabbit_of(context).publish(queue, count, priority=priority)


@when("their time to live is over")
def time_to_live_is_over(context: Context) -> None:
    """That of the messages which were published last."""
    rabbit_of(context).outlive()


@when(
    '{count:d} messages for the queue "{queue}" are published to the exchange "{exchange}" with the routing key "{key}"'
)
def messages_are_published_to_exchange(
    context: Context, count: int, queue: str, exchange: str, key: str
) -> None:
    """The same; the exchange is to bring them to the queue."""
    rabbit_of(context).publish_through(exchange, key, queue, count)


@when(
    'messages of {size:d} kB are published to the queue "{queue}" until the broker blocks their publisher'
)
def publish_until_blocked(context: Context, size: int, queue: str) -> None:
    """Each confirmed before the next, by a new publisher, until the broker says that it is blocked."""
    rabbit_of(context).publish_until_blocked(queue, size)


@when(
    'messages are published to and consumed from the queue "{queue}" while its leader {fault:Fault}'
)
@needs_by(lambda queue, fault: to_break("rabbitmq", fault))
def pass_while_leader_is_broken(context: Context, queue: str, fault: str) -> None:
    """Goes on before, while and after that node is broken; clients are connected to the others."""
    rabbit = rabbit_of(context)
    leader = rabbit.leader(queue)
    broken = Faults(context.session, "rabbitmq").fault(fault, leader)
    rabbit.passing(queue, without=leader).through(broken)


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


@then("{count:d} messages are refused by the broker")
def messages_are_refused(context: Context, count: int) -> None:
    """Of those that were published last it has answered so many with nack, instead of a confirm."""
    sent = rabbit_of(context).sent
    assert_that(sent, has_property("failed", count), str(sent))
    assert_that(str(sent), contains_string("nack"))


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


@given('consumer "{name}" declares and consumes the exclusive queue "{queue}"')
@needs("rabbitmq")
def consumer_alone(context: Context, name: str, queue: str) -> None:
    """The same; the queue belongs to its connection."""
    rabbit_of(context).join_alone(name, queue)


@when('consumer "{name}" leaves')
def consumer_leaves(context: Context, name: str) -> None:
    """It closes its connection."""
    rabbit_of(context).leave(name)


@then('within {limit:Seconds} consumer "{name}" is told that it is cancelled')
def consumer_is_cancelled(context: Context, limit: float, name: str) -> None:
    """The broker sends it word; it need not find out by waiting."""
    rabbit_of(context).wait_cancelled(name, context.session.scaled(limit))


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
    trail = [{"queue": queue, "reason": reason, "count": "1"}]
    wrong = rabbit_of(context).deaths_wrong(queue, trail)
    assert_that(wrong, no_deviations(), "dead letters with another reason")


@then('each dead letter of the queue "{queue}" tells these deaths')
def dead_letters_tell(context: Context, queue: str) -> None:
    """Its header `x-death` has exactly these, the last one first; columns as of the table's headings."""
    wrong = rabbit_of(context).deaths_wrong(queue, records(context.table, DEATH))
    assert_that(wrong, no_deviations(), "dead letters with other deaths")


@then('the last {count:d} messages of consumer "{name}" tell these deaths')
def messages_tell(context: Context, count: int, name: str) -> None:
    """The same of messages that came back to a queue."""
    wrong = rabbit_of(context).last_deaths_wrong(name, count, records(context.table, DEATH))
    assert_that(wrong, no_deviations(), "messages with other deaths")


@then('the messages that expired in the queue "{queue}" are dropped')
def expired_are_dropped(context: Context, queue: str) -> None:
    """RabbitMQ drops what comes back to where it expired, if nobody has rejected it in between."""
    context.session.assert_history(rabbit_of(context).dropped(queue))
