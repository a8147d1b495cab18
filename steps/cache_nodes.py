"""Redis with replicas: what they hold, how soon, and who takes over."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import (
    assert_that,
    equal_to,
    greater_than_or_equal_to,
    has_properties,
    less_than,
    only_contains,
)

from stackproof import faults
from stackproof.faults.words import to_break
from stackproof.history import Registers
from stackproof.services import redis
from stackproof.session.matching import no_deviations
from stackproof.session.measuring import Rounds
from stackproof.session.needs import Need, needs, needs_by
from stackproof.session.premises import presume
from stackproof.session.scenario import Context, Kept

_MEGABYTE = 1_000_000
#: Later steps judge what became of them.
MOVED = Kept[Registers](
    "keys that moved", "4 clients read and write 50 keys while 20 slots move from node 1 to node 2"
)


def replication(context: Context) -> redis.Replication:
    """The scenario's keys on the primary and the replicas."""
    return context.session.use(redis.Replication)


def cluster(context: Context) -> redis.ClusterKeys:
    """Where its keys lie in a Cluster."""
    return context.session.use(redis.ClusterKeys)


def faults_of(context: Context) -> faults.Faults:
    """What the scenario breaks of Redis."""
    return context.session.use(faults.Faults, "redis")


# -- which nodes there are -----------------------------------------------------
@given("a Redis primary with {count:d} replicas")
@needs("redis", replicas="{count}")
def a_primary_with_replicas(context: Context, count: int) -> None:
    """Asynchronous ones: a write does not wait for them."""
    replication(context).demand(count)


@given("a Redis primary with {count:d} replicas, {synchronous:d} of which each write waits for")
@needs("redis", replicas="{count}", synchronous="{synchronous}")
def a_primary_with_synchronous_replicas(context: Context, count: int, synchronous: int) -> None:
    """Clients ask so by WAIT; the primary refuses writes where fewer follow it."""
    replication(context).demand(count)


@given("a Redis primary with {count:d} replicas and {sentinels:d} Sentinels")
@needs("redis", replicas="{count}", sentinels="{sentinels}")
def a_primary_with_sentinels(context: Context, count: int, sentinels: int) -> None:
    """Clients ask the Sentinels who the primary is; it is called mymaster."""
    replication(context).demand(count)


@given(
    "a Redis primary with {count:d} replicas and {sentinels:d} Sentinels, {synchronous:d} of which each write waits for"
)
@needs("redis", replicas="{count}", sentinels="{sentinels}", synchronous="{synchronous}")
def synchronous_with_sentinels(
    context: Context, count: int, sentinels: int, synchronous: int
) -> None:
    """The same where clients wait for replicas by WAIT, and the primary for those that follow it."""
    replication(context).demand(count)


@given("a Redis primary with {count:d} replicas in a region {distance:Seconds} away")
@needs("redis", dedicated=True, replicas="{count}", proxied_peers=True)
def a_primary_with_far_replicas(context: Context, count: int, distance: float) -> None:
    """What primary and replicas say to each other takes so long, each way."""
    replication(context).demand(count)
    replication(context).set_distance(distance)


@given("a Redis Cluster of {count:Primaries} with {replicas:d} replicas in all")
@needs_by(
    lambda count, replicas: Need(
        "redis", False, (("nodes", count + replicas), ("replicas", replicas // count)),
    )
)  # fmt: skip
def a_cluster(context: Context, count: int, replicas: int) -> None:
    """Each primary has the same share of the slots, and of the replicas."""
    cluster(context).demand(count)


# -- what is broken ------------------------------------------------------------
@given("{node:Node} of Redis {fault:Fault}")
@when("{node:Node} of Redis {fault:Fault}")
@needs("redis", dedicated=True)
@needs_by(lambda node, fault: to_break("redis", fault))
def node_is_broken(context: Context, node: str, fault: str) -> None:
    """Breaks it until it recovers; an independent client proves the effect."""
    assert_that(faults_of(context).begin(fault, node).active)


@when("{node:Node} of Redis recovers")
@needs("redis", dedicated=True)
def node_recovers(context: Context, node: str) -> None:
    """Heals what ails it; it answers, and the others have it among them."""
    faults_of(context).heal(node)


@when("all nodes of Redis recover")
@needs("redis", dedicated=True)
def all_nodes_recover(context: Context) -> None:
    """Heals all that is broken; each answers, and the others have it among them."""
    faults_of(context).heal_all()


@when("a client goes on setting keys there until another node is the primary, and for a while")
@needs("redis", dedicated=True)
def keys_are_set_apart(context: Context) -> None:
    """It knows of the broken node alone; what it is acknowledged is recorded."""
    (node,) = faults_of(context).ailing
    replication(context).set_apart(node)


@then("some of the acknowledged keys are lost")
def some_keys_are_lost(context: Context) -> None:
    """Those that only the old primary had; all others are there."""
    context.session.assert_history(replication(context).expected(lost=True))


@then("all acknowledged keys are there")
def all_keys_are_there(context: Context) -> None:
    """Read from the primary of the moment."""
    context.session.assert_history(replication(context).expected())


# -- what is written, and where it is ------------------------------------------
@when("{count:d} keys are set")
def keys_are_set(context: Context, count: int) -> None:
    """One after the other, each to something else."""
    replication(context).set_keys(count)


@when("{count:d} keys of {kilobytes:d} kilobytes are set")
def large_keys_are_set(context: Context, count: int, kilobytes: int) -> None:
    """The same with that much of random bytes."""
    replication(context).set_keys(count, size=kilobytes * 1000)


@then("each replica holds exactly these keys within {limit:Seconds}")
def replicas_hold_keys(context: Context, limit: float) -> None:
    """Compared byte for byte with what was acknowledged."""
    replication(context).assert_replicas(context.session.scaled(limit))


@then("each replica of Redis refuses to be written to")
def replicas_refuse_writes(context: Context) -> None:
    """They are for reading."""
    assert_that(replication(context).refusals(), only_contains("read only"), "refusals")


@then("no write to Redis is acknowledged")
def no_write_is_acknowledged(context: Context) -> None:
    """The primary refuses it, or too few replicas have it in time."""
    assert_that(replication(context).is_refused(), equal_to(True), "it is refused")


@when("{count:d} keys are set, each as soon as every replica shows the one before")
def keys_are_timed(context: Context, count: int) -> None:
    """A client of each replica reads until the key is there."""
    context.session.use(Rounds).begin(replication(context).time_keys, count)


@then("no replica shows a key earlier than {limit:Seconds} after its write began")
def replicas_are_far(context: Context, limit: float) -> None:
    """What was to keep it apart from the primary did so."""
    presume(replication(context).soonest, greater_than_or_equal_to(limit), "the soonest, in s")


@then(
    "the primary of Redis has {replica:Replica} at least {megabytes:d} MB and {limit:Seconds} behind within {patience:Seconds}"
)
def replica_is_behind(
    context: Context, replica: str, megabytes: int, limit: float, patience: float
) -> None:
    """What it has not confirmed, and for how long it has confirmed nothing."""
    stalled = has_properties(
        behind=greater_than_or_equal_to(megabytes * _MEGABYTE),
        silent=greater_than_or_equal_to(limit),
    )
    patience = context.session.scaled(patience)
    seen = replication(context).one_seen(replica, stalled.matches, patience)
    assert_that(seen, stalled, f"{replica} in the primary's eyes")


@then(
    "the primary of Redis has {replica:Replica} less than {limit:Seconds} behind within {patience:Seconds}"
)
def replica_keeps_up(context: Context, replica: str, limit: float, patience: float) -> None:
    """It is connected, and confirms what it is sent."""
    prompt = has_properties(online=True, behind=less_than(_MEGABYTE), silent=less_than(limit))
    patience = context.session.scaled(patience)
    seen = replication(context).one_seen(replica, prompt.matches, patience)
    assert_that(seen, prompt, f"{replica} in the primary's eyes")


# -- a Cluster's slots ---------------------------------------------------------
@then("each key lies on the node that has its slot, and every primary has some")
def keys_are_in_place(context: Context) -> None:
    """Each node is asked for the keys that it has, and for whose the slots are."""
    assert_that(cluster(context).misplaced(), no_deviations(), "keys out of place")


@then("a node that is asked for a key of another node answers MOVED and names that node")
def nodes_redirect(context: Context) -> None:
    """The slot is right, too."""
    assert_that(set(cluster(context).redirects()), equal_to({"moved there"}))


@then("while a slot moves from {source:Node} to {target:Node}, ASK leads to what has moved already")
@needs("redis", dedicated=True)
def ask_leads_there(context: Context, source: str, target: str) -> None:
    """A client that follows gets it; once the slot has moved, the answer is MOVED."""
    told = cluster(context).half_way(source, target)
    there = "ask there"
    wanted = {
        "moved": there,
        "new": there,
        "followed": "b'value'",
        "finished": "moved there",
    }
    assert_that(told, equal_to(wanted))


@when(
    "{clients:d} clients read and write {keys:d} keys while {slots:d} slots move from {source:Node} to {target:Node}"
)
@needs("redis", dedicated=True)
def keys_move(
    context: Context, clients: int, keys: int, slots: int, source: str, target: str
) -> None:
    """All of the keys are in slots that move; clients are at work before, meanwhile and after."""
    expected = cluster(context).use_while_moving(clients, keys, slots, source, target)
    context.session.keep(MOVED, expected)


@then("every reading shows the value that was written last")
def readings_are_right(context: Context) -> None:
    """No write is lost on its way, and none is read that has been replaced."""
    context.session.assert_history(context.session.kept(MOVED))


@when("{count:d} operations are sent to all primaries of the Cluster at once")
def operations_are_sent(context: Context, count: int) -> None:
    """INCR, by a client of each; afterwards the keys must have counted all of them."""
    context.session.use(Rounds).begin(cluster(context).measure, count)


@then("at least {rate:d} operations a second are done in the best of {rounds:d} rounds")
def operations_are_done(context: Context, rate: int, rounds: int) -> None:
    """By all primaries together; the report has what each round came to."""
    context.session.use(Rounds).judge(
        "operations of a Redis Cluster, at least",
        float,
        greater_than_or_equal_to(rate),
        rounds=rounds,
        told="{:,.0f} a second".format,
        before="200000 operations are sent to all primaries of the Cluster at once",
        best=max,
    )
