"""A cache in front of an origin: loads, updates, stale values, errors."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import assert_that, empty, equal_to, none

from stackproof import systems
from stackproof.session.matching import no_deviations
from stackproof.session.scenario import Context


def cache(context: Context) -> systems.CacheAside:
    """The cache under test, and the origin behind it."""
    return context.session.use(systems.CacheAside)


@given("an origin with {count:Customers}")
def an_origin(context: Context, count: int) -> None:
    """A stub of somebody's service; what is read of it is counted. Customers 1, 2, and so on."""
    cache(context).fill_origin(count)


@given('customer {number:d} has the value "{value}" at the origin')
def customer_has_value(context: Context, number: int, value: str) -> None:
    """Exactly this text; "empty" is the text of no characters."""
    cache(context).change_at_origin(number, "" if value == "empty" else value)


@given("the cache-aside is running")
def cache_is_running(context: Context) -> None:
    """Starts the component `[systems.cache-aside]` of stackproof.toml."""
    cache(context).run()


@given("the cache-aside was restarted with a time to live of {ttl:Seconds}")
def cache_is_running_with_ttl(context: Context, ttl: float) -> None:
    """What it keeps it keeps for so long (its option `ttl`)."""
    cache(context).run(ttl=ttl)


@given("the origin takes {delay:Seconds} to answer")
def origin_is_slow(context: Context, delay: float) -> None:
    """From the moment at which it reads a customer to its answer."""
    cache(context).origin.delay = delay


@given("the origin is down")
def origin_is_down(context: Context) -> None:
    """It answers everything by an error (503)."""
    cache(context).origin.down = True


@when("the origin is up again")
def origin_is_up(context: Context) -> None:
    """It answers as before."""
    cache(context).origin.down = False


@given("customer {number:d} was read")
@when("customer {number:d} is read")
def customer_is_read(context: Context, number: int) -> None:
    """Reads it through the cache; an error is for a Then."""
    cache(context).try_to_read(number)


@when("each customer is read {times:d} times")
def customers_are_read(context: Context, times: int) -> None:
    """Reads all of them through the cache, one reading after the other."""
    cache(context).read_all(times)


@when("{clients:d} clients read customer {number:d} at the same moment")
def clients_read_at_once(context: Context, clients: int, number: int) -> None:
    """All of them begin before the origin has answered anybody."""
    cache(context).read_together(number, clients)


@when("a client begins to read customer {number:d}")
def client_begins_to_read(context: Context, number: int) -> None:
    """Goes on as soon as the origin has been asked for the customer."""
    cache(context).begin_reading(number)


@when("customer {number:d} is added")
@when("customer {number:d} is updated")
def customer_is_updated(context: Context, number: int) -> None:
    """Gives it another value through the cache."""
    cache(context).update(number)


@when("customer {number:d} is changed at the origin alone")
def customer_is_changed(context: Context, number: int) -> None:
    """Gives it another value, of which the cache is not told."""
    cache(context).change_at_origin(number)


@when("customer {number:d} is updated {updates:d} times while {clients:d} clients read it")
def updated_while_read(context: Context, number: int, updates: int, clients: int) -> None:
    """Each client reads again and again; after each update it is read once more."""
    cache(context).update_while_reading(number, updates, clients)


@then("the origin was asked once for each customer that was read")
def origin_asked_once(context: Context) -> None:
    """Every other reading was served from the cache."""
    assert_that(cache(context).not_loaded_once(), no_deviations(), "how often it was asked")


@then("no stale value was read")
def no_stale_reading(context: Context) -> None:
    """Every value that was read had been written, and not replaced before the reading began."""
    context.session.assert_history(cache(context).expected())
    assert_that(cache(context).unserved, empty(), "readings that nobody served")


@then("reading customer {number:d} returns its latest value")
def latest_is_read(context: Context, number: int) -> None:
    """The first reading does, through the cache."""
    found = cache(context).read_latest(number)
    assert_that(found, equal_to(cache(context).latest(number)), f"customer {number}")


@then("reading customer {number:d} returns its latest value within {limit:Seconds}")
def latest_is_read_within(context: Context, number: int, limit: float) -> None:
    """Readings before that may return an older one."""
    found = cache(context).read_latest(number, within=context.session.scaled(limit))
    assert_that(found, equal_to(cache(context).latest(number)), f"customer {number}")


@then("reading customer {number:d} returns nothing")
def nothing_is_read(context: Context, number: int) -> None:
    """There is no such customer."""
    assert_that(cache(context).read(number), none(), f"customer {number}")


@then('the reading fails as "{kind}"')
def reading_fails(context: Context, kind: str) -> None:
    """The error that the last reading ended with, in the words of docs/components.md."""
    assert_that(cache(context).refused, equal_to(kind), "how the reading fails")
