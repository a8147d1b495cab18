"""Rate limiters under test: how many requests are permitted in a window of time."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import assert_that, equal_to

from stackproof import systems
from stackproof.session.scenario import Context


def limiter_of(context: Context) -> systems.RateLimiter:
    """The rate limiter under test."""
    return context.session.use(systems.RateLimiter)


@given("the {limiter:Limiter} is running with a limit of {limit:d} requests in {window:Seconds}")
def limiter_is_running(context: Context, limiter: str, limit: int, window: float) -> None:
    """Starts the component of that section of stackproof.toml in two processes."""
    limiter_of(context).limit(limiter, limit, window)


@when('{clients:d} clients make {each:d} requests each for "{key}" at the same moment')
def requests_at_once(context: Context, clients: int, each: int, key: str) -> None:
    """Each client makes its next request when the last one is answered."""
    limiter_of(context).ask_together(key, clients, each)


@when('{clients:d} clients make requests for "{key}" until {count:d} requests are permitted')
def requests_until(context: Context, clients: int, key: str, count: int) -> None:
    """All of them again and again, permitted or refused."""
    limiter_of(context).ask_until(key, clients, count)


@then('exactly {count:d} requests for "{key}" are permitted')
def exactly_permitted(context: Context, count: int, key: str) -> None:
    """Of all that were made; the others were refused."""
    permitted = limiter_of(context).permitted_of(key)
    assert_that(permitted, equal_to(count), f'permitted requests for "{key}"')


@then('a request for "{key}" is permitted within {limit:Seconds}')
def permitted_within(context: Context, key: str, limit: float) -> None:
    """Requests are made until one is."""
    permitted = limiter_of(context).permits_within(key, context.session.scaled(limit))
    assert_that(permitted, equal_to(True), f'a request for "{key}" is permitted')


@then("no window has more permitted requests than the limit, and none is refused below the limit")
def limit_is_exact(context: Context) -> None:
    """Of each key, in any window of time, whenever it begins."""
    context.session.assert_history(limiter_of(context).expected())
