"""Systems under test, by the names and nouns of stackproof.toml: started, fed, watched, broken."""

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
from stackproof.session.measuring import Rounds
from stackproof.session.premises import presume
from stackproof.session.scenario import Context
from stackproof.session.tables import column
from stackproof.settings import SystemSettings
from stackproof.vocabulary import INTERRUPTIONS


def systems_of(context: Context) -> systems.Systems:
    """The scenario's systems: each is made, with its topics, when a step first names it."""
    return context.session.use(systems.Systems)


def promises_of(context: Context, pipeline: systems.Pipeline) -> systems.Promises:
    """What a system may promise beside its deliveries."""
    return context.session.use(systems.Promises, pipeline)


def starts_of(context: Context, pipeline: systems.Pipeline) -> systems.Starts:
    """Other ways to start a system than until it is ready."""
    return context.session.use(systems.Starts, pipeline)


def timing_of(context: Context, pipeline: systems.Pipeline) -> systems.Timing:
    """How quick a system is."""
    return context.session.use(systems.Timing, pipeline)


# -- starting --------------------------------------------------------------------
@given("the {system:System}'s topics exist")
def topics_exist(context: Context, system: SystemSettings) -> None:
    """Creates its input, output and dead-letter topics; starts nothing."""
    pipeline = systems_of(context).named(system)
    pipeline.instances.absent()
    presume(pipeline.instances.instances, empty(), "instances that run already")


@given("the {system:System} is running")
def system_is_running(context: Context, system: SystemSettings) -> None:
    """Starts an instance on topics of the scenario's own, until it is ready."""
    systems_of(context).program(system).instances.ensure()


@given("a second instance of the {system:System} is running")
def second_instance_is_running(context: Context, system: SystemSettings) -> None:
    """Starts one more instance, in the same consumer group where it has one."""
    program = systems_of(context).program(system)
    program.instances.start()
    presume(program.instances.instances, has_length(2), "instances that run")


@given("{count:d} instances of the {system:System} share its partitions")
def instances_share(context: Context, count: int, system: SystemSettings) -> None:
    """Starts instances in one group, until the broker says that the shares are equal."""
    starts_of(context, systems_of(context).named(system)).start_all(count)


@when("the {system:System} is started")
@when("the {system:System} is started again")
def system_is_started(context: Context, system: SystemSettings) -> None:
    """Starts an instance, until it is ready."""
    systems_of(context).program(system).instances.start()


@when('the {system:System} is started with "{mistake}"')
def system_is_started_wrongly(context: Context, system: SystemSettings, mistake: str) -> None:
    """Launches an instance with options that it must refuse; stackproof.toml says which."""
    promises_of(context, systems_of(context).named(system)).start_with(mistake)


@then("the {system:System} refuses to start within {limit:Seconds} and says why")
def system_refuses(context: Context, system: SystemSettings, limit: float) -> None:
    """It has ended with an error and a message of what is wrong, not with a stack trace."""
    promises_of(context, systems_of(context).named(system)).await_refusal(within=limit)


@when("the {system:System} is started where no broker listens")
def system_is_started_without_broker(context: Context, system: SystemSettings) -> None:
    """Launches an instance with the address of a port that refuses connections."""
    starts_of(context, systems_of(context).named(system)).without_broker()


@when('the {system:System} is started and logs "{text}"')
def system_is_started_and_logs(context: Context, system: SystemSettings, text: str) -> None:
    """Launches an instance and waits until its log holds the text, not until it is ready."""
    starts_of(context, systems_of(context).named(system)).until_it_logs(text)


@when("another instance of the {system:System} takes over after {count:d} {outputs:Outputs}")
def system_is_taken_over(
    context: Context, system: SystemSettings, count: int, outputs: str
) -> None:
    """Starts an instance with the same transactional ID while the first is at work."""
    starts_of(context, systems_of(context).named(system)).take_over(after=count, within=20)


@then('the {system:System} ends with exit code {code:d} within {limit:Seconds} and logs "{text}"')
@then(
    'the older instance of the {system:System} ends with exit code {code:d} within {limit:Seconds} and logs "{text}"'
)
def system_ends(
    context: Context, system: SystemSettings, code: int, limit: float, text: str
) -> None:
    """The instance has ended by itself, and its log says why."""
    starts_of(context, systems_of(context).named(system)).await_end(code, text, within=limit)


# -- what goes in ----------------------------------------------------------------
@when("{count:d} valid {inputs:Inputs} are published")
def valid_inputs(context: Context, count: int, inputs: str) -> None:
    """Publishes valid inputs, generated from the contract; all are acknowledged."""
    systems_of(context).having(inputs).publish_valid(count)


@when("{count:d} valid {inputs:Inputs} are published round-robin to all partitions")
def valid_inputs_in_turn(context: Context, count: int, inputs: str) -> None:
    """Publishes valid inputs to each partition in turn, wherever their keys would lead."""
    promises_of(context, systems_of(context).having(inputs)).publish_in_turn(count)


@when(
    "{count:d} valid {inputs:Inputs} are published one by one, each after the output of the one before"
)
def valid_inputs_one_by_one(context: Context, count: int, inputs: str) -> None:
    """Measures for each how long it takes from sending to the reception of its output."""
    timing = timing_of(context, systems_of(context).having(inputs))
    context.session.use(Rounds).begin(timing.publish_one_by_one, count)


@when("valid {inputs:Inputs} keep arriving")
def valid_inputs_keep_arriving(context: Context, inputs: str) -> None:
    """Publishes valid inputs until an outcome is awaited; the next steps happen meanwhile."""
    systems_of(context).having(inputs).begin_publishing()


@when('a message "{flaw}" is published among {count:d} valid {inputs:Inputs}')
@when('{number:d} messages "{flaw}" are published among {count:d} valid {inputs:Inputs}')
def invalid_among_valid(
    context: Context, flaw: str, count: int, inputs: str, number: int = 1
) -> None:
    """Publishes invalid messages of one kind, spread evenly among valid ones."""
    systems_of(context).having(inputs).publish_mixed([flaw] * number, count)


@when("these messages are published among {count:d} valid {inputs:Inputs}")
def several_invalid_among_valid(context: Context, count: int, inputs: str) -> None:
    """Publishes one invalid message of each kind in the table, spread among valid ones."""
    systems_of(context).having(inputs).publish_mixed(column(context.table, "message"), count)


@when("a message is published whose dead letter is as large as its contract allows")
@when("a message is published whose dead letter is {above:d} byte larger than its contract allows")
def invalid_at_the_limit(context: Context, above: int = 0) -> None:
    """Publishes an invalid message; two smaller ones have told how large its letter gets."""
    promises_of(context, systems_of(context).current).publish_at_limit(above=above)


# -- what comes out --------------------------------------------------------------
@then("every valid {input:Input} gets one {output:Output} within {limit:Seconds}")
def every_input_gets_one_output(context: Context, input: str, output: str, limit: float) -> None:
    """Each valid input comes out exactly once, in order, with its own identity and fields."""
    systems_of(context).having(input, output).await_outputs(within=limit)


@then("every valid {input:Input} gets at least one {output:Output} within {limit:Seconds}")
def every_input_gets_outputs(context: Context, input: str, output: str, limit: float) -> None:
    """Each valid input comes out, in order, with its own identity and fields; none is lost."""
    systems_of(context).having(input, output).await_outputs(within=limit, repeated=True)


@then("only {inputs:Inputs} with uncommitted offsets get a second {output:Output}")
def only_uncommitted_repeated(context: Context, inputs: str, output: str) -> None:
    """Only those come out once more whose offsets were not committed at the crash or pause."""
    systems_of(context).having(inputs, output).check_repeats()


@then("each {output:Output} satisfies its contract")
def outputs_satisfy_contract(context: Context, output: str) -> None:
    """Every output conforms to its contract, and there is at least one."""
    outputs = systems_of(context).having(output).outputs
    presume(outputs.records, has_length(greater_than(0)), "outputs received")
    outputs.check()


@then("each {output:Output} is keyed like its {input:Input}")
def outputs_keyed(context: Context, output: str, input: str) -> None:
    """The message key of every output is its input's identity."""
    found = systems_of(context).having(output, input).outputs.wrongly_keyed()
    assert_that(found, no_deviations(), "wrongly keyed outputs")


@then("each {output:Output} is in the partition of its {input:Input}")
def outputs_in_partitions(context: Context, output: str, input: str) -> None:
    """Each output has the partition that its input was published to."""
    moved = promises_of(context, systems_of(context).having(output, input)).moved()
    assert_that(moved, no_deviations(), "moved outputs")


@then("the {system:System}'s counters agree within {limit:Seconds}")
def counters_agree(context: Context, system: SystemSettings, limit: float) -> None:
    """Its own counters are the numbers of messages that went in, came out and were dead-lettered."""
    promises_of(context, systems_of(context).named(system)).await_counters(within=limit)


@then("the {system:System}'s lag is zero within {limit:Seconds}")
def lag_is_zero(context: Context, system: SystemSettings, limit: float) -> None:
    """Its group has committed its whole input: a restart would repeat nothing."""
    pipeline = systems_of(context).named(system)
    presume(pipeline.put_in(), greater_than(0), "messages put in")
    pipeline.wait_committed(within=limit)


@then("the {system:System}'s group has {count:d} member within {limit:Seconds}")
def group_has_members(context: Context, system: SystemSettings, count: int, limit: float) -> None:
    """Who was stopped has told the group, and does not hold its partitions until a time-out."""
    promises_of(context, systems_of(context).named(system)).await_members(count, within=limit)


# -- dead letters ----------------------------------------------------------------
@then("exactly that message is dead-lettered, unchanged, within {limit:Seconds}")
@then("exactly these messages are dead-lettered, unchanged, within {limit:Seconds}")
def dead_lettered(context: Context, limit: float) -> None:
    """Each invalid message has one dead letter, byte for byte, and nothing else has one."""
    systems_of(context).current.await_dead_letters(within=limit)


@then("the dead letter tells that message's offset instead of carrying it, within {limit:Seconds}")
def letter_without_original(context: Context, limit: float) -> None:
    """The letter is no larger than its contract allows, and tells where the original is."""
    promises_of(context, systems_of(context).current).await_omitted(within=limit)


@then('the dead letter\'s error type is "{error_type}"')
def letter_has_error_type(context: Context, error_type: str) -> None:
    """The one dead letter conforms to its contract and has the system's name for this error."""
    pipeline = systems_of(context).current
    expected = [pipeline.own_error_type(error_type)]
    assert_that(pipeline.dead_letters.error_types(), equal_to(expected))


@then("the dead letters' error types are")
def letters_have_error_types(context: Context) -> None:
    """The dead letters' error types are those of the table, in the system's names."""
    pipeline = systems_of(context).current
    expected = [pipeline.own_error_type(name) for name in column(context.table, "error type")]
    assert_that(pipeline.dead_letters.error_types(), contains_inanyorder(*expected))


@then("each dead letter names its source topic and time")
def letters_name_their_origin(context: Context) -> None:
    """Each tells the topic that its original came from, and when that failed."""
    found = systems_of(context).current.without_origin()
    assert_that(found, no_deviations(), "dead letters without their origin")


@then("each dead letter's error text names the field and the rule that it breaks")
def letters_explain(context: Context) -> None:
    """Each text names the field that is wrong, and the rule in the system's own words for it."""
    found = systems_of(context).current.vague_texts()
    assert_that(found, no_deviations(), "vague error texts")


@then("each dead letter has the key and headers of its original")
def letters_carry_key_and_headers(context: Context) -> None:
    """Key and headers of each dead letter are those of the message that was dead-lettered."""
    found = systems_of(context).current.changed_surroundings()
    assert_that(found, no_deviations(), "dead letters that differ from their originals")


# -- interrupting ----------------------------------------------------------------
@when("the {system:System} {interruption:Interruption} after {count:d} {outputs:Outputs}")
def system_is_interrupted(
    context: Context, system: SystemSettings, interruption: str, count: int, outputs: str
) -> None:
    """Stops (SIGTERM), kills or pauses (SIGSTOP) the oldest instance in the middle of its work."""
    pipeline = systems_of(context).named(system)
    pipeline.end_at_work(INTERRUPTIONS[interruption], after=count, within=20)


@when("the {system:System} is resumed after its group has removed it")
def system_is_resumed(context: Context, system: SystemSettings) -> None:
    """Waits until its session has timed out, then lets the paused instance go on: by SIGCONT."""
    systems_of(context).named(system).resume_when_removed()


@when("the {system:System} {interruption:Interruption}")
def system_is_ended(context: Context, system: SystemSettings, interruption: str) -> None:
    """Stops (SIGTERM), kills or pauses (SIGSTOP) the oldest instance."""
    systems_of(context).program(system).end_one(INTERRUPTIONS[interruption])


@when("the {system:System} has been idle for {duration:Seconds}")
def system_is_idle(context: Context, system: SystemSettings, duration: float) -> None:
    """Lets time pass after its lag is zero: idle, an instance may behave otherwise."""
    systems_of(context).named(system).stay_idle(duration)


# -- figures ---------------------------------------------------------------------
@when("the {system:System} is started and processes its backlog")
def system_works_off(context: Context, system: SystemSettings) -> None:
    """Starts an instance and waits until its lag is zero; nobody reads meanwhile."""
    timing_of(context, systems_of(context).named(system)).begin_working_off()
