"""Two regions with a mirror between them."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import (
    assert_that,
    equal_to,
    greater_than_or_equal_to,
    less_than_or_equal_to,
)

from stackproof import systems
from stackproof.services.kafka.mirror import FAR, MIRROR
from stackproof.session.matching import no_deviations
from stackproof.session.measuring import Rounds
from stackproof.session.needs import needs, obtains
from stackproof.session.premises import presume
from stackproof.session.scenario import Context, Kept

REGIONS: Kept[systems.Regions] = Kept(
    "two regions", "two regions with 60 milliseconds between them"
)


def regions_of(context: Context) -> systems.Regions:
    """The scenario's two regions."""
    return context.session.kept(REGIONS)


#: So that arrivals in the other region are told by its broker's clock.
ARRIVAL = (("log.message.timestamp.type", "LogAppendTime"),)


@given("two regions with {milliseconds:d} milliseconds between them")
@needs("kafka", dedicated=True)
@needs("kafka", called=FAR, dedicated=True, proxied=True, config=ARRIVAL)
def two_regions(context: Context, milliseconds: int) -> None:
    """Two clusters; whoever asks the second one waits that long for each answer (measured)."""
    took = context.session.keep(REGIONS, systems.Regions(context.session)).delay(milliseconds)
    presume(took, greater_than_or_equal_to(milliseconds / 1000), "round trip in seconds")


@given('a topic "{topic}" in the first region, whose first {count:d} messages have been deleted')
def topic_in_region(context: Context, topic: str, count: int) -> None:
    """The same record will have another offset in the second region: offsets must be translated."""
    regions_of(context).prepare(topic, count)


@obtains(MIRROR)
@given('MirrorMaker copies the topic and the offsets of group "{group}" to the second region')
def mirror_is_running(context: Context, group: str) -> None:
    """Starts it, and waits until the topic is there."""
    regions_of(context).start(group)


@when("{count:d} messages are published in the first region and arrive in the second")
def published_here(context: Context, count: int) -> None:
    """Publishes, and waits until all are there, once, unchanged and in order."""
    context.session.use(Rounds).begin(regions_of(context).mirror, count)


@then("the second region holds exactly the messages of the first, in order")
def held_there(context: Context) -> None:
    """A reader from the beginning finds every message that was published once, unchanged."""
    context.session.assert_flow(regions_of(context).flow())


@when('a consumer of group "{group}" receives {count:d} messages in the first region and closes')
def consumes_here(context: Context, group: str, count: int) -> None:
    """It receives and commits them, and leaves the group."""
    regions_of(context).consume_here(group, count)


@when('the second region has the offset of group "{group}" within {limit:Seconds}')
def offset_translated(context: Context, group: str, limit: float) -> None:
    """The group has the translated offset there: the same record's, not the same number."""
    found, expected = regions_of(context).await_translated(group, within=limit)
    assert_that(found, equal_to(expected), "offset in the second region")


@when("all brokers of the first region crash")
def region_is_lost(context: Context) -> None:
    """A client finds that they are gone."""
    regions_of(context).lose_here()


@when('another consumer of group "{group}" receives the rest in the second region')
def consumes_there(context: Context, group: str) -> None:
    """It goes on at the group's offset there, until nothing is left."""
    regions_of(context).consume_there(group)


@then('group "{group}" has received every message, and at most {count:d} of them twice')
def group_failed_over(context: Context, group: str, count: int) -> None:
    """In both regions together."""
    assert_that(regions_of(context).missed(), no_deviations(), f"messages that {group} has missed")
    assert_that(regions_of(context).repeated(), less_than_or_equal_to(count))
