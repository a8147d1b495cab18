"""Redis as a cache: keys, collections, batches, expiry."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import (
    assert_that,
    equal_to,
    greater_than,
    none,
)

from stackproof.services import redis
from stackproof.services.redis.known import Batching
from stackproof.session.matching import no_deviations
from stackproof.session.measuring import Rounds
from stackproof.session.scenario import Context


def redis_of(context: Context) -> redis.RedisFixture:
    """The scenario's work with its Redis server."""
    return context.session.use(redis.RedisFixture)


@given('the key "{key}" was set to "{value}"')
@when('the key "{key}" is set to "{value}"')
def key_is_set(context: Context, key: str, value: str) -> None:
    """Sets a key of the scenario's own, for ever."""
    redis_of(context).set(key, value)


@given('the key "{key}" was set for {ttl:Seconds}')
@when('the key "{key}" is set for {ttl:Seconds}')
def key_is_set_for(context: Context, key: str, ttl: float) -> None:
    """Sets a key with a time to live."""
    redis_of(context).set(key, "for a while", ttl=ttl)


@when('the key "{key}" is deleted')
def key_is_deleted(context: Context, key: str) -> None:
    """Deletes a key that is there."""
    assert_that(redis_of(context).delete(key), equal_to(True), "there was such a key")


@when('the time to live of the key "{key}" is changed to {ttl:Seconds}')
def time_to_live_is_changed(context: Context, key: str, ttl: float) -> None:
    """EXPIRE on a key that is there."""
    assert_that(redis_of(context).expire(key, ttl), equal_to(True), "there was such a key")


@then('the key "{key}" holds "{value}"')
def key_holds(context: Context, key: str, value: str) -> None:
    """GET returns this value, the last one that was written."""
    assert_that(redis_of(context).get(key), equal_to(value))
    context.session.assert_history(redis_of(context).expected())


@then('the key "{key}" is not there')
def key_is_not_there(context: Context, key: str) -> None:
    """GET returns nothing, and EXISTS knows nothing of it."""
    found = redis_of(context)
    assert_that(found.get(key), none())
    assert_that(found.exists(key), equal_to(False), "the key exists")
    context.session.assert_history(found.expected())


@then('the key "{key}" has no time to live')
def key_lives_for_ever(context: Context, key: str) -> None:
    """It is there, and stays."""
    assert_that(redis_of(context).time_to_live(key), equal_to(-1), "time to live")


@then('the key "{key}" is there for {ttl:Seconds} and gone at most {late:Seconds} later')
def key_is_there_for(context: Context, key: str, ttl: float, late: float) -> None:
    """Watched from now on: there until its time to live is over, gone soon after it."""
    late = context.session.scaled(late)
    found = redis_of(context)
    times_there = found.watch_life(key, ttl, late=late)
    context.session.assert_history(found.expected(late=late))
    assert_that(times_there, greater_than(0), "times that the key was there")


@when('a {kind:Collection} of {count:d} entries is written to the key "{key}"')
def collection_is_written(context: Context, kind: str, count: int, key: str) -> None:
    """Writes entries with every byte in them, in one command."""
    redis_of(context).write_collection(kind, key, count)


@then('the key "{key}" holds exactly the {kind:Collection} that was written')
def collection_is_exact(context: Context, key: str, kind: str) -> None:
    """Type, entries, and order where the type has one."""
    differences = redis_of(context).collection_differences(kind, key)
    assert_that(differences, no_deviations(), "entries that differ")


@when("{count:d} values are written {way:Batching}")
def values_are_written(context: Context, count: int, way: Batching) -> None:
    """Writes distinct values under keys of their own."""
    redis_of(context).write_plain(count, way)


@when(
    "{count:d} vectors of {dimensions:d} dimensions are cached, with NaN, infinite, denormal and negative zero values"
)
def vectors_are_cached(context: Context, count: int, dimensions: int) -> None:
    """Vectors of float32 with payloads of NaN, denormal numbers, infinity and minus zero."""
    redis_of(context).write_vectors(count, dimensions)


@then("every value that was written is read back {way:Batching}, byte for byte")
def values_are_read_back(context: Context, way: Batching) -> None:
    """Every acknowledged value is found once under its key, unchanged."""
    context.session.assert_history(redis_of(context).read_back(way))


@when('the counter "{key}" is incremented {count:d} times in one pipeline')
def counter_is_increased(context: Context, key: str, count: int) -> None:
    """Sends that many INCR before the first answer is read."""
    redis_of(context).count_in_pipeline(key, count)


@then("the answers of the pipeline are 1 to {count:d}, in order")
def answers_count(context: Context, count: int) -> None:
    """Each command has its own answer."""
    assert_that(redis_of(context).answers, equal_to(list(range(1, count + 1))))


@when("{count:d} values of {size:d} bytes are set and got, one after the other")
def set_and_get_are_measured(context: Context, count: int, size: int) -> None:
    """Measures each SET and each GET as the client sees it."""
    context.session.use(Rounds).begin(redis_of(context).measure, count, size)


@when("{count:d} operations on keys, hashes and lists are done, one after the other")
def operations_are_measured(context: Context, count: int) -> None:
    """Eight kinds of them in turn, each as the client sees it."""
    context.session.use(Rounds).begin(redis_of(context).measure_mixed, count)
