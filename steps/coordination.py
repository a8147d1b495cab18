"""etcd and ZooKeeper: keys and nodes, leases and sessions, watches, locks and leaders."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import assert_that, empty, has_length, is_not

from stackproof import faults
from stackproof.faults.registers import REGISTERS, SharedRegisters
from stackproof.faults.words import to_break
from stackproof.session.needs import needs, needs_by
from stackproof.session.premises import presume
from stackproof.session.scenario import Context
from stackproof.vocabulary import COORDINATION


@given("an etcd server")
@needs("etcd")
def an_etcd_server(context: Context) -> None:
    """A running member, alone; shared with other scenarios."""
    assert_that(context.session.endpoint("etcd").addresses, is_not(empty()))


@given("an etcd cluster of {count:Nodes}")
@needs("etcd", nodes="{count}")
def an_etcd_cluster(context: Context, count: int) -> None:
    """A running cluster of that many members."""
    presume(context.session.endpoint("etcd").addresses, has_length(count), "members")


@given("a ZooKeeper server")
@needs("zookeeper")
def a_zookeeper_server(context: Context) -> None:
    """A running server, alone; shared with other scenarios."""
    assert_that(context.session.endpoint("zookeeper").addresses, is_not(empty()))


@given("a ZooKeeper ensemble of {count:Nodes}")
@needs("zookeeper", nodes="{count}")
def a_zookeeper_ensemble(context: Context, count: int) -> None:
    """A running ensemble of that many servers."""
    presume(context.session.endpoint("zookeeper").addresses, has_length(count), "servers")


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
