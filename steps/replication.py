"""Replicas of PostgreSQL: what they hold, how soon, and what becomes of one that is away."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import (
    assert_that,
    equal_to,
    greater_than,
    greater_than_or_equal_to,
    has_length,
    has_properties,
    less_than,
    less_than_or_equal_to,
    only_contains,
)

from stackproof import faults
from stackproof.faults.words import to_break
from stackproof.services import postgresql
from stackproof.services.postgresql.known import servers
from stackproof.session.measuring import Rounds
from stackproof.session.needs import Need, needs, needs_by
from stackproof.session.premises import presume
from stackproof.session.scenario import Context

_MEGABYTE = 1_000_000


def database(context: Context) -> postgresql.Database:
    """The scenario's work with its PostgreSQL."""
    return context.session.use(postgresql.Database)


def replication(context: Context) -> postgresql.Replication:
    """Its rows on the primary and the replicas."""
    return context.session.use(postgresql.Replication, database(context))


def faults_of(context: Context) -> faults.Faults:
    """What the scenario breaks."""
    return context.session.use(faults.Faults, "postgresql")


def managed(count: int, replicas: int) -> Need:
    """A cluster of so many nodes with Patroni, and of replicas that each commit waits for."""
    options = {"managed": True, "replicas": count - 1, "synchronous": replicas}
    return Need("postgresql", False, tuple(options.items()))


@given("a PostgreSQL primary with {count:d} replicas")
@needs("postgresql", replicas="{count}")
def a_primary_with_replicas(context: Context, count: int) -> None:
    """Asynchronous ones: a commit does not wait for them."""
    presume(replication(context).replicas, has_length(count), "replicas")


@given("a PostgreSQL primary with {count:d} replicas, {synchronous:d} of them synchronous")
@needs("postgresql", replicas="{count}", synchronous="{synchronous}")
def a_primary_with_synchronous_replicas(context: Context, count: int, synchronous: int) -> None:
    """A commit waits for so many; another one takes the place of one that is gone."""
    presume(replication(context).replicas, has_length(count), "replicas")


@given("a PostgreSQL cluster of {count:Nodes} with Patroni")
@needs_by(lambda count: managed(count, 0))
def a_managed_cluster(context: Context, count: int) -> None:
    """Patroni on each node promotes a replica when the primary is gone; commits wait for none."""
    presume(servers(context.session.endpoint("postgresql").addresses), has_length(count), "nodes")


@given(
    "a PostgreSQL cluster of {count:Nodes} with Patroni, where commits wait for {replicas:d} replica"
)
@needs_by(managed)
def a_managed_synchronous_cluster(context: Context, count: int, replicas: int) -> None:
    """The same; Patroni promotes none but a replica that commits have waited for."""
    presume(servers(context.session.endpoint("postgresql").addresses), has_length(count), "nodes")


@when("{count:d} rows are committed")
def rows_are_committed(context: Context, count: int) -> None:
    """On the primary, each in a transaction of its own."""
    replication(context).commit(count)


@then("each replica holds exactly these rows within {limit:Seconds}")
def replicas_hold_rows(context: Context, limit: float) -> None:
    """Compared row by row with what was confirmed."""
    replication(context).assert_rows(context.session.scaled(limit))


@then("each replica refuses to be written to")
def replicas_refuse_writes(context: Context) -> None:
    """They are for reading."""
    assert_that(replication(context).refusals(), only_contains("read only"), "refusals")


@when("{count:d} rows are committed, each as soon as every replica shows the one before")
def rows_are_timed(context: Context, count: int) -> None:
    """A client of each replica reads until the row is there."""
    context.session.use(Rounds).begin(replication(context).time_rows, count)


@then("no replica shows a row earlier than {limit:Seconds} after its commit began")
def replicas_are_far(context: Context, limit: float) -> None:
    """What was to keep it apart from the primary did so."""
    presume(replication(context).soonest, greater_than_or_equal_to(limit), "the soonest, in s")


@then("health shows each replica less than {limit:Seconds} behind within {patience:Seconds}")
def health_shows_lag(context: Context, limit: float, patience: float) -> None:
    """In the primary's own words."""
    prompt = has_properties(streams=True, lag=less_than(limit))
    patience = context.session.scaled(patience)
    seen = replication(context).until_seen(prompt.matches, patience)
    assert_that(seen.values(), only_contains(prompt), "replicas in the primary's eyes")


@then(
    "health shows {replica:Replica} at least {megabytes:d} MB and {limit:Seconds} behind within {patience:Seconds}"
)
def health_shows_stall(
    context: Context, replica: str, megabytes: int, limit: float, patience: float
) -> None:
    """What it has not applied, and for how long."""
    stalled = has_properties(
        behind=greater_than_or_equal_to(megabytes * _MEGABYTE), lag=greater_than_or_equal_to(limit)
    )
    patience = context.session.scaled(patience)
    seen = replication(context).one_seen(replica, stalled.matches, patience)
    assert_that(seen, stalled, f"{replica} in the primary's eyes")


@then("health shows at least {megabytes:d} MB kept for {replica:Replica} within {patience:Seconds}")
def health_shows_kept(context: Context, replica: str, megabytes: int, patience: float) -> None:
    """On the primary's disk, by its slot; it does not follow."""
    away = has_properties(
        streams=False, kept=greater_than_or_equal_to(megabytes * _MEGABYTE), lost=False
    )
    seen = replication(context).one_seen(replica, away.matches, context.session.scaled(patience))
    assert_that(seen, away, f"{replica} in the primary's eyes")


@then("health shows at most {megabytes:d} MB kept for each replica within {patience:Seconds}")
def health_shows_released(context: Context, megabytes: int, patience: float) -> None:
    """What was kept for it is given back."""
    fine = has_properties(streams=True, kept=less_than_or_equal_to(megabytes * _MEGABYTE))
    seen = replication(context).until_seen(fine.matches, context.session.scaled(patience))
    assert_that(seen.values(), only_contains(fine), "replicas in the primary's eyes")


@then("health shows {replica:Replica} as lost, with nothing kept for it")
def health_shows_lost(context: Context, replica: str) -> None:
    """It would have to be made anew."""
    assert_that(replication(context).seen(replica), has_properties(lost=True, kept=0), replica)


@when("{count:d} rows of {kilobytes:d} kilobytes are committed")
def large_rows_are_committed(context: Context, count: int, kilobytes: int) -> None:
    """On the primary; a checkpoint follows."""
    replication(context).commit(count, size=kilobytes * 1000)
    replication(context).checkpoint()


@given("a PostgreSQL primary that keeps {megabytes:d} MB for each of {count:d} replicas")
@needs("postgresql", dedicated=True, replicas="{count}", slot_mb="{megabytes}")
def a_primary_that_keeps(context: Context, megabytes: int, count: int) -> None:
    """What a replica that is away has missed is kept up to that size."""
    presume(replication(context).replicas, has_length(count), "replicas")


@given("a PostgreSQL primary with {count:d} replicas in a region {distance:Seconds} away")
@needs("postgresql", dedicated=True, replicas="{count}", proxied_peers=True)
def a_primary_with_far_replicas(context: Context, count: int, distance: float) -> None:
    """What primary and replicas say to each other takes so long, each way."""
    presume(replication(context).replicas, has_length(count), "replicas")
    replication(context).set_distance(distance)


@when("{replica:Replica} is stopped for good")
@needs("postgresql", dedicated=True)
def replica_is_gone(context: Context, replica: str) -> None:
    """It is not started again; an independent client finds it gone."""
    assert_that(faults_of(context).begin("is stopped", replica, for_good=True).active)


@given("{replica:Replica} {fault:Fault}")
@when("{replica:Replica} {fault:Fault}")
@needs("postgresql", dedicated=True)
@needs_by(lambda replica, fault: to_break("postgresql", fault))
def replica_is_broken(context: Context, replica: str, fault: str) -> None:
    """Breaks it until it recovers; an independent client proves the effect."""
    assert_that(faults_of(context).begin(fault, replica).active)


@when("{node:Node} of PostgreSQL {fault:Fault}")
@needs("postgresql", dedicated=True)
@needs_by(lambda node, fault: to_break("postgresql", fault))
def node_is_broken(context: Context, node: str, fault: str) -> None:
    """Breaks it until it recovers; an independent client proves the effect."""
    assert_that(faults_of(context).begin(fault, node).active)


@when("all nodes of PostgreSQL recover")
@needs("postgresql", dedicated=True)
def all_nodes_recover(context: Context) -> None:
    """Heals all that is broken; each answers, and replicas and primary have each other."""
    faults_of(context).heal_all()


@when("a client goes on committing rows there until another node is the primary, and for a while")
@needs("postgresql", dedicated=True)
def rows_are_committed_apart(context: Context) -> None:
    """It knows of the broken node alone; what is acknowledged, and what not, is recorded."""
    (node,) = faults_of(context).ailing
    replication(context).commit_apart(node)


@then("nothing was acknowledged there once another node was the primary")
def no_split_brain(context: Context) -> None:
    """Of the rows that were tried there when another node was the primary."""
    taken = replication(context).taken_apart
    assert_that(taken, equal_to(0), "rows that both were primaries for")


@then("rows were acknowledged there although another node was the primary")
def split_brain(context: Context) -> None:
    """A split brain: rows were acknowledged where the primary was no more."""
    taken = replication(context).taken_apart
    assert_that(taken, greater_than(0), "rows that the old primary has acknowledged")


@then("some of the acknowledged rows are lost")
def some_rows_are_lost(context: Context) -> None:
    """Those that only the old primary had; all others are there. The report names them."""
    context.session.assert_history(replication(context).expected(lost=True))


@then("all acknowledged rows are there")
def all_rows_are_there(context: Context) -> None:
    """Read from the primary of the moment."""
    context.session.assert_history(replication(context).expected())


@when("{replica:Replica} recovers")
@needs("postgresql", dedicated=True)
def replica_recovers(context: Context, replica: str) -> None:
    """Heals what ails it; it answers, and the primary has it among those that follow."""
    faults_of(context).heal(replica)


@when('"{name}" inserts a row')
def transaction_inserts(context: Context, name: str) -> None:
    """Into the table whose rows are compared on all replicas."""
    replication(context).insert_in(database(context).transaction(name))


@when('"{name}" begins to commit')
def commits_or_waits(context: Context, name: str) -> None:
    """Goes on when that is done, or waits for a replica."""
    database(context).transaction(name).begin_to_commit()


@then('"{name}" waits for a replica')
def waits_for_replica(context: Context, name: str) -> None:
    """Its commit is not confirmed, and the server says what it waits for."""
    waits = database(context).transaction(name).waits_for_replica()
    assert_that(waits, equal_to(True), f"{name} waits for a replica")


@then('"{name}" is committed once {replica:Replica} recovers')
@needs("postgresql", dedicated=True)
def committed_once(context: Context, name: str, replica: str) -> None:
    """It waits until then, and no longer."""
    transaction = database(context).transaction(name)
    presume(transaction.committed, equal_to(False), f"{name} is committed")
    faults_of(context).heal(replica)
    transaction.settle()
    assert_that(transaction, has_properties(committed=True, refusal=""))
