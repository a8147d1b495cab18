"""Search engines: documents in indices, and what queries find."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import assert_that, contains_string, empty, equal_to

from stackproof.services import opensearch
from stackproof.services.opensearch.plain import read_query, read_sorting
from stackproof.session.matching import no_deviations
from stackproof.session.scenario import Context
from stackproof.session.tables import column


def search_of(context: Context) -> opensearch.SearchFixture:
    """The scenario's work with its search engine."""
    return context.session.use(opensearch.SearchFixture)


@given('an index "{name}"')
def an_index(context: Context, name: str) -> None:
    """Makes an index for orders: title and note are text, others keywords, numbers and a date."""
    search_of(context).create(name)


@given('an index "{name}" of {count:d} orders')
def an_index_of_orders(context: Context, name: str, count: int) -> None:
    """The same with orders in it, which searches find."""
    search = search_of(context)
    search.create(name)
    search.add_orders(name, count)
    context.session.assert_history(search.listed(name))


@when('{count:d} orders are put into the index "{name}"')
def orders_are_put(context: Context, count: int, name: str) -> None:
    """Puts different orders, several hundred in a request; all are acknowledged."""
    search_of(context).add_orders(name, count)


@when('{count:d} orders of the index "{name}" are replaced')
def orders_are_replaced(context: Context, count: int, name: str) -> None:
    """Puts others in the place of the first ones."""
    search_of(context).replace(name, count)


@when('{count:d} orders of the index "{name}" are deleted')
def orders_are_deleted(context: Context, count: int, name: str) -> None:
    """Deletes the first ones by their IDs."""
    search_of(context).delete(name, count)


@then('the index "{name}" holds exactly these documents')
def index_holds(context: Context, name: str) -> None:
    """After a refresh: each acknowledged document once, as it was put; none that was deleted."""
    context.session.assert_history(search_of(context).listed(name))


@then('searches find all documents of the index "{name}" within {limit:Seconds}')
def searches_find_all(context: Context, name: str, limit: float) -> None:
    """Without a refresh by the suite: the server makes them visible by itself."""
    context.session.assert_history(search_of(context).await_all(name, limit))


@then('each of these queries finds in the index "{name}" exactly what it says')
def queries_find(context: Context, name: str) -> None:
    """Hits, their contents, the total and the count are those of a plain evaluation."""
    search = search_of(context)
    wrong = {
        text: search.wrongly_found(name, read_query(text))
        for text in column(context.table, "query")
    }
    assert_that([f"{text}: {one}" for text, some in wrong.items() for one in some], no_deviations())


@then('the query {text} finds nothing in the index "{name}"')
def query_finds_nothing(context: Context, text: str, name: str) -> None:
    """No hits, a total of zero, and no error."""
    search = search_of(context)
    assert_that(search.wrongly_found(name, read_query(text)), no_deviations())
    assert_that(search.hits(name, read_query(text)), empty())


@then('pages of {size:d} orders of the index "{name}" come in each of these orders')
def pages_come_in_order(context: Context, size: int, name: str) -> None:
    """One page after the other, compared with a plain sorting; "-total, id": by total, falling."""
    search = search_of(context)
    wrong = {
        text: search.wrongly_ordered(name, read_sorting(text), size)
        for text in column(context.table, "sorted by")
    }
    assert_that([f"{text}: {one}" for text, some in wrong.items() for one in some], no_deviations())


@then('{mistake:SearchMistake} in the index "{name}" is refused with code {code:d} and "{told}"')
def search_is_refused(context: Context, mistake: str, name: str, code: int, told: str) -> None:
    """The server answers with an error that says what is wrong, and not with some documents."""
    status, text = search_of(context).refused(name, mistake)
    assert_that(status, equal_to(code), text[:300])
    assert_that(text, contains_string(told))
