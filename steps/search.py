"""Search engines: documents in indices, and what queries find."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import (
    assert_that,
    contains_string,
    empty,
    equal_to,
)

from stackproof import faults, systems
from stackproof.faults.words import to_break
from stackproof.services import opensearch
from stackproof.services.opensearch.known import FIELDS, SERVER
from stackproof.services.opensearch.plain import read_query, read_sorting
from stackproof.session.matching import no_deviations
from stackproof.session.measuring import Rounds
from stackproof.session.needs import needs, needs_by
from stackproof.session.scenario import Context
from stackproof.session.tables import each_deviates
from stackproof.settings import SystemSettings


def search_of(context: Context) -> opensearch.SearchFixture:
    """The scenario's work with its search engine."""
    return context.session.use(opensearch.SearchFixture)


def indexing_of(context: Context, inputs: str) -> systems.Indexing:
    """The search indexer whose inputs are called so."""
    return context.session.use(systems.Systems).indexing(inputs)


def faults_of(context: Context) -> faults.Faults:
    """What the scenario breaks of its search engine."""
    return context.session.use(faults.Faults, "opensearch")


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
    wrong = each_deviates(
        context.table, "query", lambda text: search.wrongly_found(name, read_query(text))
    )
    assert_that(wrong, no_deviations())


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
    wrong = each_deviates(
        context.table, "sorted by",
        lambda text: search.wrongly_ordered(name, read_sorting(text), size),
    )  # fmt: skip
    assert_that(wrong, no_deviations())


@then('{mistake:SearchMistake} in the index "{name}" is refused with code {code:d} and "{told}"')
def search_is_refused(context: Context, mistake: str, name: str, code: int, told: str) -> None:
    """The server answers with an error that says what is wrong, and not with some documents."""
    status, text = search_of(context).refused(name, mistake)
    assert_that(status, equal_to(code), text[:300])
    assert_that(text, contains_string(told))


@when('{clients:d} clients make {searches:d} searches each in the index "{name}" at the same time')
def clients_search(context: Context, clients: int, searches: int, name: str) -> None:
    """Each with a connection of its own, for words, values, ranges and all of them at once."""
    context.session.use(Rounds).begin(search_of(context).crowd, name, clients, searches)


@when("the search engine {fault:Fault}")
@needs_by(lambda fault: to_break("opensearch", fault))
def engine_is_broken(context: Context, fault: str) -> None:
    """Breaks the server until it recovers; an independent client proves the effect."""
    assert_that(faults_of(context).begin(fault, SERVER).active)


@when("the search engine recovers")
@needs("opensearch", dedicated=True)
def engine_recovers(context: Context) -> None:
    """Heals what ails it, until it takes documents and gives them back."""
    faults_of(context).heal_all()


# -- what an indexer makes of a topic ------------------------------------------
@when("{count:d} {inputs:Inputs} are published again with other contents")
def inputs_are_updated(context: Context, count: int, inputs: str) -> None:
    """Publishes messages with the keys of the first ones, and other contents."""
    indexing_of(context, inputs).update(count)


@when(
    "a message with a key of {length:d} characters is published among {count:d} valid {inputs:Inputs}"
)
def long_key_among_valid(context: Context, length: int, count: int, inputs: str) -> None:
    """Engines take IDs of 512 bytes at most, and refuse a whole request for one that is longer."""
    indexing_of(context, inputs).publish_with_long_key(length, count)


@when("tombstones of {count:d} {inputs:Inputs} are published")
def inputs_are_deleted(context: Context, count: int, inputs: str) -> None:
    """Publishes messages with the keys of the first ones, without content."""
    indexing_of(context, inputs).delete(count)


@then("the documents are exactly what the {inputs:Inputs} say within {limit:Seconds}")
def documents_are_exact(context: Context, inputs: str, limit: float) -> None:
    """The last message of each key is one document, unchanged; after a tombstone there is none."""
    indexing_of(context, inputs).await_outputs(within=limit)


@then("each of these queries finds exactly the {inputs:Inputs} that fit")
def queries_find_inputs(context: Context, inputs: str) -> None:
    """Hits, their contents, the total and the count, compared with what the topic holds."""
    indexing = indexing_of(context, inputs)
    wrong = each_deviates(
        context.table, "query", lambda text: indexing.wrongly_found(read_query(text), FIELDS)
    )
    assert_that(wrong, no_deviations())


@when("the {system:System} is started and indexes its backlog")
def backlog_is_indexed(context: Context, system: SystemSettings) -> None:
    """Measures the time from its launch until searches find all that waited."""
    pipeline = context.session.use(systems.Systems).named(system)
    indexing = indexing_of(context, pipeline.noun("input", 2))
    context.session.use(Rounds).begin(indexing.work_off, prepare=indexing.pile_up)
