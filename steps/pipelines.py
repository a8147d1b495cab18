"""Pipelines on Kafka: started, fed, watched, broken."""

from __future__ import annotations

from behave import given, then, when
from hamcrest import (
    assert_that,
    contains_inanyorder,
    empty,
    equal_to,
    greater_than,
    has_length,
)

from stackproof import systems
from stackproof.session.matching import no_deviations
from stackproof.session.needs import uses_system
from stackproof.session.premises import presume
from stackproof.session.scenario import Context
from stackproof.session.tables import column
from stackproof.vocabulary import ENDINGS

PIPELINE = "churn-pipeline"


def pipeline_of(context: Context) -> systems.JsonPipeline:
    """The scenario's churn pipeline; created with its topics at the first call."""
    return context.session.use(systems.JsonPipeline, PIPELINE)


def promises_of(context: Context) -> systems.Promises:
    """What the churn pipeline may promise beside its deliveries."""
    return context.session.use(systems.Promises, pipeline_of(context))


@given("the churn pipeline's topics exist")
@uses_system(PIPELINE, "kafka")
def pipeline_topics_exist(context: Context) -> None:
    """Creates the pipeline's input, output and dead-letter topics; starts nothing."""
    pipeline_of(context).instances.absent()
    presume(pipeline_of(context).instances.instances, empty(), "instances that run already")


@given("the churn pipeline is running")
@uses_system(PIPELINE, "kafka")
def pipeline_is_running(context: Context) -> None:
    """Starts an instance of the pipeline on topics of the scenario's own, until it is ready."""
    pipeline_of(context).instances.ensure()


@when("the churn pipeline is started")
@when("the churn pipeline is started again")
@uses_system(PIPELINE, "kafka")
def pipeline_is_started(context: Context) -> None:
    """Starts an instance of the pipeline on topics of the scenario's own, until it is ready."""
    pipeline_of(context).instances.start()


@when('the churn pipeline is started with "{mistake}"')
@uses_system(PIPELINE, "kafka")
def pipeline_is_started_wrongly(context: Context, mistake: str) -> None:
    """Launches an instance with options that it must refuse; stackproof.toml says which."""
    promises_of(context).start_with(mistake)


@then("it refuses to start within {limit:Seconds} and says why")
def it_refuses(context: Context, limit: float) -> None:
    """It has ended with an error and a message of what is wrong, not with a stack trace."""
    promises_of(context).await_refusal(within=limit)


@given("a second instance of the churn pipeline is running")
@uses_system(PIPELINE, "kafka")
def second_instance_is_running(context: Context) -> None:
    """Starts one more instance in the same consumer group."""
    pipeline_of(context).instances.start()
    presume(pipeline_of(context).instances.instances, has_length(2), "instances that run")


@when("{count:d} valid customers are published")
def valid_customers_are_published(context: Context, count: int) -> None:
    """Publishes valid customers, generated from the contract; all are acknowledged."""
    pipeline_of(context).publish_valid(count)


@when("{count:d} valid customers are published to each partition in turn")
def valid_customers_in_turn(context: Context, count: int) -> None:
    """Publishes valid customers to partitions that their keys need not lead to."""
    promises_of(context).publish_in_turn(count)


@when("a message is published whose dead letter is as large as its contract allows")
def invalid_at_the_limit(context: Context) -> None:
    """Publishes an invalid message; two smaller ones have told how large its letter gets."""
    promises_of(context).publish_at_limit(above=0)


@when("a message is published whose dead letter is {above:d} byte larger than its contract allows")
def invalid_above_the_limit(context: Context, above: int) -> None:
    """Publishes an invalid message; two smaller ones have told how large its letter would get."""
    promises_of(context).publish_at_limit(above=above)


@when('a message "{flaw}" is published among {count:d} valid customers')
def invalid_among_valid(context: Context, flaw: str, count: int) -> None:
    """Publishes one invalid message in the middle of valid ones."""
    pipeline_of(context).publish_mixed([flaw], count)


@when('{number:d} messages "{flaw}" are published among {count:d} valid customers')
def many_invalid_among_valid(context: Context, number: int, flaw: str, count: int) -> None:
    """Publishes invalid messages of one kind, spread evenly among valid ones."""
    pipeline_of(context).publish_mixed([flaw] * number, count)


@when("these messages are published among {count:d} valid customers")
def several_invalid_among_valid(context: Context, count: int) -> None:
    """Publishes one invalid message of each kind in the table, spread among valid ones."""
    pipeline_of(context).publish_mixed(column(context.table, "message"), count)


@when("valid customers keep arriving")
@when("{count:d} valid customers keep arriving")
def valid_customers_keep_arriving(context: Context, count: int = 0) -> None:
    """Publishes valid customers, at least so many, until an outcome is awaited.

    The next steps happen meanwhile.
    """
    pipeline_of(context).begin_publishing(count)


@then("every valid customer gets one prediction within {limit:Seconds}")
def every_customer_gets_one_prediction(context: Context, limit: float) -> None:
    """Each valid customer is predicted exactly once, in order, with its own identity and time."""
    pipeline_of(context).await_predictions(within=limit)


@then("every valid customer gets a prediction within {limit:Seconds}, "
      "repeated only where it was not committed")  # fmt: skip
def every_customer_gets_a_prediction(context: Context, limit: float) -> None:
    """None is lost; only those may come twice that were out but not committed at the fault."""
    pipeline_of(context).await_predictions(within=limit)


@then("each prediction satisfies its contract")
def predictions_satisfy_contract(context: Context) -> None:
    """Every prediction conforms to the JSON Schema, and there is at least one."""
    records = pipeline_of(context).predictions.records
    presume(records, has_length(greater_than(0)), "predictions received")
    pipeline_of(context).predictions.check()


@then("each prediction is keyed like its customer")
def predictions_keyed(context: Context) -> None:
    """The message key of every prediction is its customer's identity."""
    assert_that(
        pipeline_of(context).predictions.wrongly_keyed(),
        no_deviations(),
        "wrongly keyed predictions",
    )


@then("each prediction is in the partition of its customer")
def predictions_in_partitions(context: Context) -> None:
    """Each prediction has the partition that its customer was published to."""
    assert_that(promises_of(context).moved(), no_deviations(), "moved predictions")


@then("the churn pipeline's counters say the same within {limit:Seconds}")
def counters_agree(context: Context, limit: float) -> None:
    """Its own counters are the numbers of messages that went in, came out and were set aside."""
    promises_of(context).await_counters(within=limit)


@then("the churn pipeline's group has {count:d} member within {limit:Seconds}")
def group_has_members(context: Context, count: int, limit: float) -> None:
    """Who was stopped has told the group, and does not hold its partitions until a time-out."""
    promises_of(context).await_members(count, within=limit)


@then("the dead-letter topic receives exactly that message, unchanged, within {limit:Seconds}")
@then("the dead-letter topic receives exactly these messages, unchanged, within {limit:Seconds}")
def dead_letters_exactly(context: Context, limit: float) -> None:
    """Each invalid message is set aside once, byte for byte, and nothing else is."""
    pipeline_of(context).await_dead_letters(within=limit)


@then("a dead letter names that message without carrying it, within {limit:Seconds}")
def letter_without_original(context: Context, limit: float) -> None:
    """The letter is no larger than its contract allows, and tells where the original is."""
    promises_of(context).await_omitted(within=limit)


@then('the dead letter names the error "{error_type}", its source and the time')
def letter_names_its_error(context: Context, error_type: str) -> None:
    """The one dead letter conforms to its contract and tells error, source topic and time."""
    pipeline = pipeline_of(context)
    expected = [pipeline.own_error_type(error_type)]
    assert_that(pipeline.dead_letters.error_types(), equal_to(expected))
    assert_that(pipeline.without_origin(), no_deviations(), "dead letters without their origin")


@then("the dead letters name these errors, their source and the time")
def letters_name_their_errors(context: Context) -> None:
    """The dead letters' error types are those of the table; each tells source topic and time."""
    pipeline = pipeline_of(context)
    expected = [pipeline.own_error_type(name) for name in column(context.table, "error type")]
    assert_that(pipeline.dead_letters.error_types(), contains_inanyorder(*expected))
    assert_that(pipeline.without_origin(), no_deviations(), "dead letters without their origin")


@then("the dead letters' error texts name the field and the rule that it breaks")
def letters_explain(context: Context) -> None:
    """Each text names the field that is wrong, and the rule in the system's own words for it."""
    assert_that(pipeline_of(context).vague_texts(), no_deviations(), "vague error texts")


@then("the dead letters carry the keys and headers of their originals")
def letters_carry_key_and_headers(context: Context) -> None:
    """Key and headers of each dead letter are those of the message that was set aside."""
    assert_that(
        pipeline_of(context).changed_surroundings(),
        no_deviations(),
        "dead letters that differ from their originals",
    )


@when("the churn pipeline {ending:Ending} after {count:d} predictions")
def pipeline_ends_at_work(context: Context, ending: str, count: int) -> None:
    """Ends the oldest instance in the middle of its work: by SIGTERM, or by SIGKILL."""
    pipeline_of(context).end_at_work(ENDINGS[ending], after=count, within=15)


@when("the churn pipeline is paused after {count:d} predictions")
def pipeline_is_paused(context: Context, count: int) -> None:
    """Holds the oldest instance in the middle of its work, without its knowledge: by SIGSTOP."""
    pipeline_of(context).end_at_work(lambda system: system.pause(), after=count, within=15)


@when("the churn pipeline goes on after its group has removed it")
def pipeline_goes_on(context: Context) -> None:
    """Waits until its session has timed out, then lets the paused instance go on: by SIGCONT."""
    pipeline_of(context).resume_when_removed()


@when("the churn pipeline {ending:Ending}")
def pipeline_ends(context: Context, ending: str) -> None:
    """Ends the oldest instance: by SIGTERM, or by SIGKILL."""
    pipeline_of(context).end_one(ENDINGS[ending])


@when("the churn pipeline has had nothing to do for {duration:Seconds}")
def pipeline_is_idle(context: Context, duration: float) -> None:
    """Lets time pass after the input is worked off: idle, an instance may behave otherwise."""
    pipeline_of(context).stay_idle(duration)


@then("the churn pipeline has committed its whole input within {limit:Seconds}")
def whole_input_committed(context: Context, limit: float) -> None:
    """The pipeline's group has no lag: a restart would repeat nothing."""
    presume(pipeline_of(context).put_in(), greater_than(0), "messages put in")
    pipeline_of(context).wait_committed(within=limit)
