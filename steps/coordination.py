"""etcd and ZooKeeper: keys and nodes, leases and sessions, watches, locks and leaders."""

from __future__ import annotations

from behave import given
from hamcrest import assert_that, empty, has_length, is_not

from stackproof.session.needs import needs
from stackproof.session.premises import presume
from stackproof.session.scenario import Context


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
