"""etcd and ZooKeeper: keys and nodes, leases and sessions, watches, locks and leaders."""

from __future__ import annotations

from behave import given
from hamcrest import has_length

from stackproof.session.needs import needs
from stackproof.session.premises import presume
from stackproof.session.scenario import Context


@given("an etcd server")
@needs("etcd")
def an_etcd_server(context: Context) -> None:
    """A running member, alone; shared with other scenarios."""
    presume(context.session.endpoint("etcd").addresses, has_length(1), "members")
