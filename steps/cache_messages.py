"""Redis for messages: channels that are subscribed to, and streams with consumer groups."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import assert_that, equal_to, greater_than
from hamcrest import less_than_or_equal_to as at_most

from stackproof.services import redis
from stackproof.session.measuring import Rounds
from stackproof.session.needs import needs
from stackproof.session.scenario import Context, Kept

STREAM: Kept[redis.Stream] = Kept("a stream", 'the stream "orders" with the group "billing"')


def channels(context: Context) -> redis.Channels:
    """The scenario's subscribers."""
    return context.session.use(redis.Channels)


# -- channels --------------------------------------------------------------------
@given("a Redis server that disconnects subscribers who are {megabytes:d} MB behind")
@needs("redis", config=(("client-output-buffer-limit", "pubsub 1mb 0 0"),))
def a_strict_server(context: Context, megabytes: int) -> None:
    """By client-output-buffer-limit."""
    limit = redis_of(context).client.config_get("client-output-buffer-limit")
    assert_that(str(limit).count(f"pubsub {megabytes * 1048576} 0 0"), equal_to(1), str(limit))


def redis_of(context: Context) -> redis.RedisFixture:
    """The scenario's work with its Redis server."""
    return context.session.use(redis.RedisFixture)


@given('"{name}" subscribes to the channel "{channel}"')
@when('"{name}" subscribes to the channel "{channel}"')
def subscribes(context: Context, name: str, channel: str) -> None:
    """SUBSCRIBE, confirmed by the server."""
    channels(context).subscribe(name, channel)


@given('"{name}" subscribes to the channels "{pattern}"')
def subscribes_to_pattern(context: Context, name: str, pattern: str) -> None:
    """PSUBSCRIBE: * stands for anything, ? for one character."""
    channels(context).subscribe(name, pattern, pattern=True)


@given('"{name}" subscribes to the channel "{channel}" and reads nothing')
def subscribes_and_stalls(context: Context, name: str, channel: str) -> None:
    """What it is sent waits on the server."""
    channels(context).subscribe(name, channel, reads=False)


@when('{count:d} messages are published to the channel "{channel}"')
def messages_are_published(context: Context, count: int, channel: str) -> None:
    """PUBLISH, one after the other."""
    channels(context).publish(channel, count)


@when(
    'messages of {kilobytes:d} kilobytes are published to the channel "{channel}" until a subscriber is disconnected'
)
def published_until_disconnected(context: Context, kilobytes: int, channel: str) -> None:
    """PUBLISH tells how many subscribers it has reached."""
    channels(context).publish_until_disconnected(channel, kilobytes)


@then('"{name}" finds its connection closed within {limit:Seconds}')
def finds_out(context: Context, name: str, limit: float) -> None:
    """As soon as it reads again: it knows that it has missed something."""
    told = channels(context).is_told(name, context.session.scaled(limit))
    assert_that(told, equal_to(True), f"{name} finds its connection closed")


@then(
    '"{name}" receives what was published since it subscribed within {limit:Seconds}, once and in order'
)
def receives_all(context: Context, name: str, limit: float) -> None:
    """Nothing from before, nothing of other channels, nothing twice."""
    expected = channels(context).received(name, context.session.scaled(limit))
    context.session.assert_history(expected)


@when(
    '{count:d} messages are published to the channel "{channel}", each when the one before was received'
)
def delivery_is_measured(context: Context, count: int, channel: str) -> None:
    """Measures from the call of PUBLISH until the subscriber has it."""
    context.session.use(Rounds).begin(channels(context).measure, channel, count)


# -- streams ---------------------------------------------------------------------
@given('the stream "{name}" with the group "{group}"')
@given('the stream "{name}" with the groups "{group}" and "{other}"')
@needs("redis")
def a_stream(context: Context, name: str, group: str, other: str = "") -> None:
    """A new one; each group begins with its first entry."""
    stream = context.session.keep(STREAM, context.session.use(redis.Stream, name))
    stream.make_groups(group, *filter(None, [other]))
    assert_that(stream.pending(), equal_to(0), "entries pending")


@when("{count:d} entries are added to the stream")
def entries_are_added(context: Context, count: int) -> None:
    """XADD, one after the other."""
    context.session.kept(STREAM).add(count)


@when("{count:d} entries are added to the stream, which keeps {most:d}")
def entries_are_added_and_trimmed(context: Context, count: int, most: int) -> None:
    """XADD with MAXLEN, one after the other."""
    context.session.kept(STREAM).add(count, most=most)


@when("a consumer reads {count:d} entries and dies")
def consumer_dies(context: Context, count: int) -> None:
    """It has acknowledged none of them."""
    context.session.kept(STREAM).die(count)


@then("{count:d} entries of the stream are pending")
def entries_are_pending(context: Context, count: int) -> None:
    """Handed out and not acknowledged, in the server's own words."""
    assert_that(context.session.kept(STREAM).pending(), equal_to(count), "entries pending")


@when("{consumers:d} consumers claim at once what has been pending for {idle:Seconds}")
def entries_are_claimed(context: Context, consumers: int, idle: float) -> None:
    """XPENDING and XCLAIM, again and again until nothing is pending; they acknowledge all."""
    claim(context, consumers, idle, auto=False)


@when("{consumers:d} consumers auto-claim at once what has been pending for {idle:Seconds}")
def entries_are_auto_claimed(context: Context, consumers: int, idle: float) -> None:
    """XAUTOCLAIM, again and again until nothing is pending; they acknowledge what they get."""
    claim(context, consumers, idle, auto=True)


def claim(context: Context, consumers: int, idle: float, *, auto: bool) -> None:
    """Have consumers claim until nothing is pending."""
    within, idle = context.session.scaled(30.0), context.session.scaled(idle)
    handed = context.session.kept(STREAM).claim(consumers, idle, within, auto=auto)
    assert_that(handed, greater_than(0), "entries claimed")


@when("{consumers:d} consumers read and acknowledge the stream")
@when('{consumers:d} consumers of the group "{group}" read and acknowledge the stream')
def entries_are_consumed(context: Context, consumers: int, group: str = "") -> None:
    """Side by side, until every entry was acknowledged."""
    context.session.kept(STREAM).consume(consumers, context.session.scaled(30.0), group)


@then("each entry was handed to one consumer, and is handed on only from one that died")
@then('each entry was handed to one consumer of the group "{group}"')
def entries_went_once(context: Context, group: str = "") -> None:
    """None is lost, altered or handed to two; none is pending."""
    stream = context.session.kept(STREAM)
    context.session.assert_flow(stream.expected(group))
    assert_that(stream.pending(group), equal_to(0), "entries pending")


@when("the stream is trimmed to {count:d} entries")
def stream_is_trimmed(context: Context, count: int) -> None:
    """XTRIM with MAXLEN."""
    context.session.kept(STREAM).trim(count)


@when("the stream is trimmed to about {count:d} entries")
def stream_is_trimmed_about(context: Context, count: int) -> None:
    """XTRIM with MAXLEN ~: whole nodes of entries go, so that some more stay."""
    context.session.kept(STREAM).trim(count, about=True)


@then("the stream has its latest {count:d} entries, and no older ones")
@then("the stream has its latest {count:d} entries, and at most {older:d} older ones")
def stream_has_latest(context: Context, count: int, older: int = 0) -> None:
    """All entries are read: by their IDs, in order and unchanged."""
    expected, found = context.session.kept(STREAM).latest(count)
    context.session.assert_flow(expected)
    assert_that(found, at_most(older), "older entries")


@when("{count:d} entries are added in pipelines, read and acknowledged")
def stream_is_measured(context: Context, count: int) -> None:
    """A thousand at a time; both ways are measured."""
    context.session.use(Rounds).begin(context.session.kept(STREAM).measure, count)
