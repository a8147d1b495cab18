"""Sinks of events under test: what they are handed, what arrives, how they bear failures."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import (
    all_of,
    assert_that,
    contains_string,
    empty,
    equal_to,
    greater_than,
    has_entry,
    has_length,
    not_,
    only_contains,
)

from stackproof import faults, systems
from stackproof.faults.words import to_break
from stackproof.session.measuring import Rounds
from stackproof.session.needs import Need, needs_by
from stackproof.session.premises import presume
from stackproof.session.scenario import Context
from stackproof.settings import SystemSettings
from stackproof.systems.sinks.known import LAST, OVERFLOWS, SERVICES, service_of


def sink_of(context: Context, sink: SystemSettings) -> systems.EventSink:
    """The sink under test."""
    return context.session.use(systems.EventSink, sink.name)


def faults_of(context: Context, sink: SystemSettings) -> faults.Faults:
    """What the scenario breaks of its server."""
    return context.session.use(faults.Faults, service_of(sink))


def node_of(context: Context, sink: SystemSettings) -> str:
    """The node that it is connected to."""
    return next(iter(context.session.endpoint(service_of(sink)).addresses))


def to_break_behind(sink: SystemSettings, fault: str) -> Need:
    """A server of its own, which keeps what it has acknowledged when it crashes."""
    service = service_of(sink)
    return to_break(service, fault, SERVICES[service])


# -- starting ------------------------------------------------------------------
@given("the {sink:Component} was started")
def sink_was_started(context: Context, sink: SystemSettings) -> None:
    """Makes the component of that section of stackproof.toml, and calls its `start`."""
    sink_of(context, sink).run()


@given("the {sink:Component} was started where nobody listens")
def sink_is_alone(context: Context, sink: SystemSettings) -> None:
    """Its server's address is one where there is none."""
    sink_of(context, sink).run_alone()


@given("the {sink:Component} was started in {count:d} processes at the same moment")
def sinks_were_started(context: Context, sink: SystemSettings, count: int) -> None:
    """So many of them, which bring their events to the same place."""
    sink_of(context, sink).run(processes=count)


@given("the {sink:Component} was started with a stream of at most {most:d} entries")
def sink_trims(context: Context, sink: SystemSettings, most: int) -> None:
    """The field `{max_length}` of its options is this number."""
    sink_of(context, sink).run(max_length=most)


@when("the {sink:Component} is started again")
def sink_is_started_again(context: Context, sink: SystemSettings) -> None:
    """Ends its process, and starts another one with the same settings."""
    sink_of(context, sink).run()


@given(
    "the {sink:Component} was started with a buffer of {size:d} events that {overflow:Overflow} when it is full"
)
def sink_has_buffer(context: Context, sink: SystemSettings, size: int, overflow: str) -> None:
    """The fields `{buffer}` and `{overflow}` of its options are these; `{batch}` is 1."""
    sink_of(context, sink).run_with_buffer(size, OVERFLOWS[overflow])


@given(
    "the {sink:Component} was started with a circuit that opens after {failures:d} failures for {reset:Seconds}"
)
def sink_has_breaker(context: Context, sink: SystemSettings, failures: int, reset: float) -> None:
    """The fields `{failures}` and `{reset}` of its options are these."""
    sink_of(context, sink).run(failures=failures, reset=reset)


@then('the {sink:Component} refuses the URL "{url}" and says "{told}"')
def sink_refuses_url(context: Context, sink: SystemSettings, url: str, told: str) -> None:
    """It cannot be made with it; the message has no password in it."""
    message = sink_of(context, sink).refusal(url)
    assert_that(message, all_of(contains_string(told), not_(contains_string("secret"))))


# -- handing over --------------------------------------------------------------
@given("{count:d} events were handed to the {sink:Component}")
@when("{count:d} events are handed to the {sink:Component}")
def events_are_handed(context: Context, count: int, sink: SystemSettings) -> None:
    """Distinct ones of many contents, one after the other."""
    sink_of(context, sink).hand(count)


@when("nothing is handed to the {sink:Component} for {time:Seconds}")
def nothing_is_handed(context: Context, sink: SystemSettings, time: float) -> None:
    """Its server may take a connection for dead on which nothing moves."""
    sink_of(context, sink).rest(time)


@when("{count:d} events are handed to the {sink:Component} by {threads:d} threads")
def events_are_handed_by_threads(
    context: Context, count: int, sink: SystemSettings, threads: int
) -> None:
    """The same, side by side."""
    sink_of(context, sink).hand(count, threads=threads)


@when("the same {count:d} events are handed to the {sink:Component} and the {other:Component}")
def events_are_handed_to_both(
    context: Context, count: int, sink: SystemSettings, other: SystemSettings
) -> None:
    """Each event to both, one after the other."""
    sink_of(context, sink).hand_with(sink_of(context, other), count)


@given("the {sink:Component} was flushed")
@when("the {sink:Component} is flushed")
def sink_is_flushed(context: Context, sink: SystemSettings) -> None:
    """Calls its `flush`, which returns when all is delivered."""
    sink_of(context, sink).flush()


@then("within {limit:Seconds} the {sink:Component} says that {count:d} events are not delivered")
def events_are_not_delivered(
    context: Context, limit: float, sink: SystemSettings, count: int
) -> None:
    """Its `flush` tells it by an error, with this number."""
    told = sink_of(context, sink).flush_in_vain(limit)
    assert_that(told, contains_string(str(count)))


@when("the {sink:Component} has tried to deliver them")
def sink_has_tried(context: Context, sink: SystemSettings) -> None:
    """Calls its `flush`, which may say that something is not delivered."""
    sink_of(context, sink).try_to_deliver()


@when("the {sink:Component} is stopped")
def sink_is_stopped(context: Context, sink: SystemSettings) -> None:
    """Calls its `stop`, which delivers what it has taken; its process stays."""
    sink_of(context, sink).stop()


# -- what is broken ------------------------------------------------------------
@when("the server behind the {sink:Component} {fault:Fault}")
@needs_by(to_break_behind)
def server_is_broken(context: Context, sink: SystemSettings, fault: str) -> None:
    """Breaks it until it recovers; an independent client proves the effect."""
    begun = faults_of(context, sink).begin(fault, node_of(context, sink))
    sink_of(context, sink).broken()
    assert_that(begun.active)


@when("the server behind the {sink:Component} recovers")
def server_recovers(context: Context, sink: SystemSettings) -> None:
    """Heals it; an independent client proves that it answers."""
    faults_of(context, sink).heal_all()


@when("events are handed to the {sink:Component} before, while and after its server {fault:Fault}")
@needs_by(to_break_behind)
def events_while_broken(context: Context, sink: SystemSettings, fault: str) -> None:
    """Goes on all the time; the fault lasts until the sink has tried its server again."""
    broken = faults_of(context, sink).fault(fault, node_of(context, sink))
    sink_of(context, sink).hand_while(broken)


@when("the network between the {sink:Component} and its server is cut")
def network_is_cut(context: Context, sink: SystemSettings) -> None:
    """Its connections end, and so does each that it begins."""
    sink_of(context, sink).cut()


@when("the network between the {sink:Component} and its server is mended")
def network_is_mended(context: Context, sink: SystemSettings) -> None:
    """It can connect again."""
    sink_of(context, sink).gate.reopen()


# -- what arrives --------------------------------------------------------------
@then(
    "within {limit:Seconds} every event of the {sink:Component} has arrived once, unchanged and in order"
)
def every_event_arrives(context: Context, limit: float, sink: SystemSettings) -> None:
    """Each that it has taken is in its stream or queue, and nothing else is.

    A sink that does not promise exactly-once may deliver events twice after a failure.
    """
    expected = sink_of(context, sink).await_all(limit)
    assert_that(context.session.assert_history(expected).ok)


@then("every event of the {sink:Component} is there by then, once, unchanged and in order")
def every_event_is_there(context: Context, sink: SystemSettings) -> None:
    """The same at this moment, without waiting."""
    expected = sink_of(context, sink).await_all(0)
    assert_that(context.session.assert_history(expected).ok)


@then(
    "within {limit:Seconds} exactly the {which:WhichEvents} {count:d} events of the {sink:Component} have arrived since then"
)
def exactly_some_arrive(
    context: Context, limit: float, which: str, count: int, sink: SystemSettings
) -> None:
    """Of those since its server was broken; what it may have in hand besides is one batch."""
    expected = sink_of(context, sink).await_some(which, count, limit)
    assert_that(context.session.assert_history(expected).ok)


@then("exactly the last {count:d} events of the {sink:Component} are in its stream")
def exactly_the_last(context: Context, count: int, sink: SystemSettings) -> None:
    """It is flushed before; the others were trimmed, and no more than those."""
    sink_of(context, sink).flush()
    expected = sink_of(context, sink).await_some(LAST, count, 0)
    assert_that(context.session.assert_history(expected).ok)


@then("the {sink:Component} has refused the last {count:d} of them")
def events_are_refused(context: Context, sink: SystemSettings, count: int) -> None:
    """Its `handle_event` has told by an error that its buffer is full; of these, and of no others."""
    tested = sink_of(context, sink)
    assert_that(tested.refused, equal_to(tested.last(count)), "events that were refused")


@when("a program goes on to hand {count:d} events to the {sink:Component}")
def program_hands(context: Context, count: int, sink: SystemSettings) -> None:
    """In the background, each when the one before was taken."""
    sink_of(context, sink).hand_on(count)


@then("the {sink:Component} takes {count:d} of them, and then none for {time:Seconds}")
def sink_blocks(context: Context, sink: SystemSettings, count: int, time: float) -> None:
    """Whoever hands over the next one waits. What it may have in hand besides is one batch."""
    sink_of(context, sink).await_blocked(count, time)


@then("the {sink:Component} takes the others within {limit:Seconds}")
def sink_takes_others(context: Context, sink: SystemSettings, limit: float) -> None:
    """Whoever has waited goes on."""
    sink_of(context, sink).await_taken(limit)


@then("the {sink:Component} leaves its server alone, but for one try every {reset:Seconds}")
def server_is_left_alone(context: Context, sink: SystemSettings, reset: float) -> None:
    """After the failures that open its circuit, until three more tries have been made."""
    expected = sink_of(context, sink).await_left_alone(reset)
    assert_that(context.session.assert_history(expected).ok)


@then("the {sink:Component} has connected to its server once")
def has_connected_once(context: Context, sink: SystemSettings) -> None:
    """Since it was started."""
    assert_that(sink_of(context, sink).gate.tries, has_length(1), "times of connections")


@then("the {sink:Component} has left neither a thread nor a connection within {limit:Seconds}")
def nothing_is_left(context: Context, sink: SystemSettings, limit: float) -> None:
    """Its process has what it had before the start."""
    assert_that(sink_of(context, sink).await_nothing_left(limit), empty(), "left behind")


# -- what only one kind of server has --------------------------------------------
@then("the stream of the {sink:Component} has one consumer group")
def stream_has_one_group(context: Context, sink: SystemSettings) -> None:
    """The one that its option names; it begins with the first entry."""
    assert_that(sink_of(context, sink).groups(), has_length(1), "consumer groups")


@when("no queue takes what the {sink:Component} publishes")
def no_queue_takes(context: Context, sink: SystemSettings) -> None:
    """The binding of its queue is removed; a sink that has made it may make it again."""
    sink_of(context, sink).queue_of("unbind").unbind()


@when("a queue takes what the {sink:Component} publishes")
def a_queue_takes(context: Context, sink: SystemSettings) -> None:
    """Its queue is bound again."""
    sink_of(context, sink).queue_of("bind").bind()


@then("every message of the {sink:Component} is persistent")
def messages_are_persistent(context: Context, sink: SystemSettings) -> None:
    """Its delivery mode says that the broker is to keep it on its disk."""
    traits = sink_of(context, sink).traits
    presume(traits, not_(empty()), "messages that have arrived")
    assert_that(traits, only_contains(has_entry("persistent", True)))


@then(
    "within {limit:Seconds} events of the {sink:Component} that a consumer rejects are dead-lettered, each once and unchanged"
)
def rejected_are_dead_lettered(context: Context, limit: float, sink: SystemSettings) -> None:
    """All that have arrived are rejected; the dead letters name that as their reason."""
    expected = sink_of(context, sink).reject_all(limit)
    assert_that(context.session.assert_history(expected).ok)


@then("the same events have arrived from the {sink:Component} and the {other:Component}")
def same_events(context: Context, sink: SystemSettings, other: SystemSettings) -> None:
    """Equal sets of IDs, and equal contents."""
    first, second = sink_of(context, sink).arrived, sink_of(context, other).arrived
    presume(first, not_(empty()), "events that have arrived")
    assert_that(second, equal_to(first))


# -- speed -----------------------------------------------------------------------
@when(
    "{count:d} events are sent by the {sink:Component} one by one and {batch:d} at once, {times:d} times each"
)
def batches_are_measured(
    context: Context, count: int, sink: SystemSettings, batch: int, times: int
) -> None:
    """In turn, each over one connection, after a first time that does not count; the medians."""
    speed = context.session.use(systems.SinkSpeed, sink.name)
    context.session.use(Rounds).begin(speed.measure, count, batch, times)


@then("sending at once is more than {factor:d} times as fast in the best of {rounds:d} rounds")
def batches_are_faster(context: Context, factor: int, rounds: int) -> None:
    """By the server's clock; the round-trip time at which it would be 82 times is in the report."""
    context.session.use(Rounds).judge(
        "sending at once against one by one",
        float,
        greater_than(factor),
        rounds=rounds,
        told="{:.1f} times as fast".format,
        before="1000 events are sent by the redis-sink one by one and 100 at once, 3 times each",
        best=max,
    )
