"""What only streams of vectors have: batches, computed numbers, who computed them."""

from __future__ import annotations

from behave import then, when
from hamcrest import (
    all_of,
    assert_that,
    greater_than_or_equal_to,
    has_length,
    only_contains,
)

from stackproof import systems
from stackproof.session.matching import no_deviations
from stackproof.session.scenario import Context


def numbers_of(context: Context) -> systems.Numbers:
    """The vectors of the system that was named last."""
    return context.session.use(systems.Numbers, context.session.use(systems.Systems).current)


@when("{count:d} messages of {vectors:d} vectors each are published")
def batches_are_published(context: Context, count: int, vectors: int) -> None:
    """Publishes messages of many vectors each; their size is in the report."""
    numbers_of(context).publish_batches(count, vectors)


@then("lengths and normalised vectors are right to single precision")
def numbers_are_right(context: Context) -> None:
    """Every computed number is within 2e-6 of what double precision gives."""
    assert_that(numbers_of(context).inexact(), no_deviations(), "inexact vectors")


@then("each of {count:d} instances has done at least {percent:d} % of the work")
def work_is_balanced(context: Context, count: int, percent: int) -> None:
    """The outputs name the instance that made them."""
    shares = numbers_of(context).shares_of_work()
    fair = only_contains(greater_than_or_equal_to(percent / 100))
    assert_that(shares, all_of(has_length(count), fair))
