"""etcd and ZooKeeper: keys and nodes, leases and sessions, watches, locks and leaders."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import (
    all_of,
    assert_that,
    equal_to,
    greater_than,
    has_item,
    is_not,
)

from stackproof import faults, systems
from stackproof.faults.registers import REGISTERS, SharedRegisters
from stackproof.faults.words import to_break
from stackproof.services import etcd, zookeeper
from stackproof.session.matching import no_deviations
from stackproof.session.needs import needs_by
from stackproof.session.places import NamedPlaces
from stackproof.session.scenario import Context
from stackproof.session.tables import records
from stackproof.settings import SystemSettings
from stackproof.systems.locks import ACCEPTED, LOCKS, REFUSED
from stackproof.vocabulary import COORDINATION


def etcd_of(context: Context) -> etcd.EtcdFixture:
    """The scenario's work with its etcd."""
    return context.session.use(etcd.EtcdFixture)


def zookeeper_of(context: Context) -> zookeeper.ZooKeeperFixture:
    """The scenario's work with its ZooKeeper."""
    return context.session.use(zookeeper.ZooKeeperFixture)


# -- etcd ----------------------------------------------------------------------
@when("these keys are put")
def these_keys_are_put(context: Context) -> None:
    """Puts the keys of the table: its columns are key and value."""
    etcd_of(context).put_many(records(context.table, ("key", "value")))


@when('the keys that begin with "{prefix}" are deleted')
def keys_are_deleted(context: Context, prefix: str) -> None:
    """Deletes them in one request."""
    etcd_of(context).delete(prefix)


@then('the keys that begin with "{prefix}" are these, in order')
def keys_that_begin_with(context: Context, prefix: str) -> None:
    """What one request finds is what the table says, in the order of the keys."""
    wanted = [(row["key"], row["value"]) for row in records(context.table, ("key", "value"))]
    assert_that(list(etcd_of(context).range(prefix).items()), equal_to(wanted))


@then('the keys from "{first}" up to "{end}" are these, in order')
def keys_from_up_to(context: Context, first: str, end: str) -> None:
    """The same of a range; the second key is not in it."""
    wanted = [(row["key"], row["value"]) for row in records(context.table, ("key", "value"))]
    assert_that(list(etcd_of(context).range(first, end).items()), equal_to(wanted))


@given('the keys that begin with "{prefix}" are watched')
def keys_are_watched(context: Context, prefix: str) -> None:
    """A watcher is told of all their changes from now on, whichever member serves it."""
    etcd_of(context).watch(prefix)


@when('{count:d} changes are made to keys that begin with "{prefix}"')
def changes_are_made(context: Context, count: int, prefix: str) -> None:
    """Keys are put and deleted, one change after the other."""
    etcd_of(context).change(prefix, count)


@when(
    'at least {count:d} changes are made to keys that begin with "{prefix}" while {node:Node} {fault:Fault}'
)
@needs_by(lambda count, prefix, node, fault: to_break("etcd", fault))
def changes_while_broken(context: Context, count: int, prefix: str, node: str, fault: str) -> None:
    """Without a break: a third of them before the fault, while the node is broken, and after it."""
    etcd, fault_of_node = (
        etcd_of(context),
        faults.Faults(context.session, "etcd").fault(fault, node),
    )
    with etcd.changing(prefix):
        etcd.await_changes(count // 3)
        with fault_of_node:
            etcd.await_changes(count // 3)
        etcd.await_changes(count // 3)


@when('the keys that begin with "{prefix}" are watched from the first change on')
def keys_are_watched_from_first(context: Context, prefix: str) -> None:
    """A watcher that comes later begins at the revision of the first change."""
    etcd_of(context).watch_from_first(prefix)


@then("the watcher is told of every change within {limit:Seconds}, once and in order")
def watcher_is_told(context: Context, limit: float) -> None:
    """Nothing is skipped, told twice, altered or out of order."""
    context.session.assert_history(etcd_of(context).await_told(limit))


@when('"{key}" is put with a lease of {seconds:d} seconds')
def put_with_lease(context: Context, key: str, seconds: int) -> None:
    """Grants a lease, and puts the key with it."""
    etcd_of(context).put_leased(key, seconds)


@when('the lease of "{key}" is kept alive for {seconds:Seconds}')
def lease_is_kept_alive(context: Context, key: str, seconds: float) -> None:
    """Keeps it alive five times in its time to live; then no more."""
    etcd_of(context).keep_alive(key, seconds)


@when('the lease of "{key}" is revoked')
def lease_is_revoked(context: Context, key: str) -> None:
    """Ends it before its time."""
    etcd_of(context).revoke(key)


@then('"{key}" is there until its lease ends, and gone within {late:Seconds} after that')
def key_lives_as_long(context: Context, key: str, late: float) -> None:
    """Reads it until it is gone; the lease counts from when it was last kept alive."""
    expected = etcd_of(context).watch_life(key, context.session.scaled(late))
    context.session.assert_history(expected)


@when("{clients:d} clients each make {each:d} transfers between {count:d} accounts")
def transfers_are_made(context: Context, clients: int, each: int, count: int) -> None:
    """Each is a transaction over two keys; all accounts are read meanwhile, in one request."""
    etcd_of(context).open_accounts(count)
    etcd_of(context).transfer(clients, each)


@then("every reading of all accounts shows the same total")
def same_total(context: Context) -> None:
    """Nobody sees a transfer by half, and none overwrites another one."""
    context.session.assert_history(etcd_of(context).same_total())


# -- ZooKeeper -----------------------------------------------------------------
@when('"{client}" creates the ephemeral znode "{path}"')
def ephemeral_is_created(context: Context, client: str, path: str) -> None:
    """A client with a session of its own creates it; its content is the client's name."""
    zookeeper_of(context).create_ephemeral(client, path)


@when('"{client}", which has created "{path}", closes its session')
def session_is_closed(context: Context, client: str, path: str) -> None:
    """Ends the session in order."""
    zookeeper_of(context).close_session(client, path)


@when('{clients:d} clients each create {each:d} sequential znodes below "{path}"')
def sequential_are_created(context: Context, clients: int, each: int, path: str) -> None:
    """Side by side, each with a session of its own."""
    zookeeper_of(context).create_sequence(path, clients, each)


@then('all these znodes are below "{path}", and their numbers rise in the order of creation')
def numbers_rise(context: Context, path: str) -> None:
    """Each has a number of its own, greater than that of all that had been created before."""
    zookeeper = zookeeper_of(context)
    context.session.assert_history(zookeeper.list_sequence(path))
    assert_that(list(zookeeper.not_rising()), no_deviations())


@given('the znode "{path}" is watched once')
def znode_is_watched_once(context: Context, path: str) -> None:
    """Creates it, and sets one watch."""
    zookeeper_of(context).watch_once(path)


@given('the znode "{path}" is watched again and again')
def znode_is_watched(context: Context, path: str) -> None:
    """Creates it; whenever the watch has told, the watcher reads it and sets the next one."""
    zookeeper_of(context).watch_on(path)


@when('{count:d} changes are made to the znode "{path}"')
def znode_is_changed(context: Context, count: int, path: str) -> None:
    """Sets it, each time to something else."""
    zookeeper_of(context).change(path, count)


@then("the watch tells of a change within {limit:Seconds}, and of no other change")
def watch_tells_once(context: Context, limit: float) -> None:
    """A watch is used up by the first change."""
    assert_that(zookeeper_of(context).await_told(limit), equal_to(["CHANGED"]))


@then(
    "the watcher sees the last change within {limit:Seconds}, and reads nothing older than that afterwards"
)
def watcher_sees_last(context: Context, limit: float) -> None:
    """No change goes by without the watch of the moment telling."""
    context.session.assert_history(zookeeper_of(context).await_seen(limit))


@when('"{created}" is created and "{deleted}", which is not there, is deleted in one transaction')
def in_one_transaction(context: Context, created: str, deleted: str) -> None:
    """Sends both at once; the second one must be refused."""
    zookeeper_of(context).create_and_delete(created, deleted)


@then("the transaction is refused")
def transaction_is_refused(context: Context) -> None:
    """The server names the operation that could not be done."""
    assert_that(zookeeper_of(context).refused, equal_to(["NoNodeError"]))


# -- both: registers -----------------------------------------------------------
@when(
    "{clients:d} clients each read, write, compare and set {count:d} registers in {store:Coordination} {times:d} times"
)
def registers_are_used(context: Context, clients: int, count: int, store: str, times: int) -> None:
    """Each client with connections of its own; values are unique, and every operation is recorded."""
    shared = SharedRegisters(context.session, COORDINATION[store], clients, count)
    context.session.keep(REGISTERS, shared).use(times)


@when(
    "{clients:d} clients read, write, compare and set {count:d} registers in {store:Coordination} while {node:Node} {fault:Fault}"
)
@needs_by(lambda clients, count, store, node, fault: to_break(COORDINATION[store], fault))
def registers_while_broken(
    context: Context, clients: int, count: int, store: str, node: str, fault: str
) -> None:
    """The same before, while and after the node is broken; the service's probe proves it."""
    name = COORDINATION[store]
    broken = faults.Faults(context.session, name).fault(fault, node)
    shared = SharedRegisters(context.session, name, clients, count)
    context.session.keep(REGISTERS, shared).use_while(broken)


@then("every register is linearizable")
def every_register_is_linearizable(context: Context) -> None:
    """There is an order of single moments that explains all that was read, written and refused."""
    assert_that(context.session.kept(REGISTERS).check().ok)


# -- both: locks and leaders ---------------------------------------------------
@given("{count:d} candidates of the {lock:Component}")
@given("{count:d} clients of the {lock:Component}")
def clients_of_lock(context: Context, count: int, lock: SystemSettings) -> None:
    """Starts the component in that many processes; each is a client of one lock."""
    fields = NamedPlaces(context.session).fields(lock.services)
    context.session.keep(LOCKS, systems.LockClients(context.session, lock, fields, count))


@given("one candidate is elected, and the others stand by")
@given("one client holds the lock, and the others wait for the lock")
def one_holds_the_lock(context: Context) -> None:
    """The first client gets it, then the others ask for it."""
    context.session.kept(LOCKS).compete()


@when("each candidate is elected {times:d} times")
@when("each client holds the lock {times:d} times")
def each_holds_the_lock(context: Context, times: int) -> None:
    """Whoever holds it writes what only its holder may write, and gives it back."""
    context.session.kept(LOCKS).take_turns(times)


@when("the candidates are elected in turn while {node:Node} of {store:Coordination} {fault:Fault}")
@when("the clients hold the lock in turn while {node:Node} of {store:Coordination} {fault:Fault}")
@needs_by(lambda node, store, fault: to_break(COORDINATION[store], fault))
def turns_while_broken(context: Context, node: str, store: str, fault: str) -> None:
    """The same before, while and after the node is broken."""
    broken = faults.Faults(context.session, COORDINATION[store]).fault(fault, node)
    context.session.kept(LOCKS).turns_while(broken)


@when("the elected candidate is paused")
@when("the lock's holder is paused")
def holder_is_paused(context: Context) -> None:
    """Stops its process in its tracks; it does not know of it."""
    context.session.kept(LOCKS).break_holder("pause")


@when("the elected candidate is killed")
@when("the lock's holder is killed")
def holder_is_killed(context: Context) -> None:
    """Ends its process without a word."""
    context.session.kept(LOCKS).break_holder("kill")


@then("another candidate is elected within {limit:Seconds}")
@then("another client holds the lock within {limit:Seconds}")
def another_holds_the_lock(context: Context, limit: float) -> None:
    """The former holder's lease or session has ended."""
    assert_that(context.session.kept(LOCKS).await_successor(limit), greater_than(0))


@when("the former leader goes on")
@when("the former holder goes on")
def former_holder_goes_on(context: Context) -> None:
    """Its process runs again where it was stopped."""
    context.session.kept(LOCKS).resume()


@then("what the former leader proclaims is refused")
@then("late writes of the former holder are refused")
def late_writes_are_refused(context: Context) -> None:
    """After a write of the new holder, the former one writes with the token that it once got."""
    came = context.session.kept(LOCKS).write_late()
    assert_that(came, all_of(has_item(REFUSED), is_not(has_item(ACCEPTED))))


@then("there was one leader at a time")
@then("the lock had one holder at a time")
def one_holder_at_a_time(context: Context) -> None:
    """Nobody was granted it while another client held it, and tokens have risen."""
    assert_that(context.session.kept(LOCKS).check().ok)
