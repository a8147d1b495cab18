"""A Redis that is full: what each policy evicts, and what is refused."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import assert_that, equal_to, greater_than_or_equal_to, less_than_or_equal_to

from stackproof.services import redis
from stackproof.session.needs import needs
from stackproof.session.premises import presume
from stackproof.session.scenario import Context


def redis_of(context: Context) -> redis.RedisFixture:
    """The scenario's work with its Redis server."""
    return context.session.use(redis.RedisFixture)


def eviction(context: Context) -> redis.Eviction:
    """What the scenario has evicted."""
    return context.session.use(redis.Eviction)


@given("a Redis server with {megabytes:d} MB for data and the policy {policy:Policy}")
@needs("redis", dedicated=True, max_memory_mb="{megabytes}", policy="{policy}")
def a_small_server(context: Context, megabytes: int, policy: str) -> None:
    """By maxmemory and maxmemory-policy."""
    told = redis_of(context).client.config_get("maxmemory*")
    found = int(told["maxmemory"]), told["maxmemory-policy"]
    presume(found, equal_to((megabytes * 1048576, policy)), "its limit and policy")


@when("it is filled until 150 of its first keys are evicted")
def it_is_filled(context: Context) -> None:
    """300 keys of each of two kinds come first, then others.

    Half of the first keys are what the policy is to keep: used two seconds later (LRU), used 20
    times (LFU), or expiring 95 minutes later (TTL). Under a volatile policy they have a time to
    live, 300 more have none, and nor have those that come later.
    """
    eviction(context).fill()


@then("at least {percent:d} % of these are the ones that it is to evict")
def evicts_the_right_ones(context: Context, percent: int) -> None:
    """Redis takes the best of a few samples; a random choice comes to 70 % once in 1.7 million times."""
    found = eviction(context)
    assert_that(found.of_the_other, greater_than_or_equal_to(percent), "% evicted rightly")
    assert_that(found.immortal, equal_to(0), "evicted without a time to live")


@then("these are of both kinds alike")
def evicts_at_random(context: Context) -> None:
    """As far from halves as a fair choice gets once in 1.7 million times, at most."""
    found = eviction(context)
    assert_that(found.unfairness, less_than_or_equal_to(1.0), "distance from halves")
    assert_that(found.immortal, equal_to(0), "evicted without a time to live")


@when(
    "{count:d} values of {kilobytes:d} kilobytes are written, more than the server has memory for"
)
def more_is_written(context: Context, count: int, kilobytes: int) -> None:
    """One by one; what is refused is recorded so."""
    redis.write_beyond(redis_of(context), count, kilobytes)


@then("a further value is refused because the memory is full")
def is_refused(context: Context) -> None:
    """The server says OOM; nothing else would be clear."""
    assert_that(redis.refuses(redis_of(context)), equal_to(True), "it is refused")


@then("every acknowledged value is there, byte for byte")
def acknowledged_values_are_there(context: Context) -> None:
    """And none that was refused."""
    context.session.assert_history(redis_of(context).read_back("one by one"))
