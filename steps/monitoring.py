"""Monitoring: metrics that are pushed and scraped, queries, alerts."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import assert_that, equal_to

from stackproof import systems
from stackproof.paths import beside
from stackproof.services import alertmanager, node_exporter, prometheus, pushgateway
from stackproof.services.exposition import COLUMNS, labels_of
from stackproof.services.prometheus.export import lines_of, points
from stackproof.services.prometheus.known import ALERTS, POINTS, QUERIES, TOLD, VALUES
from stackproof.session.needs import needs
from stackproof.session.scenario import Context
from stackproof.session.tables import records
from stackproof.settings import SystemSettings
from stackproof.vocabulary import Span


# -- pushing -------------------------------------------------------------------
def pushes_of(context: Context) -> pushgateway.PushFixture:
    """The scenario's work with its Pushgateway."""
    return context.session.use(pushgateway.PushFixture)


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


# -- scraping and asking -------------------------------------------------------
def prometheus_of(context: Context) -> prometheus.PrometheusFixture:
    """The scenario's work with its Prometheus."""
    return context.session.use(prometheus.PrometheusFixture)


def host_of(context: Context) -> node_exporter.HostFixture:
    """The machine as a node exporter sees it."""
    return context.session.use(node_exporter.HostFixture)


@given("a Pushgateway that Prometheus scrapes")
@needs("pushgateway")
@needs("prometheus")
def prometheus_scrapes_gateway(context: Context) -> None:
    """A running Pushgateway, and a Prometheus that has scraped it, both shared with other scenarios."""
    prometheus_of(context).scrape_gateway(pushes_of(context).address)


@given('Prometheus scrapes the {system:System} as the job "{job}"')
@needs("prometheus")
def prometheus_scrapes_system(context: Context, system: SystemSettings, job: str) -> None:
    """Prometheus has scraped each instance that runs, at the address in the system's section `metrics`."""
    instances = context.session.use(systems.Systems).program(system).instances
    prometheus_of(context).scrape(instances.metrics(), job)


@given("Prometheus scrapes a node exporter on this machine")
@needs("prometheus")
@needs("node_exporter")
def prometheus_scrapes_host(context: Context) -> None:
    """Prometheus has scraped a node exporter, which tells of the machine on which the suite runs; its job is "host"."""
    prometheus_of(context).scrape([host_of(context).url], "host")


@then(
    "within {limit:Seconds} the metrics of processors, memory, disks and network are those of the kernel"
)
@needs("node_exporter")
def host_agrees(context: Context, limit: float) -> None:
    """What Prometheus has of this machine lies between two readings of the kernel's own counters."""
    host_of(context).agree(prometheus_of(context).value, limit)


@then("within {limit:Seconds} Prometheus has the last push of every job, unchanged")
def prometheus_has_the_last_push(context: Context, limit: float) -> None:
    """Each metric has the series, labels and values of its last push; it never had others than were pushed."""
    scraped = pushes_of(context).reach(prometheus_of(context).jobs, limit)
    context.session.assert_history(scraped)


@then("within {limit:Seconds} these queries answer")
@needs("prometheus")
def these_queries_answer(context: Context, limit: float) -> None:
    """All queries (PromQL) answer at once what the table says (query, is): a number, "> 5", "< 5", "nothing"."""
    prometheus_of(context).answers(records(context.table, QUERIES), limit)


@then('within {limit:Seconds} the query "{query}" returns exactly these series')
@needs("prometheus")
def query_tells(context: Context, limit: float, query: str) -> None:
    """Labels and value of each series are those of the table (labels, is), and there is no other."""
    prometheus_of(context).tells(query, records(context.table, TOLD), limit)


@given('an application "{job}" has had these values, every {every:Seconds} until now')
@needs("prometheus")
def application_has_had(context: Context, job: str, every: float) -> None:
    """Writes series of the past (metric, labels, values); queries are asked as of the last value."""
    prometheus_of(context).write(job, records(context.table, VALUES), every)


@then("every value can be read back at its time")
def values_can_be_read_back(context: Context) -> None:
    """Each value that was written is what a query at its time tells."""
    context.session.assert_history(prometheus_of(context).read_back())


@when('the query "{query}" is exported over the last {over:Seconds}, every {every:Seconds}')
@needs("prometheus")
def query_is_exported(context: Context, query: str, over: float, every: float) -> None:
    """Makes CSV, JSON and a picture of what a range query tells."""
    prometheus_of(context).export(query, over, every)


@then("the exported CSV and JSON have exactly these rows")
def exports_have_rows(context: Context) -> None:
    """Both have the points of the table (seconds before the last value, labels, value), and no others."""
    wanted = points(records(context.table, POINTS))
    assert_that(prometheus_of(context).exported(), equal_to((wanted, wanted)))


@then("the exported picture shows {count:d} lines")
def picture_shows_lines(context: Context, count: int) -> None:
    """It is a picture with so many lines of different colours."""
    assert_that(lines_of(prometheus_of(context).picture), equal_to(count))


# -- alerts ----------------------------------------------------------------------
def alerts_of(context: Context) -> alertmanager.AlertFixture:
    """The scenario's work with its Alertmanager."""
    return context.session.use(alertmanager.AlertFixture)


@given('a Prometheus that evaluates the rules of "{file}"')
@needs("prometheus", dedicated=True)
def prometheus_evaluates(context: Context, file: str) -> None:
    """A Prometheus of the scenario's own with rules from a file beside the feature, in which jobs are called as here."""
    prometheus_of(context).evaluate(beside(context.feature.filename, file))


@given('Prometheus sends its alerts to an Alertmanager with the routes of "{file}"')
@needs("prometheus", dedicated=True)
@needs("alertmanager", dedicated=True)
@needs("mailpit")
def prometheus_sends_alerts(context: Context, file: str) -> None:
    """An Alertmanager of the scenario's own with a configuration from a file beside the feature; {smtp} is the mail server."""
    smtp = context.session.endpoint("mailpit").at("server")
    alerts_of(context).route(beside(context.feature.filename, file), smtp)
    prometheus_of(context).send_alerts_to(alerts_of(context).address)


@then('{span:Span} the alert "{name}" fires for exactly these series')
def alert_fires(context: Context, span: Span, name: str) -> None:
    """The alert fires for the series of the table (labels) and for no other."""
    rows = records(context.table, ALERTS)
    prometheus_of(context).fires(name, rows, span.seconds, throughout=span.throughout)


@then('{span:Span} the alert "{name}" does not fire')
def alert_does_not_fire(context: Context, span: Span, name: str) -> None:
    """No series has this alert; within: not any more, for: not once in this time."""
    prometheus_of(context).fires(name, [], span.seconds, throughout=span.throughout)


@when('alerts with the labels "{labels}" are silenced')
@needs("alertmanager")
def alerts_are_silenced(context: Context, labels: str) -> None:
    """Alerts with these labels reach nobody until the silence ends."""
    alerts_of(context).silence(labels_of(labels))


@when("the silence ends")
@needs("alertmanager")
def silence_ends(context: Context) -> None:
    """Ends what the scenario has silenced."""
    alerts_of(context).unsilence()
