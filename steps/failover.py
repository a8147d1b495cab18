"""Failover of a cluster's roles; who has one is found by an independent client each time."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import assert_that, equal_to, has_length

from stackproof import faults
from stackproof.faults.words import TIMES
from stackproof.services.kafka import KafkaFixture
from stackproof.session.needs import needs
from stackproof.session.premises import presume
from stackproof.session.scenario import Context


@given('a consumer of group "{group}" reads "{topic}" in the background')
@needs("kafka")
def consumer_in_background(context: Context, group: str, topic: str) -> None:
    """Receives and commits; goes on when it has had the first messages."""
    reading = faults.Group(context.session, context.session.use(KafkaFixture), topic, group)
    context.session.keep(faults.GROUP, reading)


@when("{role:Role} {ending:Ending} and recovers {times:Times}")
@needs("kafka", dedicated=True)
def broker_bounces(context: Context, role: str, ending: str, times: str) -> None:
    """Each time whoever has the role then.

    Another broker takes over, and producer and consumer in the background are served, both while
    the broker is away and when it is back.
    """
    failover = faults.Failover(
        context.session, context.session.kept(faults.TRAFFIC), context.session.kept(faults.GROUP)
    )
    breaking = context.session.use(faults.BrokerFaults)
    context.session.keep(faults.FAILOVER, failover).run(breaking, role, ending, times)
    presume(failover.bounces, has_length(TIMES[times]), "brokers that have ended")


@when('another consumer of group "{group}" takes over')
def another_consumer_takes_over(context: Context, group: str) -> None:
    """The one in the background closes; the next one goes on where the group has committed."""
    reading = context.session.kept(faults.GROUP)
    presume(reading.name, equal_to(group), "the group in the background")
    reading.take_over()


@then('group "{group}" has received every acknowledged message within {limit:Seconds}')
def group_was_handed_all(context: Context, group: str, limit: float) -> None:
    """It has committed everything; where a consumer took over, nothing is left out."""
    reading = context.session.kept(faults.GROUP)
    presume(reading.name, equal_to(group), "the group in the background")
    assert_that(reading.check(within=limit).figures.lost, equal_to(0), "messages lost")


@then("the report shows for how long producer and consumer were not served")
def outages_are_reported(context: Context) -> None:
    """For each bounce; `stackproof figures` shows it over all runs."""
    failover = context.session.kept(faults.FAILOVER)
    assert_that(failover.tell_outages(), has_length(len(failover.bounces)))
