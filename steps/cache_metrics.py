"""Metrics kept in Redis: counters, top lists, measurements by time."""

from __future__ import annotations

from behave import then, when
from hamcrest import assert_that, empty, equal_to, is_not

from stackproof.services import redis
from stackproof.session.needs import needs
from stackproof.session.scenario import Context, Kept

ANSWERS = Kept[list[int]](
    "increments", '8 clients each increment the counter "visits" 50 times at once'
)


def counting(context: Context) -> redis.Counting:
    """What the scenario counts."""
    return context.session.use(redis.Counting)


@when('{clients:d} clients each increment the counter "{name}" {each:d} times at once')
@needs("redis")
def clients_increment(context: Context, clients: int, name: str, each: int) -> None:
    """INCR, each over a connection of its own."""
    context.session.keep(ANSWERS, counting(context).increment(name, clients, each))


@then("the increments were answered by 1 to {count:d}, each once")
def answers_are_unique(context: Context, count: int) -> None:
    """None is lost, and none counts twice."""
    assert_that(context.session.kept(ANSWERS), equal_to(list(range(1, count + 1))))


@when('{clients:d} clients each give points {each:d} times in the top list "{name}" at once')
@needs("redis")
def clients_score(context: Context, clients: int, each: int, name: str) -> None:
    """ZINCRBY, to members that are chosen at random."""
    counting(context).score(name, clients, each)


@then('the first {count:d} of the top list "{name}" have the most points, in order')
def top_is_right(context: Context, count: int, name: str) -> None:
    """As they are when the points are added up beside it."""
    found, wanted = counting(context).top(name, count)
    assert_that(found, equal_to(wanted))


@when('a measurement for each of {count:d} seconds is kept in "{name}", in any order')
@needs("redis")
def measurements_are_kept(context: Context, count: int, name: str) -> None:
    """ZADD with the second as score."""
    counting(context).measure(name, count)


@when('measurements of "{name}" from before second {second:d} are dropped')
def measurements_are_dropped(context: Context, name: str, second: int) -> None:
    """By their time alone."""
    counting(context).drop_before(name, second)


@then('"{name}" has the measurements of the seconds {first:d} to {last:d}, in order')
def measurements_are_there(context: Context, name: str, first: int, last: int) -> None:
    """Those of this time that were not dropped, and no others."""
    found, wanted = counting(context).between(name, first, last)
    assert_that(wanted, is_not(empty()))
    assert_that(found, equal_to(wanted))
