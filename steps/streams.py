"""Streams of vectors on Kafka: started, fed, balanced, broken, measured."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import (
    all_of,
    assert_that,
    contains_inanyorder,
    contains_string,
    empty,
    equal_to,
    greater_than,
    greater_than_or_equal_to,
    has_length,
    less_than,
    only_contains,
)

from stackproof import systems
from stackproof.processes.process import ManagedProcess
from stackproof.session.matching import no_deviations
from stackproof.session.measuring import Rounds
from stackproof.session.needs import needs, uses_system
from stackproof.session.premises import presume
from stackproof.session.scenario import Context, Kept
from stackproof.session.tables import column
from stackproof.vocabulary import ENDINGS

PLAIN, EXACTLY_ONCE = "vector-stream", "vector-stream-exactly-once"


#: What later steps are about.
STREAM = Kept[str]("a stream of vectors", "the vector stream is running")
INSTANCE = Kept[ManagedProcess](
    "an instance that is to end", "the vector stream is started where no broker listens"
)


def stream_of(context: Context) -> systems.VectorStream:
    """The scenario's stream of vectors: the one that was first named."""
    return context.session.use(systems.VectorStream, context.session.kept(STREAM))


def named(context: Context, stream: str) -> systems.VectorStream:
    """The stream that a step names; later steps are about it."""
    context.session.keep(STREAM, stream)
    return stream_of(context)


@given("{stream:Stream}'s topics exist")
@uses_system(PLAIN, "kafka")
@uses_system(EXACTLY_ONCE)
def stream_topics_exist(context: Context, stream: str) -> None:
    """Creates the stream's topics; starts nothing."""
    presume(named(context, stream).instances.instances, empty(), "instances that run already")


@given("{stream:Stream} is running")
@uses_system(PLAIN, "kafka")
@uses_system(EXACTLY_ONCE)
def stream_is_running(context: Context, stream: str) -> None:
    """Starts an instance of the stream on topics of the scenario's own, until it is ready."""
    named(context, stream).instances.ensure()


@given("{count:d} instances of {stream:Stream} share its partitions")
@uses_system(PLAIN, "kafka")
@uses_system(EXACTLY_ONCE)
def instances_share(context: Context, count: int, stream: str) -> None:
    """Starts instances in one group, until the broker says that the shares are equal."""
    named(context, stream).start_all(count)


@when("{stream:Stream} is started again")
@uses_system(PLAIN, "kafka")
@uses_system(EXACTLY_ONCE)
def stream_is_started(context: Context, stream: str) -> None:
    """Starts an instance of the stream, until it is ready."""
    named(context, stream).instances.start()


@when("{stream:Stream} is started and works off its input")
@uses_system(PLAIN, "kafka")
@uses_system(EXACTLY_ONCE)
def stream_works_off(context: Context, stream: str) -> None:
    """Starts an instance and waits until its group has committed all; nobody reads meanwhile."""
    named(context, stream).begin_working_off()


@when("{stream:Stream} is started where no broker listens")
@uses_system(PLAIN, "kafka")
def stream_is_started_without_broker(context: Context, stream: str) -> None:
    """Launches an instance with the address of a port that refuses connections."""
    context.session.keep(INSTANCE, named(context, stream).start_without_broker())


@when('{stream:Stream} is started too early and tells of "{reason}"')
@uses_system(PLAIN, "kafka")
@uses_system(EXACTLY_ONCE)
def stream_is_started_too_early(context: Context, stream: str, reason: str) -> None:
    """Launches an instance whose broker is away; its log tells of that."""
    named(context, stream).start_too_early(reason)


@when("{stream:Stream} is taken over by another instance after {count:d} outputs")
@uses_system(EXACTLY_ONCE, "kafka")
def stream_is_taken_over(context: Context, stream: str, count: int) -> None:
    """Starts an instance with the same transactional ID while the first is at work."""
    named(context, stream).await_some_predictions(count, within=20)
    context.session.keep(INSTANCE, stream_of(context).take_over())


@then('it ends with exit code {code:d} within {limit:Seconds} and tells of "{reason}"')
@then(
    'the older instance ends with exit code {code:d} within {limit:Seconds} and tells of "{reason}"'
)
def it_ends(context: Context, code: int, limit: float, reason: str) -> None:
    """The instance that was launched last has ended by itself, and its log says why."""
    instance = context.session.kept(INSTANCE)
    found = instance.wait(context.session.scaled(limit))
    assert_that(found, equal_to(code), instance.death())
    assert_that(instance.log_end(), contains_string(reason))


@when("{count:d} vectors are published")
@needs("kafka")
def vectors_are_published(context: Context, count: int) -> None:
    """Publishes messages of one vector each; all are acknowledged."""
    stream_of(context).publish_valid(count)


@when("{count:d} batches of {vectors:d} vectors are published")
@needs("kafka")
def batches_are_published(context: Context, count: int, vectors: int) -> None:
    """Publishes messages of many vectors each; their size is in the report."""
    stream_of(context).publish_batches(count, vectors)


@when("vectors keep arriving")
@when("{count:d} vectors keep arriving")
@needs("kafka")
def vectors_keep_arriving(context: Context, count: int = 0) -> None:
    """Publishes vectors, at least so many, until an outcome is awaited.

    The next steps happen meanwhile.
    """
    stream_of(context).begin_publishing(count)


@when("these messages are published among {count:d} vectors")
@needs("kafka")
def poison_among_vectors(context: Context, count: int) -> None:
    """Publishes one message of each kind in the table, spread among valid ones."""
    stream_of(context).publish_mixed(column(context.table, "message"), count)


@when('{number:d} messages "{flaw}" are published among {count:d} vectors')
@needs("kafka")
def much_poison_among_vectors(context: Context, number: int, flaw: str, count: int) -> None:
    """Publishes messages of one kind that cannot be processed, spread among valid ones."""
    stream_of(context).publish_mixed([flaw] * number, count)


@when("{count:d} vectors are published, each when the one before has come out")
@needs("kafka")
def vectors_one_by_one(context: Context, count: int) -> None:
    """Measures for each how long it takes from sending to the reception of what became of it."""
    context.session.use(Rounds).begin(stream_of(context).publish_one_by_one, count)


@when("{stream:Stream} {ending:Ending} after {count:d} outputs")
def stream_ends_at_work(context: Context, stream: str, ending: str, count: int) -> None:
    """Ends the oldest instance in the middle of its work: by SIGTERM, or by SIGKILL."""
    stream_of(context).end_at_work(ENDINGS[ending], after=count, within=20)


@then("every vector comes out once within {limit:Seconds}")
def every_vector_once(context: Context, limit: float) -> None:
    """Each message comes out once, in order, with its vectors and header bit by bit."""
    stream_of(context).await_predictions(within=limit)


@then("every vector comes out within {limit:Seconds}, repeated only where it was not committed")
def every_vector_comes_out(context: Context, limit: float) -> None:
    """None is lost; only those may come twice that were out but not committed at the fault."""
    stream_of(context).await_predictions(within=limit)


@then("lengths and normalised vectors are right to single precision")
def numbers_are_right(context: Context) -> None:
    """Every computed number is within 2e-6 of what double precision gives."""
    assert_that(stream_of(context).inexact(), no_deviations(), "inexact vectors")


@then("exactly these messages are set aside, unchanged, within {limit:Seconds}")
def poison_is_set_aside(context: Context, limit: float) -> None:
    """Each is a dead letter once, byte for byte with key and header, and nothing else is."""
    stream_of(context).await_dead_letters(within=limit)
    assert_that(
        stream_of(context).changed_surroundings(),
        no_deviations(),
        "dead letters that differ from their originals",
    )


@then("they are set aside for these reasons")
def reasons(context: Context) -> None:
    """The dead letters' error types are those of the table; each tells source and time."""
    expected = column(context.table, "error type")
    found = stream_of(context).dead_letters.error_types()
    assert_that(found, contains_inanyorder(*expected))
    assert_that(
        stream_of(context).without_origin(), no_deviations(), "dead letters without their origin"
    )


@then("each of {count:d} instances has done at least {percent:d} % of the work")
def work_is_balanced(context: Context, count: int, percent: int) -> None:
    """The outputs name the instance that made them."""
    shares = stream_of(context).shares_of_work()
    fair = only_contains(greater_than_or_equal_to(percent / 100))
    assert_that(shares, all_of(has_length(count), fair))


@then("more than {rate:d} messages a second are transformed in the best of {rounds:d} rounds")
def throughput(context: Context, rate: int, rounds: int) -> None:
    """From the launch of an instance to its last output, by the broker's clock.

    A round that is fast enough is the last one; others wait for a quiet machine.
    """
    context.session.use(Rounds).judge(
        "the rate",
        stream_of(context).rate,
        greater_than(rate),
        rounds=rounds,
        told="{:.0f}/s".format,
        before="the vector stream is started and works off its input",
        best=max,
    )


@then(
    "{percent:d} % of them come out in less than {limit:Seconds} in the best of {rounds:d} rounds"
)
def latency(context: Context, percent: int, limit: float, rounds: int) -> None:
    """From the call that sends a vector to the reception of what became of it.

    A round that is fast enough is the last one; others wait for a quiet machine.
    """
    context.session.use(Rounds).judge(
        f"the time that {percent} % took at most",
        lambda delays: stream_of(context).delay(delays, percent),
        less_than(limit),
        rounds=rounds,
        told="{:.4f} s".format,
        before="500 vectors are published, each when the one before has come out",
    )
