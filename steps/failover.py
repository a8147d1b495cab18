"""Failover of a cluster's roles; who has one is found by an independent client each time."""

from __future__ import annotations

from behave import then, when
from hamcrest import assert_that, equal_to, greater_than, has_length

from stackproof import faults
from stackproof.faults.traffic import TRAFFIC
from stackproof.faults.words import TIMES
from stackproof.services.kafka import KafkaFixture
from stackproof.session.needs import needs
from stackproof.session.premises import presume
from stackproof.session.scenario import Context


@when(
    'messages of {producer:Producer} keep arriving in "{topic}" while {role:Role} {ending:Ending} {times:Times}'
)
@needs("kafka", dedicated=True)
def messages_while_failing_over(
    context: Context, producer: str, topic: str, role: str, ending: str, times: str
) -> None:
    """Publishes, with acks=all, and a group consumes while whoever has the role is bounced.

    A client proves each time that the broker is away and that another one took over.
    """
    kafka = context.session.use(KafkaFixture)
    failover = faults.Failover(context.session, kafka, topic, producer)
    context.session.keep(TRAFFIC, failover.traffic)
    context.session.keep(faults.FAILOVER, failover).run(role, ending, times)
    presume(failover.bounces, has_length(TIMES[times]), "brokers that have ended")


@then("the final drain finds every message, in order, stored {promise:Promise}")
def final_drain_finds_everything(context: Context, promise: str) -> None:
    """A fresh consumer reads the whole topic: nothing acknowledged is lost, or out of order."""
    verdict = context.session.kept(faults.FAILOVER).check_stored(promise)
    assert_that(verdict.figures.arrived, greater_than(0))


@then("the consuming group has been handed all of them within {limit:Seconds}")
def group_was_handed_all(context: Context, limit: float) -> None:
    """It has committed everything; where a member took over from another, nothing is left out."""
    verdict = context.session.kept(faults.FAILOVER).check_consumed(within=limit)
    assert_that(verdict.figures.lost, equal_to(0))


@then("the time without service is kept")
def time_without_service_is_kept(context: Context) -> None:
    """For each bounce, of producer and group; `stackproof figures` shows it over all runs."""
    failover = context.session.kept(faults.FAILOVER)
    assert_that(failover.tell_outages(), has_length(len(failover.bounces)))
