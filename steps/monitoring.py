"""Monitoring: metrics that are pushed and scraped, queries, alerts."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import assert_that, empty, is_not

from stackproof.services import pushgateway
from stackproof.services.exposition import COLUMNS
from stackproof.session.needs import needs
from stackproof.session.scenario import Context
from stackproof.session.tables import records


# -- pushing -------------------------------------------------------------------
def pushes_of(context: Context) -> pushgateway.PushFixture:
    """The scenario's work with its Pushgateway."""
    return context.session.use(pushgateway.PushFixture)


@given("a Pushgateway")
@needs("pushgateway")
def a_pushgateway(context: Context) -> None:
    """A running Pushgateway, shared with other scenarios."""
    assert_that(context.session.endpoint("pushgateway").addresses, is_not(empty()))


@when('the batch job "{job}" pushes these metrics')
def job_pushes(context: Context, job: str) -> None:
    """All that the job has: metric, type, labels, value, buckets; a histogram's value is all that it has observed."""
    pushes_of(context).push(job, records(context.table, COLUMNS))


@when('the batch job "{job}" adds these metrics')
def job_adds(context: Context, job: str) -> None:
    """The same, but what it has pushed before under other names stays."""
    pushes_of(context).push(job, records(context.table, COLUMNS), replace=False)


@when('the metrics of the batch job "{job}" are deleted')
def metrics_are_deleted(context: Context, job: str) -> None:
    """Deletes the job's group."""
    pushes_of(context).delete(job)


@then("the gateway has the last push of every job, unchanged")
def gateway_has_the_last_push(context: Context) -> None:
    """Each metric has the series and values of its last push; replaced and deleted ones are gone."""
    context.session.assert_history(pushes_of(context).read())
