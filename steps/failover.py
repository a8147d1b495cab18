"""Failover of a cluster's roles; who has one is found by an independent client each time."""

from behave import register_type, then, when
from hamcrest import assert_that, equal_to, greater_than, has_length

from stackproof import faults
from stackproof.faults.words import TIMES
from stackproof.session.needs import needs
from stackproof.session.premises import presume
from stackproof.session.words import TYPES
from stackproof.session.words_of_faults import FAULT_TYPES

register_type(**TYPES, **FAULT_TYPES)


@when(
    'messages of {producer:Producer} keep arriving in "{topic}" '
    "while {role:Role} {ending:Ending} {times:Times}"
)
@needs("kafka", dedicated=True)
def messages_while_failing_over(context, producer, topic, role, ending, times):
    """Publishes, with acks=all, and a group consumes while whoever has the role is bounced.

    A client proves each time that the broker is away and that another one took over.
    """
    failover = faults.Failover(context.session, topic, producer)
    context.session.faults.keep_failover(failover).run(role, ending, times)
    presume(failover.bounces, has_length(TIMES[times]), "brokers that have ended")


@then("the final drain finds every message, in order, stored {promise:Promise}")
def final_drain_finds_everything(context, promise):
    """A fresh consumer reads the whole topic: nothing acknowledged is lost, or out of order."""
    verdict = context.session.faults.failover.check_stored(promise)
    assert_that(verdict.figures.arrived, greater_than(0))


@then("the consuming group has been handed all of them within {limit:Seconds}")
def group_was_handed_all(context, limit):
    """It has committed everything; where a member took over from another, nothing is left out."""
    verdict = context.session.faults.failover.check_consumed(within=limit)
    assert_that(verdict.figures.lost, equal_to(0))


@then("the time without service is kept")
def time_without_service_is_kept(context):
    """For each bounce, of producer and group; `stackproof figures` shows it over all runs."""
    failover = context.session.faults.failover
    assert_that(failover.tell_outages(), has_length(len(failover.bounces)))
