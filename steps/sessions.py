"""Sessions under test: created, renewed, ended, updated by many."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import equal_to

from stackproof import systems
from stackproof.session.premises import presume
from stackproof.session.scenario import Context


def sessions(context: Context) -> systems.SessionStore:
    """The store of sessions under test."""
    return context.session.use(systems.SessionStore)


@given("the session-store is running with sessions of {ttl:Seconds}")
def store_is_running(context: Context, ttl: float) -> None:
    """Starts the component `[systems.session-store]` in two processes."""
    sessions(context).run(ttl)


@given('the session "{name}" was created')
def session_was_created(context: Context, name: str) -> None:
    """A session of the scenario's own."""
    presume(sessions(context).create(name), equal_to(True), "the session is created")


@when('the session "{name}" is renewed for {seconds:Seconds}')
def session_is_renewed(context: Context, name: str, seconds: float) -> None:
    """Again and again, at least four times a second."""
    sessions(context).renew_for(name, seconds)


@when('{clients:d} clients update the session "{name}" until {count:d} updates are accepted')
def clients_update(context: Context, clients: int, name: str, count: int) -> None:
    """Each reads it, and changes what it has read; an update that comes too late is refused."""
    sessions(context).update_together(name, clients, count)


@then('the session "{name}" ends when its time is over, at most {late:Seconds} later')
def session_ends(context: Context, name: str, late: float) -> None:
    """Counted from its creation or its last renewal: not earlier, either."""
    late = context.session.scaled(late)
    context.session.assert_history(sessions(context).watch_life(name, late))


@then("no accepted update of a session is lost")
def no_update_is_lost(context: Context) -> None:
    """Each has changed what the one before had written."""
    context.session.assert_history(sessions(context).updates())
