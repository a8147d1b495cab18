"""Servers and clusters of any service; breaking a node while a client goes on writing to it."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import assert_that, empty, has_length, is_not, less_than_or_equal_to

from stackproof import faults
from stackproof.errors import Trouble
from stackproof.faults.restarts import rolling_restart
from stackproof.faults.words import Workload, to_break
from stackproof.faults.writing import WRITING, Writing
from stackproof.session.needs import Need, needs_by
from stackproof.session.premises import presume
from stackproof.session.scenario import Context
from stackproof.vocabulary import CLUSTERS, SERVERS, SYNCING


@given("{server:Server}")
@needs_by(lambda server: Need(SERVERS[server], False, ()))
def a_server(context: Context, server: str) -> None:
    """A running server, alone and shared with other scenarios; what is kept there is the scenario's own."""
    assert_that(context.session.endpoint(SERVERS[server]).addresses, is_not(empty()))


@given("{server:Server} of its own")
@needs_by(lambda server: Need(SERVERS[server], True, ()))
def a_server_of_its_own(context: Context, server: str) -> None:
    """A running server that no other scenario uses."""
    assert_that(context.session.endpoint(SERVERS[server]).addresses, is_not(empty()))


@given("{server:Server} that {syncing:Syncing}")
@needs_by(lambda server, syncing: synced(SERVERS[server], syncing))
def a_server_that_syncs(context: Context, server: str, syncing: str) -> None:
    """A running server, and when it makes durable what it acknowledges."""
    assert_that(context.session.endpoint(SERVERS[server]).addresses, is_not(empty()))


@given("{cluster:Cluster} of {count:Nodes}")
@needs_by(
    lambda cluster, count: Need(CLUSTERS[cluster][0], False, ((CLUSTERS[cluster][1], count),))
)
def a_cluster(context: Context, cluster: str, count: int) -> None:
    """A running cluster of that many nodes, each of which sees the others."""
    endpoint = context.session.endpoint(CLUSTERS[cluster][0])
    nodes = max(endpoint.instances, endpoint.addresses, key=len)
    presume(nodes, has_length(count), "nodes")


def synced(service: str, syncing: str) -> Need:
    """A server with the options of these words.

    Raises:
        Trouble: it does not know them.
    """
    if service not in SYNCING[syncing]:
        known = ", ".join(words for words, of in SYNCING.items() if service in of)
        raise Trouble(
            f"nobody has said how {service} {syncing}", f"known of it: {known or 'nothing'}",
            "correct the step",
        )  # fmt: skip
    return Need(service, False, SYNCING[syncing][service])


def writing(context: Context, workload: Workload) -> Writing:
    """The client that writes."""
    return context.session.keep(WRITING, Writing(context.session, workload))


@when("{workload:Workload} while {node:Node} {fault:Fault}")
@needs_by(lambda workload, node, fault: to_break(workload.service, fault, workload.options))
def write_while_broken(context: Context, workload: Workload, node: str, fault: str) -> None:
    """Writes before, while and after the node is broken; the service's probe proves it."""
    broken = faults.Faults(context.session, workload.service).fault(fault, node)
    writing(context, workload).while_broken(broken)


@when("{workload:Workload} while {node:Node} {fault:Fault}, until another node has taken over")
@needs_by(lambda workload, node, fault: to_break(workload.service, fault, workload.options))
def write_until_replaced(context: Context, workload: Workload, node: str, fault: str) -> None:
    """The same; it is not healed before others name one of them in its place."""
    broken = faults.Faults(context.session, workload.service).fault(fault, node)
    writing(context, workload).while_broken(broken, replaced=True)


@when("{workload:Workload} while all nodes are restarted, one after the other")
@needs_by(lambda workload: Need(workload.service, True, workload.options))
def write_while_restarted(context: Context, workload: Workload) -> None:
    """A rolling restart: each node is stopped when the one before is back among its peers."""
    writing(context, workload).while_restarted(
        lambda: rolling_restart(context.session, workload.service)
    )


@then("nothing acknowledged is lost")
def nothing_is_lost(context: Context) -> None:
    """All that was acknowledged is there, once, and nothing that nobody wrote."""
    context.session.kept(WRITING).assert_kept()


@then("nothing acknowledged is lost but what came at most {limit:Seconds} before the outage")
def only_the_latest_is_lost(context: Context, limit: float) -> None:
    """Of copies that are made afterwards the latest ones may be missing."""
    lost = context.session.kept(WRITING).lost(context.session.scaled(limit))
    assert_that(lost, empty(), "acknowledged before that, or after the outage, and lost")


@then("some of what was acknowledged is lost")
def something_is_lost(context: Context) -> None:
    """Where nothing is promised: the loss is found, or the scenario has shown nothing."""
    context.session.kept(WRITING).assert_lost()


@then("writes were acknowledged again at most {limit:Seconds} after the fault")
def was_served_again(context: Context, limit: float) -> None:
    """The longest time without any acknowledgement, while the fault was there and after it."""
    began, end = context.session.kept(WRITING).outage
    context.session.figure("without service", f"{end - began:.2f} s")
    assert_that(end - began, less_than_or_equal_to(context.session.scaled(limit)), "s without any")


@then("everything written before the fault is gone")
def everything_is_gone(context: Context) -> None:
    """A memory that has been lost holds nothing of old; what came after the healing is there."""
    assert_that(context.session.kept(WRITING).still_there(), empty(), "of what was written before")


@then("writes are acknowledged again within {limit:Seconds} after the fault is over")
def serves_again(context: Context, limit: float) -> None:
    """From the beginning of the healing to the first write that is acknowledged after it."""
    recovery = context.session.kept(WRITING).recovery
    assert_that(recovery, less_than_or_equal_to(context.session.scaled(limit)), "s until served")
