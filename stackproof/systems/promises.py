"""What a pipeline may promise beside its deliveries: partitions, sizes, refusals, counters."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stackproof.errors import NotSupported, Trouble, step_missing
from stackproof.polling import DeadlineExceeded, poll
from stackproof.processes.process import describe_exit, told_end
from stackproof.services.kafka import KafkaFixture
from stackproof.services.kafka.client.messages import Message
from stackproof.systems.launching import no_instance
from stackproof.systems.observing import Outputs
from stackproof.systems.readiness import ASKED_FOR, opener
from stackproof.texts import counted

if TYPE_CHECKING:
    from stackproof.processes.process import ManagedProcess
    from stackproof.session.scenario import ScenarioSession
    from stackproof.settings.systems import Mistake
    from stackproof.systems.pipeline import Pipeline

#: How far below the limit the letters are that tell how large one gets, in bytes.
_BELOW = 8192
_LETTERS_WITHIN = 15.0
_NO_MEMBER = {
    True: "who has ended has not left the group",
    False: "not all that run have joined the group",
}
_MISTAKEN = 'the churn pipeline is started with "a value out of range"'
_WHOLE_LOG = 1000  # lines
#: How Python, the JVM and Go begin what is meant for programmers.
_STACK_TRACES = ("Traceback (most recent call last)", "Exception in thread ", "goroutine 1 [")
_SCRAPED = ("text/plain", "application/openmetrics-text")
_TOO_LARGE = "a message is published whose dead letter is 1 byte larger than its contract allows"


class Promises:
    """Checks of what a pipeline promises; not supported where it does not.

    Args:
        session: the scenario.
        pipeline: the pipeline.
    """

    def __init__(self, session: ScenarioSession, pipeline: Pipeline):
        self._session = session
        self._pipeline = pipeline
        self._refusing: tuple[ManagedProcess, Mistake] | None = None

    @property
    def _kafka(self) -> KafkaFixture:
        return self._session.use(KafkaFixture)

    def _none(self, what: str, how: str) -> NotSupported:
        name = self._pipeline.settings.name
        return NotSupported(f"the system {name} {what}", f"its settings say nothing of it: {how}")

    # -- partitions ----------------------------------------------------------
    def publish_in_turn(self, count: int) -> None:
        """Publish valid inputs to each partition in turn, wherever their keys would lead.

        Raises:
            NotSupported: the pipeline does not promise to keep partitions.
            PremiseNotMet: not all were acknowledged.
        """
        if not self._pipeline.settings.keeps_partition:
            raise self._none("does not promise to keep partitions", "keeps_partition = true")
        partitions = self._kafka.admin.partitions(self._pipeline.topics["input"])
        messages = self._pipeline.inputs.valid(count)
        self._pipeline.publish(
            [replace(m, partition=number % partitions) for number, m in enumerate(messages)]
        )

    def moved(self) -> list[str]:
        """Outputs that are in another partition than their input."""
        if not self._pipeline.outputs.reader.records:
            raise step_missing(*Outputs.needed)
        snapshot = self._session.history.snapshot()
        sends, receptions = snapshot.sends, snapshot.receptions
        came = {int(sends.ident[row]): int(sends.partition[row]) for row in range(len(sends))}
        output = snapshot.topics.index(self._pipeline.topics["output"])
        return [
            f"{snapshot.idents[ident]}: from partition {came[ident]} to {partition}"
            for row in np.flatnonzero(receptions.topic == output)
            if (ident := int(receptions.ident[row])) in came
            and (partition := int(receptions.partition[row])) != came[ident]
        ]

    # -- sizes of dead letters -----------------------------------------------
    def publish_at_limit(self, *, above: int) -> None:
        """Publish a message whose dead letter is, or would be, so far above its largest size.

        How large a letter gets is told by those of two smaller messages.

        Args:
            above: bytes above ``x-max-bytes`` of the dead letters' contract.

        Raises:
            NotSupported: the contract says no limit, or sizes cannot be told beforehand.
            PremiseNotMet, DeadlineExceeded: there was no dead letter.
        """
        limit = self._pipeline.dead_letters.contract.schema.get("x-max-bytes")
        if not isinstance(limit, int):
            raise self._none("says no limit for its dead letters", "x-max-bytes in their contract")
        length = limit - _BELOW
        sizes = [self._size_of_letter(length + more) for more in (0, 1)]
        if sizes[1] != sizes[0] + 1:
            raise self._none(
                "has dead letters whose size does not follow from their original's",
                f"a byte more made {sizes[0]} into {sizes[1]}",
            )
        self._publish_junk(length + limit - sizes[0] + above)

    def _size_of_letter(self, length: int) -> int:
        """Size of the dead letter of a message of ``length`` bytes, key included, headers not."""
        letters = self._pipeline.dead_letters
        message = self._publish_junk(length)
        self._await_letter(message, "a dead letter below the limit", _LETTERS_WITHIN)
        (letter,) = (r for r in letters.records if r.key == message.key)
        return letter.size

    def _publish_junk(self, length: int) -> Message:
        """A message that is no JSON, of letters that no encoding changes; compressed."""
        some = self._pipeline.inputs.invalid("that is not JSON")
        message = replace(some, value=b"x" * (length - len(some.key or b"")))
        self._pipeline.published_invalid.append(message)
        self._pipeline.dead_letters.expect([message])
        self._pipeline.publish([message], by=self._kafka.compressing)
        return message

    def await_omitted(self, *, within: float) -> None:
        """Wait for a dead letter without its original, of the message that was published last.

        Raises:
            AssertionError: its letter carries an original, is larger than its contract allows,
                or does not name where the original is.
        """
        if not self._pipeline.published_invalid:
            raise step_missing("a message that is too large for a dead letter", _TOO_LARGE)
        letters, message = self._pipeline.dead_letters, self._pipeline.published_invalid[-1]
        what = "the dead letter of a message that is too large for one"
        self._await_letter(message, what, within)
        partition, offset = next(
            (partition, offset)
            for ident, partition, offset in self._pipeline.positions()
            if ident == message.ident
        )
        if wrong := letters.not_omitted(message, partition, offset):
            raise AssertionError(wrong)

    def _await_letter(self, message: Message, awaiting: str, within: float) -> None:
        """Wait for the dead letter with the message's key; ``within`` in seconds, not scaled."""
        letters = self._pipeline.dead_letters
        self._pipeline.observe()
        poll(
            lambda: [r for r in letters.reader.read() if r.key == message.key],
            within=self._session.scaled(within),
            awaiting=awaiting,
            describe=lambda _: letters.counted(),
            alive=self._pipeline.instances.death,
        )

    # -- mistakes ------------------------------------------------------------
    def start_with(self, mistake: str) -> None:
        """Launch an instance with options that it must refuse.

        Raises:
            NotSupported: which ones these are is not known.
        """
        known = self._pipeline.settings.mistakes.get(mistake)
        if known is None:
            raise self._none(f"is not known to refuse {mistake}", "its section `mistakes`")
        self._refusing = self._pipeline.instances.launch(*known.options), known

    def await_refusal(self, *, within: float) -> None:
        """Wait until the instance that was started with a mistake has ended, and said why.

        Raises:
            AssertionError: it still runs, has ended as if nothing were wrong, or said nothing
                that helps.
        """
        if self._refusing is None:
            raise step_missing("a start with a mistake", _MISTAKEN)
        instance, mistake = self._refusing
        with suppress(DeadlineExceeded):
            instance.wait(self._session.scaled(within))
        code, said = instance.exit_code, instance.log_end(_WHOLE_LOG)
        if code is None:
            wrong = f"still runs {within:g} s after it was started with {mistake.options}"
        elif code <= 0:
            wrong = f"{describe_exit(code)}, which is no refusal"
        elif any(sign in said for sign in _STACK_TRACES):
            wrong = "ended with a stack trace in place of a message"
        elif mistake.told not in said:
            wrong = f"has not told of {mistake.told!r}"
        else:
            return
        raise AssertionError(told_end(instance.name, wrong, instance.log_end()))

    # -- its group -----------------------------------------------------------
    def await_members(self, count: int, *, within: float) -> None:
        """Wait until its group has so many members, in whatever state it is.

        Raises:
            DeadlineExceeded: it has not.
        """
        group, settings = self._pipeline.group, self._pipeline.settings
        if count and not settings.attach and not self._pipeline.instances.instances:
            raise no_instance(settings.name)
        poll(
            lambda: len(self._kafka.admin.members(group)),
            until=lambda found: found == count,
            within=self._session.scaled(within),
            awaiting=f'group "{group}" to have {counted(count, "member")}',
            describe=lambda found: f"{counted(found, 'member')}: {_NO_MEMBER[found > count]}",
            alive=self._pipeline.instances.death,
        )

    # -- counters ------------------------------------------------------------
    def await_counters(self, *, within: float) -> None:
        """Wait until the pipeline's own counters say what went in and came out.

        Raises:
            NotSupported: its settings name no counters.
            AssertionError: they say something else, or in another form.
        """
        metrics = self._pipeline.settings.metrics
        if not metrics.url:
            raise self._none("tells nobody its counters", "url in its section `metrics`")
        expected = {
            metrics.counters[role]: count
            for role, count in self._counted().items()
            if role in metrics.counters
        }
        poll(
            lambda: self._told(expected),
            until=lambda told: told == expected,
            within=self._session.scaled(within),
            awaiting=f"the counters at {metrics.url} to say what went in and came out",
            describe=lambda told: "; ".join(
                f"{name} is {told.get(name, 'missing')}, right is {count}"
                for name, count in expected.items()
                if told.get(name) != count
            ),
            alive=self._pipeline.instances.death,
            retry_on=(OSError,),
        )

    def _counted(self) -> dict[str, int]:
        pipeline = self._pipeline
        return {
            "received": len(pipeline.positions()),
            "outputs": len(pipeline.outputs.reader.records),
            "dead_letters": len(pipeline.dead_letters.records),
        }

    def _told(self, names: Mapping[str, int]) -> dict[str, int]:
        """Sums over all running instances and labels."""
        from prometheus_client.parser import text_string_to_metric_families as parsed

        sums: dict[str, int] = {}
        for url in self._pipeline.instances.metrics():
            with opener(url).open(url, timeout=ASKED_FOR) as answer:
                text, kind = answer.read().decode(), answer.headers.get("Content-Type", "")
            if kind.partition(";")[0].strip() not in _SCRAPED:
                raise AssertionError(
                    f"{url} answers as {kind!r}, which a Prometheus server does not take: "
                    f"{' or '.join(_SCRAPED)}"
                )
            try:
                samples = [s for family in parsed(text) for s in family.samples]
            except ValueError as error:
                raise Trouble(f"{url} does not answer with metrics", str(error)) from error
            for sample in samples:
                if sample.name in names:
                    sums[sample.name] = sums.get(sample.name, 0) + int(sample.value)
        return sums
