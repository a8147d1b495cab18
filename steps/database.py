"""PostgreSQL: tables of a scenario's own, transactions side by side, health."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import (
    assert_that,
    contains_exactly,
    empty,
    equal_to,
    greater_than,
    has_properties,
    is_not,
    less_than_or_equal_to,
)

from stackproof.faults.restarts import restart
from stackproof.services import postgresql
from stackproof.session.matching import no_deviations
from stackproof.session.measuring import Rounds
from stackproof.session.needs import needs
from stackproof.session.premises import presume
from stackproof.session.scenario import Context
from stackproof.session.tables import rows_of
from stackproof.systems.pools import EXHAUSTED, Pool
from stackproof.vocabulary import SERVER_ENDINGS


def database(context: Context) -> postgresql.Database:
    """The scenario's work with its PostgreSQL."""
    return context.session.use(postgresql.Database)


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


@when('"{name}" reads the {column} of row {row:d} of "{table}"')
def transaction_reads(context: Context, name: str, column: str, row: int, table: str) -> None:
    """Reads one column of a row, which is found by the table's first column."""
    database(context).transaction(name).read(table, str(row), column)


@when('"{name}" sets the {column} of row {row:d} of "{table}" to {value:d}')
def transaction_sets(
    context: Context, name: str, column: str, row: int, table: str, value: int
) -> None:
    """Sets one column of a row; goes on when it is done, refused, or waits for a lock."""
    database(context).transaction(name).set(table, str(row), column, str(value))


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


@then('the {column} of row {row:d} of "{table}" is {value:d}')
def cell_is(context: Context, column: str, row: int, table: str, value: int) -> None:
    """Read in a transaction of its own."""
    found = database(context).read(table, str(row), column)
    assert_that(found, equal_to(str(value)), f"{column} of row {row} of {table}")


@then("no update is lost")
@then("nothing is read that was not committed")
def no_update_is_lost(context: Context) -> None:
    """All that transactions have read and set fits into one order, one after the other."""
    context.session.assert_history(database(context).updates(lost=False))


@then("an update is lost")
def an_update_is_lost(context: Context) -> None:
    """Two transactions have both replaced what both had read."""
    context.session.assert_history(database(context).updates(lost=True))


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
    'one of "{one}" and "{other}" is refused for "{reason}" within {limit:Seconds}, and the other can be committed'
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


@then("the server's health shows {count:d} connections of {most:d}")
def health_shows_connections(context: Context, count: int, most: int) -> None:
    """As the server counts them, the one that asks left out."""
    health = database(context).health()
    assert_that(health, has_properties(connections=count, most_connections=most))


@then(
    "the server's health shows {count:d} transaction open for more than {longer:Seconds} within {limit:Seconds}"
)
def health_shows_transaction(context: Context, count: int, longer: float, limit: float) -> None:
    """Idle or not; once it has been open for so long."""
    limit = context.session.scaled(limit)
    found = database(context).long_transactions(count, longer_than=longer, within=limit)
    assert_that(len(found), equal_to(count), "long transactions")


@then('no long transaction is shown once "{name}" commits')
def no_long_transaction(context: Context, name: str) -> None:
    """What has ended is not shown any more."""
    database(context).transaction(name).commit()
    assert_that(database(context).health(longer_than=0).long_transactions, empty())


@when("the server's health is asked for {times:d} times")
def health_is_asked_for(context: Context, times: int) -> None:
    """Connections, long transactions and replication, by one question each time."""
    context.session.use(Rounds).begin(database(context).time_health, times)


def pool_of(context: Context) -> Pool:
    """The pool under test, on the scenario's PostgreSQL."""
    return context.session.use(Pool, database(context).url("pool"))


@given("the connection-pool is running with {count:d} connections")
def pool_is_running(context: Context, count: int) -> None:
    """Starts the component `[systems.connection-pool]` of stackproof.toml."""
    pool_of(context).run(size=count)


@given(
    "the connection-pool is running with {count:d} connections, each waited for {wait:Seconds} at most"
)
def pool_is_running_with_wait(context: Context, count: int, wait: float) -> None:
    """The same; a client that finds none waits so long for one."""
    pool_of(context).run(size=count, wait=wait)


@when("{clients:d} clients run {queries:d} queries each through the pool")
def clients_share_pool(context: Context, clients: int, queries: int) -> None:
    """All at once, each client one query after the other."""
    context.session.use(Rounds).begin(pool_of(context).share, clients, queries)


@then("each of the {count:d} queries has its own answer")
def queries_are_answered(context: Context, count: int) -> None:
    """No client was handed another one's rows."""
    pool = pool_of(context)
    presume(pool.asked, equal_to(count), "queries")
    context.session.assert_history(pool.each_answered())


@then("the server has at most {count:d} connections of the pool")
def server_has_connections(context: Context, count: int) -> None:
    """As the server counts them."""
    found = database(context).connections_of("pool")
    presume(found, greater_than(0), "connections of the pool")
    assert_that(found, less_than_or_equal_to(count), "connections of the pool")


@when("all {count:d} connections are taken")
def connections_are_taken(context: Context, count: int) -> None:
    """By one client that keeps them."""
    presume(pool_of(context).take(count), equal_to(count), "connections taken")


@when("another client asks the pool for a connection")
def client_asks_for_connection(context: Context) -> None:
    """It waits as long as the pool lets it."""
    pool_of(context).ask()


@when("one of the connections is given back")
def connection_is_given_back(context: Context) -> None:
    """By the client that has taken them."""
    pool_of(context).give_back()


@then("that client is told within {limit:Seconds} that the pool is exhausted")
def told_exhausted(context: Context, limit: float) -> None:
    """An error of the pool's own, instead of a wait without end."""
    told = pool_of(context).told(context.session.scaled(limit))
    assert_that(told, equal_to(EXHAUSTED), "what the client is told")


@then("that client gets the connection within {limit:Seconds}")
def client_gets_connection(context: Context, limit: float) -> None:
    """No error, and no wait until its time is over."""
    told = pool_of(context).told(context.session.scaled(limit))
    assert_that(told, equal_to(""), "what the client is told")
    context.session.assert_history(pool_of(context).held_by_one())


@when("{count:d} queries that the server refuses are run through the pool")
def queries_fail(context: Context, count: int) -> None:
    """They name a column that is not there."""
    pool_of(context).fail(count)


@then("each of these queries is refused by the server")
def refused_by_server(context: Context) -> None:
    """And not by a pool that has lost its connections."""
    pool = pool_of(context)
    presume(pool.refusals, is_not(empty()), "refusals")
    assert_that(pool.own_refusals(), no_deviations(), "refusals by the pool itself")


@then("all {count:d} connections can be taken")
def all_can_be_taken(context: Context, count: int) -> None:
    """None of them was lost."""
    assert_that(pool_of(context).take(count), equal_to(count), "connections taken")
    context.session.assert_history(pool_of(context).held_by_one())


@when("the PostgreSQL server {ending:Ending} and is started again")
@needs("postgresql", dedicated=True)
def server_is_restarted(context: Context, ending: str) -> None:
    """It does not answer in between, and answers again afterwards."""
    restart(context.session, "postgresql", SERVER_ENDINGS[ending])


@then("a query through the pool is answered within {limit:Seconds}")
def pool_answers_again(context: Context, limit: float) -> None:
    """Connections that died with the server are replaced."""
    rows = pool_of(context).answers_within(context.session.scaled(limit))
    assert_that(rows, equal_to([[1]]))
