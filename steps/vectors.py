"""Vector databases: collections, what they hold, what searches find."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import (
    assert_that,
    calling,
    contains_string,
    empty,
    equal_to,
    greater_than_or_equal_to,
    has_entries,
    has_item,
    not_,
    raises,
)

from stackproof.faults.restarts import restart
from stackproof.services import milvus, service
from stackproof.services.milvus.known import VECTOR
from stackproof.session.matching import no_deviations
from stackproof.session.measuring import Rounds
from stackproof.session.needs import needs
from stackproof.session.scenario import Context
from stackproof.session.tables import each_deviates
from stackproof.vocabulary import SERVER_ENDINGS

_QUERIES = 50
_PATIENCE = 20.0


def vectors_of(context: Context) -> milvus.VectorsFixture:
    """The scenario's work with its vector database."""
    return context.session.use(milvus.VectorsFixture)


@given('a collection "{name}" of vectors with {dimensions:d} dimensions')
def a_collection(context: Context, name: str, dimensions: int) -> None:
    """Makes a collection with an exact index; it can be searched."""
    vectors_of(context).create(name, dimensions)


@given('a collection "{name}" of vectors with {dimensions:d} dimensions compared by "{metric}"')
def a_collection_by_metric(context: Context, name: str, dimensions: int, metric: str) -> None:
    """The same by another metric: L2, IP or COSINE."""
    vectors_of(context).create(name, dimensions, metric=metric)


@given('a collection "{name}" of vectors with {dimensions:d} dimensions that is not loaded')
def a_collection_not_loaded(context: Context, name: str, dimensions: int) -> None:
    """Makes a collection without an index."""
    vectors_of(context).create(name, dimensions, loaded=False)


@then('the collection "{name}" is listed, with vectors of {dimensions:d} dimensions')
def collection_is_listed(context: Context, name: str, dimensions: int) -> None:
    """The server lists it, and describes its vectors so."""
    vectors = vectors_of(context)
    assert_that(vectors.is_listed(name), equal_to(True), f'"{name}" is listed')
    assert_that(vectors.described(name), has_entries({VECTOR: f"FLOAT_VECTOR {dimensions}"}))


@then('the collection "{name}" is not listed')
def collection_is_not_listed(context: Context, name: str) -> None:
    """The server does not list it."""
    assert_that(vectors_of(context).is_listed(name), equal_to(False), f'"{name}" is listed')


@then('the collection "{name}" is "{state}"')
def collection_is_in_state(context: Context, name: str, state: str) -> None:
    """Loaded or NotLoad, as the server calls it."""
    assert_that(vectors_of(context).state(name), equal_to(state))


@when('the collection "{name}" is released')
def collection_is_released(context: Context, name: str) -> None:
    """Takes it out of memory."""
    vectors_of(context).release(name)


@when('the collection "{name}" is dropped')
def collection_is_dropped(context: Context, name: str) -> None:
    """Drops it with all that is in it."""
    vectors_of(context).drop(name)


@when('the collection "{name}" is indexed by "{index}" and loaded')
def collection_is_indexed(context: Context, name: str, index: str) -> None:
    """Builds an index over all that is there, in the place of the one before."""
    vectors_of(context).index(name, index)


@when('the index of "{name}" is dropped')
def index_is_dropped(context: Context, name: str) -> None:
    """Takes the collection out of memory first."""
    vectors_of(context).drop_index(name)


@then('the collection "{name}" has no index')
def collection_has_no_index(context: Context, name: str) -> None:
    """The server lists none."""
    assert_that(vectors_of(context).index_told(name), empty())


@then('the index of "{name}" is "{index}" by "{metric}"')
def index_is(context: Context, name: str, index: str, metric: str) -> None:
    """As the server describes it."""
    told = vectors_of(context).index_told(name)
    assert_that(told, equal_to({"index": index, "metric": metric}))


@when('{count:d} vectors are inserted into "{name}"')
def vectors_are_inserted(context: Context, count: int, name: str) -> None:
    """Inserts distinct vectors with a colour and a price each."""
    vectors_of(context).insert(name, count)


@when('{count:d} vectors are inserted into partition "{partition}" of "{name}"')
def vectors_are_inserted_into(context: Context, count: int, partition: str, name: str) -> None:
    """The same into one partition."""
    vectors_of(context).insert(name, count, partition=partition)


@when('{count:d} vectors of "{name}" are replaced')
def vectors_are_replaced(context: Context, count: int, name: str) -> None:
    """Upserts the first ones with other vectors, colours and prices."""
    vectors_of(context).replace(name, count)


@when('{count:d} vectors of "{name}" are deleted')
def vectors_are_deleted(context: Context, count: int, name: str) -> None:
    """Deletes the first ones by their keys."""
    vectors_of(context).delete(name, count)


@then('the collection "{name}" holds exactly these vectors')
def collection_holds(context: Context, name: str) -> None:
    """Each acknowledged vector once, with its fields, bit by bit; none that was deleted."""
    vectors = vectors_of(context)
    context.session.assert_history(vectors.listed(name))
    assert_that(vectors.hidden(name), equal_to(0), "vectors that are there twice")


@then('"{name}" counts {count:d} vectors')
def collection_counts(context: Context, name: str, count: int) -> None:
    """By the server's own count."""
    assert_that(vectors_of(context).count(name), equal_to(count))


@when('the collection "{name}" is flushed')
def collection_is_flushed(context: Context, name: str) -> None:
    """Has the server store for good what was written until now."""
    vectors_of(context).flush(name)


@when("the vector database {ending:Ending} and is started again")
@needs("milvus", dedicated=True)
def vector_database_restarts(context: Context, ending: str) -> None:
    """Ends the scenario's own server by SIGTERM or SIGKILL; starts it again, until all is loaded."""
    restart(context.session, "milvus", SERVER_ENDINGS[ending])
    vectors_of(context).load_again()


@then('a search in "{name}" with {level:Consistency} consistency sees the last change at once')
def search_sees_at_once(context: Context, name: str, level: str) -> None:
    """The first search after the acknowledgement finds what was written, or misses what was deleted."""
    vectors_of(context).sees_last(name, level, 0)


@then(
    'a search in "{name}" with {level:Consistency} consistency sees the last change within {limit:Seconds}'
)
def search_sees(context: Context, name: str, level: str, limit: float) -> None:
    """The same after a while; how long it took is in the report."""
    vectors_of(context).sees_last(name, level, limit)


@then("a client can connect to the vector database, ask it something, and disconnect")
def client_connects(context: Context) -> None:
    """It lists its collections; over a connection that is closed nothing is answered."""
    vectors = vectors_of(context)
    guest = vectors.visit()
    guest.close()
    assert_that(calling(guest.list_collections), raises(Exception, "connect"))


@then("the vector database is healthy")
def vector_database_is_healthy(context: Context) -> None:
    """What the suite waits for at its start: a collection is made, described and dropped."""
    service("milvus").check(context.session.endpoint("milvus"), timeout=_PATIENCE)


@then('each of these filters selects exactly the matching vectors of "{name}"')
def filters_select(context: Context, name: str) -> None:
    """Compared with a plain evaluation over the same vectors."""
    vectors = vectors_of(context)
    wrong = each_deviates(context.table, "filter", lambda text: vectors.filtered_wrong(name, text))
    assert_that(wrong, no_deviations())


@given('the collection "{name}" has a partition "{partition}"')
def collection_has_partition(context: Context, name: str, partition: str) -> None:
    """Makes a partition and loads it."""
    vectors_of(context).make_partition(name, partition)


@when('partition "{partition}" of "{name}" is dropped')
def partition_is_dropped(context: Context, partition: str, name: str) -> None:
    """Drops it with all that is in it."""
    vectors_of(context).drop_partition(name, partition)


@then('partition "{partition}" of "{name}" counts {count:d} vectors')
def partition_counts(context: Context, partition: str, name: str, count: int) -> None:
    """By the server's own count."""
    assert_that(vectors_of(context).count(name, partition), equal_to(count))


@then('the collection "{name}" has no partition "{partition}"')
def collection_has_no_partition(context: Context, name: str, partition: str) -> None:
    """The server does not list it."""
    assert_that(vectors_of(context).partitions(name), not_(has_item(partition)))


@then(
    'searches in partition "{partition}" of "{name}" find at least {percent:d} % of the {count:d} nearest vectors'
)
def searches_in_partition_find(
    context: Context, partition: str, name: str, percent: int, count: int
) -> None:
    """The recall of 50 searches in one partition, against exact search over the vectors in it."""
    found = vectors_of(context).recall(name, _QUERIES, count, partition=partition)
    assert_that(found, greater_than_or_equal_to(percent / 100), "recall")


@then('{mistake:VectorMistake} in "{name}" is refused with "{told}"')
def mistake_is_refused(context: Context, mistake: str, name: str, told: str) -> None:
    """The server or its client says so, and what the text asks for is in what it says."""
    assert_that(vectors_of(context).refused(name, mistake), contains_string(told))


@then('searches in "{name}" find at least {percent:d} % of the {count:d} nearest vectors')
def searches_find(context: Context, name: str, percent: int, count: int) -> None:
    """The recall of 50 searches in one request, against exact search over the same vectors."""
    found = vectors_of(context).recall(name, _QUERIES, count)
    assert_that(found, greater_than_or_equal_to(percent / 100), "recall")


@then(
    'filtered searches in "{name}" by "{text}" find at least {percent:d} % of the {count:d} nearest vectors'
)
def filtered_searches_find(
    context: Context, name: str, text: str, percent: int, count: int
) -> None:
    """The same among those of which a filter is true."""
    found = vectors_of(context).recall(name, _QUERIES, count, text)
    assert_that(found, greater_than_or_equal_to(percent / 100), "recall")


@when('{count:d} vectors are inserted into "{name}" and timed')
def inserting_is_timed(context: Context, count: int, name: str) -> None:
    """Measures how many are acknowledged a second."""
    context.session.use(Rounds).begin(vectors_of(context).insert_rate, name, count)


@when('{clients:d} clients insert {count:d} vectors each into "{name}" at the same time')
def clients_insert(context: Context, clients: int, count: int, name: str) -> None:
    """Each with a connection of its own, in three requests; after each it must find what it inserted."""
    vectors_of(context).insert_and_search(name, clients, count)


@when(
    '{clients:d} clients make {searches:d} searches each in "{name}" at the same time, with {level:Consistency} consistency'
)
def clients_search(context: Context, clients: int, searches: int, name: str, level: str) -> None:
    """Each with a connection of its own, for the ten nearest vectors."""
    context.session.use(Rounds).begin(vectors_of(context).crowd, name, clients, searches, level)
