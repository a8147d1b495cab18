"""Two regions with a mirror between them."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import (
    assert_that,
    equal_to,
    greater_than_or_equal_to,
    less_than,
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


@obtains(MIRROR)
@given('a topic "{topic}" whose first {count:d} messages are deleted, mirrored for group "{group}"')
def mirrored_topic(context: Context, topic: str, count: int, group: str) -> None:
    """The same record has another offset on the other side: offsets must be translated."""
    regions_of(context).prepare(topic, count)
    regions_of(context).start(group)


@when("{count:d} messages are published in the first region")
@when("{count:d} more messages are published in the first region and mirrored")
def published_here(context: Context, count: int) -> None:
    """Publishes, and waits until all is in the other region, once, unchanged and in order."""
    context.session.use(Rounds).begin(regions_of(context).mirror, count)


@then("the other region holds each of them once, unchanged and in order")
def held_there(context: Context) -> None:
    """A reader from the beginning finds exactly what was published."""
    context.session.assert_flow(regions_of(context).flow())


@then("half of them arrive there within {limit:Seconds} in the best of {rounds:d} rounds")
def lag_is_bounded(context: Context, limit: float, rounds: int) -> None:
    """The median of the lag; it is in the report with the greatest.

    A round that is fast enough is the last one; others wait for a quiet machine.
    """
    context.session.use(Rounds).judge(
        "the median of the lag",
        regions_of(context).median_lag,
        less_than(limit),
        rounds=rounds,
        told="{:.2f} s".format,
        before="500 messages are published in the first region",
    )


@when('a consumer of group "{group}" handles {count:d} messages in the first region')
def consumes_here(context: Context, group: str, count: int) -> None:
    """It receives and commits them, and leaves."""
    regions_of(context).consume_here(group, count)


@when('the offset of "{group}" is known in the other region within {limit:Seconds}')
def offset_translated(context: Context, group: str, limit: float) -> None:
    """The group has the translated offset there: the same record's, not the same number."""
    found, expected = regions_of(context).await_translated(group, within=limit)
    assert_that(found, equal_to(expected), "offset in the other region")


@when('the first region is lost and the consumer of "{group}" moves to the other one')
def region_is_lost(context: Context, group: str) -> None:
    """Kills the first region's brokers; a consumer of the group goes on in the other region."""
    regions_of(context).lose_here()
    regions_of(context).consume_there(group)


@then("the consumer has missed nothing and received at most {count:d} messages twice")
def consumer_failed_over(context: Context, count: int) -> None:
    """Here and there together it has received everything."""
    assert_that(regions_of(context).missed(), no_deviations(), "missed messages")
    assert_that(regions_of(context).repeated(), less_than_or_equal_to(count))
