"""RabbitMQ: queues, confirms, acknowledgements, redelivery, dead letters."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import (
    assert_that,
    contains_string,
    empty,
    equal_to,
    has_length,
    has_property,
    is_not,
)

from stackproof.faults.restarts import restart
from stackproof.services import rabbitmq
from stackproof.services.rabbitmq.known import BROKEN
from stackproof.session.matching import no_deviations
from stackproof.session.needs import needs
from stackproof.session.premises import presume
from stackproof.session.scenario import Context
from stackproof.vocabulary import SERVER_ENDINGS, THE_SAME


def rabbit_of(context: Context) -> rabbitmq.RabbitMQFixture:
    """The scenario's work with its RabbitMQ broker."""
    return context.session.use(rabbitmq.RabbitMQFixture)


@given("a RabbitMQ broker")
@needs("rabbitmq")
def a_rabbitmq_broker(context: Context) -> None:
    """A running RabbitMQ broker, shared with other scenarios."""
    assert_that(context.session.endpoint("rabbitmq").addresses, is_not(empty()))


@given("a RabbitMQ cluster of {count:d} nodes")
@needs("rabbitmq", nodes="{count}")
def a_rabbitmq_cluster(context: Context, count: int) -> None:
    """Each node sees the others; a queue lies on one of them, a quorum queue on a majority."""
    presume(context.session.endpoint("rabbitmq").addresses, has_length(count), "nodes")


@given('a queue "{queue}"')
@needs("rabbitmq")
def a_queue(context: Context, queue: str) -> None:
    """Declares a durable queue of the scenario's own."""
    rabbit_of(context).declare(queue)


@given('the queue "{queue}" with its dead letters in "{dead}"')
@needs("rabbitmq")
def a_queue_with_dead_letters(context: Context, queue: str, dead: str) -> None:
    """Declares a queue, a dead-letter exchange for it, and the queue that this fills."""
    rabbit_of(context).declare(queue, dead_letters=dead)


@given('an old queue "{queue}", from before the broker was last started')
@needs("rabbitmq", dedicated=True)
def an_old_queue(context: Context, queue: str) -> None:
    """Declares a queue, and restarts the scenario's own broker: the queue is on its disk.

    RabbitMQ 3.10 confirms a queue up to some seconds before it writes it down. A crash in
    between takes the queue with all that was confirmed in it.
    """
    rabbit_of(context).declare(queue)
    restart(context.session, "rabbitmq", "stop")


@given('{count:d} messages were sent to the queue "{queue}"')
@when('{count:d} messages are sent to the queue "{queue}"')
def messages_are_sent(context: Context, count: int, queue: str) -> None:
    """Publishes distinct persistent messages, each confirmed before the next."""
    rabbit_of(context).publish(queue, count)


@when('{count:d} messages, every third of them broken, are sent to the queue "{queue}"')
def messages_are_sent_some_broken(context: Context, count: int, queue: str) -> None:
    """Publishes messages of which a consumer has to refuse some."""
    rabbit_of(context).publish(queue, count, broken_every=3)


@when('{count:d} messages that expire after {ttl:Seconds} are sent to the queue "{queue}"')
def messages_are_sent_that_expire(context: Context, count: int, queue: str, ttl: float) -> None:
    """Publishes messages with a time to live of their own."""
    rabbit_of(context).publish(queue, count, expires_after=ttl)


@when('{count:d} messages for the queue "{queue}" are sent to "{key}", where no queue is')
def messages_go_nowhere(context: Context, count: int, queue: str, key: str) -> None:
    """Publishes by a routing key that leads to no queue."""
    rabbit_of(context).publish(queue, count, routing_key=key)


@then("all of them are confirmed")
def all_confirmed(context: Context) -> None:
    """Every message has a confirm; none was refused, none is without an answer."""
    sent = rabbit_of(context).sent
    assert_that((sent.failed, sent.unknown), equal_to((0, 0)), str(sent))
    assert_that(sent.ok, is_not(equal_to(0)), str(sent))


@then('{count:d} messages are returned: "{reason}"')
def messages_are_returned(context: Context, count: int, reason: str) -> None:
    """The broker gave back every message with this reason, and confirmed none as delivered."""
    sent = rabbit_of(context).sent
    assert_that(sent, has_property("failed", count), str(sent))
    assert_that(str(sent), contains_string(reason))


@then('the queue "{queue}" holds {count:d} messages that nobody was handed')
def queue_holds(context: Context, queue: str, count: int) -> None:
    """The broker counts that many messages as ready."""
    rabbit_of(context).wait_waiting(queue, count)


@then('the queue "{queue}" delivers every confirmed message once, unchanged and in order')
def queue_delivers_once(context: Context, queue: str) -> None:
    """A new consumer is handed each of them; afterwards nothing is left."""
    rabbit = rabbit_of(context)
    context.session.assert_history(rabbit.deliver_all(queue))


@when('a consumer of "{queue}" receives {count:d} messages and acknowledges {done:d} of them')
def consumer_receives(context: Context, queue: str, count: int, done: int) -> None:
    """A new consumer; the others stay unacknowledged."""
    rabbit_of(context).receive(queue, count, acknowledged=done)


@when("its connection is lost")
def connection_is_lost(context: Context) -> None:
    """The consumer's socket is cut without a farewell."""
    rabbit_of(context).lose_connection()


@when("it gives the others back")
def gives_others_back(context: Context) -> None:
    """The consumer refuses what it did not acknowledge: back to the queue."""
    rabbit_of(context).give_back()


@then('{who:Consumer} of "{queue}" receives exactly the others again, marked as redelivered')
def others_come_again(context: Context, who: str, queue: str) -> None:
    """What was not acknowledged comes once more, unchanged; nothing else does."""
    rabbit = rabbit_of(context)
    again = len(rabbit.pending)
    context.session.assert_history(rabbit.deliver_rest(queue, to_another=who != THE_SAME))
    assert_that(rabbit.handed_again(), equal_to(again), "messages delivered again")


@when('a consumer of "{queue}" rejects what is broken and acknowledges the others')
def consumer_judges(context: Context, queue: str) -> None:
    """A new consumer judges each message by its content."""
    rabbit_of(context).judge(queue)


@then('exactly the broken messages are in "{dead}" within {limit:Seconds}, "{reason}" by "{queue}"')
def broken_are_dead_letters(
    context: Context, dead: str, limit: float, reason: str, queue: str
) -> None:
    """Each broken message once, unchanged, with the header that tells why and from where."""
    rabbit = rabbit_of(context)
    rabbit.read_dead_letters(queue, dead, BROKEN, within=limit)
    assert_that(rabbit.deaths_wrong(queue, reason), no_deviations(), "wrong dead letters")


@then('all messages are in "{dead}" within {limit:Seconds}, "{reason}" in "{queue}"')
def all_are_dead_letters(
    context: Context, dead: str, limit: float, reason: str, queue: str
) -> None:
    """Each message once, unchanged, with the header that tells why and from where."""
    rabbit = rabbit_of(context)
    rabbit.read_dead_letters(queue, dead, None, within=limit)
    assert_that(rabbit.deaths_wrong(queue, reason), no_deviations(), "wrong dead letters")


@when('a consumer of "{queue}" that wants at most {prefetch:d} messages begins')
def consumer_with_prefetch(context: Context, queue: str, prefetch: int) -> None:
    """It is handed messages, and acknowledges none yet."""
    rabbit_of(context).consume(queue, prefetch=prefetch)


@when("it acknowledges {count:d} messages")
def it_acknowledges(context: Context, count: int) -> None:
    """The next ones of those that it is handed."""
    rabbit_of(context).acknowledge_next(count)


@then('it has been handed {handed:d} messages and the queue "{queue}" holds the other {left:d}')
def handed_and_left(context: Context, handed: int, queue: str, left: int) -> None:
    """The broker handed out as many as the consumer wants, and no more."""
    rabbit = rabbit_of(context)
    rabbit.wait_handed(handed)
    rabbit.wait_waiting(queue, left)
    assert_that(rabbit.consumer.take_what_comes(), equal_to(handed), "messages handed")


@when("the RabbitMQ broker {ending:Ending} and is started again")
@needs("rabbitmq", dedicated=True)
def broker_restarts(context: Context, ending: str) -> None:
    """Ends the scenario's own broker by SIGTERM or SIGKILL; starts it again on its data."""
    restart(context.session, "rabbitmq", SERVER_ENDINGS[ending])
