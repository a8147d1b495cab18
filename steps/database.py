"""PostgreSQL: tables of a scenario's own, transactions side by side, health."""

from __future__ import annotations

from behave import given, register_type, then, when
from hamcrest import (
    assert_that,
    contains_exactly,
    empty,
    equal_to,
    has_properties,
    is_not,
    less_than_or_equal_to,
)

from stackproof.services import postgresql
from stackproof.session.measuring import Rounds
from stackproof.session.needs import needs
from stackproof.session.scenario import Context
from stackproof.session.tables import rows_of
from stackproof.session.words import TYPES
from stackproof.session.words_of_stores import DATABASE

register_type(**TYPES, **DATABASE)


def database(context: Context) -> postgresql.Database:
    """The scenario's work with its PostgreSQL."""
    return context.session.use(postgresql.Database)


@given("a PostgreSQL server")
@needs("postgresql")
def a_postgresql_server(context: Context) -> None:
    """A running server, shared with other scenarios; each has a schema of its own."""
    assert_that(database(context).schema, is_not(empty()))


@given("a PostgreSQL server of its own")
@needs("postgresql", dedicated=True)
def a_postgresql_server_of_its_own(context: Context) -> None:
    """A running server that no other scenario uses."""
    assert_that(database(context).schema, is_not(empty()))


@given('the table "{table}" holds')
def table_holds(context: Context, table: str) -> None:
    """Creates a table with these rows; its first column is the primary key."""
    headings, rows = rows_of(context.table)
    database(context).seed(table, headings, rows)


@given('"{statement}" has been run')
def has_been_run(context: Context, statement: str) -> None:
    """Runs a statement and commits it."""
    database(context).run(statement)


@when('transaction "{name}" begins at {level:Isolation}')
def transaction_begins(context: Context, name: str, level: str) -> None:
    """Begins a transaction on a connection of its own."""
    database(context).begin(name, level)


@when('"{name}" runs "{statement}"')
def transaction_runs(context: Context, name: str, statement: str) -> None:
    """Runs a statement; goes on when it is done, refused, or waits for a lock."""
    database(context).transaction(name).run(statement)


@when('"{name}" commits')
def transaction_commits(context: Context, name: str) -> None:
    """Commits it; how that ends, a Then asks."""
    database(context).transaction(name).commit()


@when('"{name}" is rolled back')
def transaction_is_rolled_back(context: Context, name: str) -> None:
    """Undoes it."""
    database(context).transaction(name).roll_back()


@then('the table "{table}" is exactly')
def table_is_exactly(context: Context, table: str) -> None:
    """Its rows, ordered by the first column; an empty cell is NULL or an empty text."""
    headings, rows = rows_of(context.table)
    found = database(context).rows(table, headings)
    assert_that(found, contains_exactly(*rows), f"rows of {table}")


@then('"{name}" is committed')
def is_committed(context: Context, name: str) -> None:
    """The server has confirmed it."""
    assert_that(database(context).transaction(name), has_properties(committed=True, refusal=""))


@then('"{name}" can be committed')
def can_be_committed(context: Context, name: str) -> None:
    """The server confirms it now."""
    transaction = database(context).transaction(name)
    transaction.commit()
    assert_that(transaction, has_properties(committed=True, refusal=""))


@then('"{name}" is refused for "{reason}"')
def is_refused(context: Context, name: str, reason: str) -> None:
    """By a statement or its commit; the server's SQLSTATE says why."""
    transaction = database(context).transaction(name)
    assert_that(transaction.reason, equal_to(reason), f"why {name} is refused")


@then('"{name}" found "{value}"')
def transaction_found(context: Context, name: str, value: str) -> None:
    """The last query's only value."""
    assert_that(database(context).transaction(name).value, equal_to(value), f"found by {name}")


@then('"{query}" returns "{value}"')
def query_returns(context: Context, query: str, value: str) -> None:
    """The query's only value, read in a transaction of its own."""
    assert_that(database(context).value(query), equal_to(value), query)


@then('"{name}" waits for a lock')
def waits_for_lock(context: Context, name: str) -> None:
    """Another transaction holds what its statement needs."""
    assert_that(database(context).transaction(name).waits(), equal_to(True), f"{name} waits")


@then('"{name}" goes on once "{other}" commits')
def goes_on(context: Context, name: str, other: str) -> None:
    """It waits until then, and no longer."""
    gone_on = database(context).goes_on_after(name, other)
    assert_that(gone_on, equal_to(True), f"{name} goes on")


@then(
    'one of "{one}" and "{other}" is refused for "{reason}" within {limit:Seconds}, '
    "and the other can be committed"
)
def one_is_refused(context: Context, one: str, other: str, reason: str, limit: float) -> None:
    """The server chooses which."""
    reasons = database(context).settle(one, other, within=context.session.scaled(limit))
    assert_that(sorted(reasons), equal_to(["", reason]), "why they are refused")


@then('nobody who looks for the table "{table}" outside of the scenario finds it')
def table_is_private(context: Context, table: str) -> None:
    """It is in the scenario's schema alone."""
    assert_that(database(context).schemas_with(table), equal_to([database(context).schema]))


@given("{count:d} connections are open")
def connections_are_open(context: Context, count: int) -> None:
    """Opens so many, for as long as the scenario runs."""
    database(context).hold_connections(count)


@then("its health shows {count:d} connections of {most:d}")
def health_shows_connections(context: Context, count: int, most: int) -> None:
    """As the server counts them, the one that asks left out."""
    health = database(context).health()
    assert_that(health, has_properties(connections=count, most_connections=most))


@then(
    "its health shows {count:d} transaction open for more than {longer:Seconds} "
    "within {limit:Seconds}"
)
def health_shows_transaction(context: Context, count: int, longer: float, limit: float) -> None:
    """Idle or not; once it has been open for so long."""
    limit = context.session.scaled(limit)
    found = database(context).long_transactions(count, longer_than=longer, within=limit)
    assert_that(len(found), equal_to(count), "long transactions")


@then('none is shown once "{name}" commits')
def no_long_transaction(context: Context, name: str) -> None:
    """What has ended is not shown any more."""
    database(context).transaction(name).commit()
    assert_that(database(context).health(longer_than=0).long_transactions, empty())


@when("its health is asked for {times:d} times")
def health_is_asked_for(context: Context, times: int) -> None:
    """Connections, long transactions and replication, by one question each time."""
    context.session.use(Rounds).begin(database(context).time_health, times)


@then("half of the answers take at most {limit:Seconds} in the best of {rounds:d} rounds")
def health_is_quick(context: Context, limit: float, rounds: int) -> None:
    """From the question to the answer, with the connection."""
    context.session.use(Rounds).judge(
        "health, median",
        lambda median: median,
        less_than_or_equal_to(limit),
        rounds=rounds,
        told="{:.3f} s".format,
        before="its health is asked for 20 times",
    )
