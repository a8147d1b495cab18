"""Metrics under test: counters, top lists, measurements by time."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import assert_that, empty, equal_to, is_not

from stackproof import systems
from stackproof.session.matching import no_deviations
from stackproof.session.scenario import Context, Kept

ANSWERS = Kept[list[int]](
    "increments", '8 clients each increment the counter "visits" 50 times at once'
)


def metrics(context: Context) -> systems.MetricsStore:
    """The store of metrics under test."""
    return context.session.use(systems.MetricsStore)


@given("the metrics-store is running")
def store_is_running(context: Context) -> None:
    """Starts the component `[systems.metrics-store]` in two processes."""
    metrics(context).run()


@when('{clients:d} clients each increment the counter "{name}" {each:d} times at once')
def clients_increment(context: Context, clients: int, name: str, each: int) -> None:
    """Side by side, in both processes."""
    context.session.keep(ANSWERS, metrics(context).increment(name, clients, each))


@then("the increments were answered by 1 to {count:d}, each once")
def answers_are_unique(context: Context, count: int) -> None:
    """None is lost, and none counts twice."""
    assert_that(context.session.kept(ANSWERS), equal_to(list(range(1, count + 1))))


@when('{clients:d} clients each give points {each:d} times in the top list "{name}" at once')
def clients_score(context: Context, clients: int, each: int, name: str) -> None:
    """To members that are chosen at random."""
    metrics(context).score(name, clients, each)


@then('the first {count:d} of the top list "{name}" have the most points, in order')
def top_is_right(context: Context, count: int, name: str) -> None:
    """As they are when the points are added up beside it."""
    assert_that(metrics(context).misplaced(name, count), no_deviations(), "the top list")


@when('a measurement for each of {count:d} seconds is kept in "{name}", in any order')
def measurements_are_kept(context: Context, count: int, name: str) -> None:
    """Some values are equal."""
    metrics(context).measure(name, count)


@when('measurements of "{name}" from before second {second:d} are dropped')
def measurements_are_dropped(context: Context, name: str, second: int) -> None:
    """By their time alone."""
    metrics(context).drop_before(name, second)


@then('"{name}" has the measurements of the seconds {first:d} to {last:d}, in order')
def measurements_are_there(context: Context, name: str, first: int, last: int) -> None:
    """Those of this time that were not dropped, and no others."""
    found, wanted = metrics(context).between(name, first, last)
    assert_that(wanted, is_not(empty()))
    assert_that(found, equal_to(wanted))
