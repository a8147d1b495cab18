"""A pipeline on Kafka: one input topic, one output topic, one dead-letter topic."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from kafka.errors import KafkaError
from numpy.typing import NDArray

from stackproof.errors import NotSupported, PremiseNotMet
from stackproof.history import Flow, FlowVerdict
from stackproof.history.columns import Isolation, Snapshot
from stackproof.polling import DeadlineExceeded, Died, Stalled, pause
from stackproof.services.kafka import KafkaFixture
from stackproof.services.kafka.client.consuming import as_delivered
from stackproof.services.kafka.client.messages import Message
from stackproof.systems.background import PUBLISHED_WITHIN, Background
from stackproof.systems.interrupting import Interruptible
from stackproof.systems.labels import INVALID, VALID
from stackproof.systems.observing import Makes, with_reasons
from stackproof.systems.program import instances_of
from stackproof.systems.settling import QUIET, Awaited, Ended, Waiting
from stackproof.systems.topics import PipelineTopics
from stackproof.systems.understanding import understand
from stackproof.texts import counted

if TYPE_CHECKING:
    from stackproof.services.kafka.client import Publisher
    from stackproof.session.scenario import ScenarioSession

_COMMIT_WITHIN = 10.0


class Pipeline(Interruptible):
    """A pipeline under test with its topics, contracts and expectations.

    Creating it creates its topics; instances are started by `instances`.

    Attributes:
        topics: real names by role: input, output, dead_letter.
        group: real name of its consumer group; empty: not known.
        outputs: what has come out.
        dead_letters: what could not be processed.
        inputs: makes what is put in.
        isolation: what an observer is shown of its outputs.
    """

    def __init__(self, session: ScenarioSession, name: str):
        self._session = session
        self._kafka = session.use(KafkaFixture)
        settings = session.settings.system(name)
        self.settings = settings
        understood = understand(settings, session.seed)
        self.inputs: Makes = understood.inputs
        self.outputs, self.dead_letters = understood.outputs, understood.dead_letters
        self.isolation: Isolation = (
            "read_committed" if settings.exactly_once else "read_uncommitted"
        )
        session.parameters["input seed"] = str(session.seed)
        self._place = PipelineTopics(session, settings)
        self.topics, self.group = self._place.names, self._place.group
        takes = {"output": self.outputs.take, "dead_letter": self.dead_letters.take}
        for role, name in self._place.called.items():
            self._kafka.adopt(
                name, self.topics[role], takes.get(role, as_delivered), self._place.since[role],
                "read_uncommitted" if role == "input" else self.isolation,
            )  # fmt: skip
        self.instances = instances_of(
            session,
            settings,
            {"group": self.group, **self.topics},
            lambda: self._kafka.admin.active_members(self.group),
        )
        self._background: Background | None = None
        self._making = threading.Lock()
        self.waiting = Waiting(
            death=self._death,
            extinct=self.instances.extinct,
            uncommitted=self._uncommitted,
            drain=self._kafka.drain_all,
            stalled_after=self.scaled(settings.limits.stalled_after),
            quiet=self.scaled(QUIET),
        )
        self.published_invalid: list[Message] = []
        self._observed = False

    def topic(self, role: str) -> str:
        """The real name of a topic: of its input, output, or dead_letter."""
        return self.topics[role]

    def noun(self, role: str, count: int = 1) -> str:
        """What one, or so many, of its inputs or outputs are called."""
        return self.settings.noun(role, count)

    # -- inputs --------------------------------------------------------------
    def publish_valid(self, count: int) -> None:
        """Publish ``count`` valid inputs.

        Raises:
            PremiseNotMet: not all were acknowledged.
        """
        self.publish(self.make_valid(count))

    def publish_mixed(self, kinds: list[str], valid: int) -> None:
        """Publish one invalid input of each kind, spread evenly among valid ones."""
        messages = self.make_valid(valid)
        invalid = [self.inputs.invalid(kind) for kind in kinds]
        self.published_invalid += invalid
        self.dead_letters.expect(invalid)
        for number, message in enumerate(invalid, start=1):
            messages.insert(number * len(messages) // (len(invalid) + 1), message)
        self.publish(messages)

    def begin_publishing(self, at_least: int = 0) -> None:
        """Publish valid inputs in the background until an outcome is awaited."""
        self._background = Background(
            self.make_valid,
            self.publish,
            out=lambda: len(self.outputs.received),
            at_least=at_least,
            ahead=self.settings.limits.ahead,
            owner=self._session,
        )

    def finish_publishing(self) -> None:
        """End what `begin_publishing` began.

        Raises:
            PremiseNotMet: not all were acknowledged.
        """
        if self._background is not None:
            self._background.finish(within=self._session.scaled(PUBLISHED_WITHIN))

    def make_valid(self, count: int) -> list[Message]:
        """So many valid inputs; also while others are made in the background."""
        with self._making:
            return self.inputs.valid(count)

    def publish(self, messages: list[Message], by: Publisher | None = None) -> None:
        """Publish these to its input.

        Args:
            messages: in this order.
            by: another producer than the scenario's.

        Raises:
            PremiseNotMet: not all were acknowledged.
        """
        sent = (by or self._kafka.publisher).publish(
            self.topics["input"], messages, within=self._session.scaled(PUBLISHED_WITHIN)
        )
        if sent.ok != len(messages):
            raise PremiseNotMet(
                "not everything that the scenario puts in was acknowledged",
                f"published {counted(len(messages), 'message')}: {sent}",
                "nothing is said of the system; see how the broker is",
            )

    def put_in(self) -> int:
        """How many messages the scenario has put in so far, acknowledged ones."""
        return len(self.positions())

    def scaled(self, seconds: float) -> float:
        """A time limit for the system: on this machine, and as it is granted."""
        return self._session.scaled(seconds) * self.settings.limits.time_factor

    # -- outputs -------------------------------------------------------------
    def observe(self) -> None:
        """Begin to read both topics, so that a message in the wrong one is seen."""
        if self._observed:
            return
        self._observed = True
        for role, observed in {"output": self.outputs, "dead_letter": self.dead_letters}.items():
            if role in self.topics:
                observed.reader = self._kafka.reader(self.topics[role])

    def output_flow(self, guarantee: str | None = None, *, max_duplicates: int = 0) -> Flow:
        """What is expected of valid inputs.

        Args:
            guarantee: what it allows, see `Flow`; None: nothing.
            max_duplicates: so many may come out once more than they should.
        """
        if self.settings.exactly_once:
            guarantee, max_duplicates = "exactly-once", 0
        return Flow(
            self.noun("output", 2), self.topics["input"], self.topics["output"], VALID,
            completeness=self.settings.completeness, content="carried", order="offset",
            exclusive_topics=self._also("dead_letter"), guarantee=guarantee,
            max_duplicates=max_duplicates,
        )  # fmt: skip

    def dead_letter_flow(self) -> Flow:
        """What is expected of invalid inputs."""
        return Flow(
            "dead letters", self.topics["input"], self.topics["dead_letter"], INVALID,
            content="bytes", exclusive_topics=self._also("output"), sets_aside=True,
        )  # fmt: skip

    def _also(self, role: str) -> tuple[str, ...]:
        """The topic of a role, where it has one."""
        return (self.topics[role],) if role in self.topics else ()

    def await_outputs(self, *, within: float, repeated: bool = False) -> FlowVerdict:
        """Wait for the valid inputs' outputs, then check every delivery.

        Args:
            within: seconds, before they are scaled.
            repeated: one may have several, as where an instance has taken over.

        Raises:
            AssertionError: too few in time, or anomalies; explained by the history.
        """
        self.finish_publishing()
        self.observe()
        sent = self.idents(VALID)
        wanted = math.ceil(len(sent) * self.settings.completeness)

        def received() -> int:
            self.outputs.reader.read()
            if len(self.outputs.received) < wanted:
                return len(self.outputs.received)
            return len(sent & self.outputs.received.keys())

        def told(count: int) -> str:
            self.dead_letters.reader.read()
            return (
                f"{self.noun('output', 2)}: {count} of {len(sent)} valid "
                f"{self.noun('input', 2)} have come out "
                f"({_percent(count / max(1, len(sent)))}), {wanted} are needed "
                f"(completeness {self.settings.completeness:g}); "
                f"dead letters: {self.dead_letters.counted()}"
            )

        awaited = Awaited(self.noun("output"), wanted, received, told, self.noun("output", 2))
        with with_reasons(self.outputs.not_json):
            flow = partial(self.output_flow, "at-least-once" if repeated else None)
            verdict = self._await(awaited, within, flow)
        self._summarise(verdict)
        return verdict

    def check_repeats(self) -> FlowVerdict:
        """Only what was not committed at a fault has come out once more.

        Raises:
            AssertionError: something else has.
            PremiseNotMet: no outputs were awaited before.
        """
        _ = self.outputs.records  # somebody must have looked
        self._kafka.drain_all()
        return self._session.assert_flow(self.output_flow(max_duplicates=self._rightly_repeated()))

    def await_dead_letters(self, *, within: float) -> FlowVerdict:
        """Wait for the invalid inputs' dead letters, then check every delivery.

        Raises:
            AssertionError: too few in time, or anomalies; explained by the history.
            ContractViolationError: some do not conform to their contract.
        """
        self.finish_publishing()
        self.observe()
        wanted = len(self.idents(INVALID))
        awaited = Awaited(
            "dead letter",
            wanted,
            lambda: len(self.dead_letters.reader.read()),
            lambda n: f"dead letters: {n} of {wanted} ({self.dead_letters.counted()})",
        )
        with with_reasons(self.dead_letters.violations):
            verdict = self._await(awaited, within, self.dead_letter_flow)
        self.dead_letters.letters()
        return verdict

    def _await(self, awaited: Awaited, within: float, flow: Callable[[], Flow]) -> FlowVerdict:
        """Wait until all is there or more cannot come, then check every delivery."""
        ended = self.waiting.wait(awaited, within=self.scaled(within))
        if ended.error is None and ended.count >= awaited.wanted:
            ended = self._ended_with_commit(ended)
        self._kafka.drain_all()
        self._note_foreign()
        if isinstance(ended.error, Died) and not self.instances.instances:
            raise self._nobody_runs(awaited.told(ended.count)) from ended.error
        try:
            if ended.error is not None:
                self._session.check_after(ended.error, replace(flow(), settled=ended.settled))
            return self._session.assert_flow(flow())
        except (DeadlineExceeded, Died):
            raise
        except AssertionError as explained:
            if ended.count >= awaited.wanted or isinstance(ended.error, Died):
                raise
            why = f"; settled: {ended.why}" if ended.settled else ""
            headline, _, rest = str(explained).partition("\n")
            explained.args = (f"{headline}\n{awaited.told(ended.count)}{why}\n{rest}",)
            raise

    def _ended_with_commit(self, ended: Ended) -> Ended:
        """What comes after the last expected one is found too, when all is committed.

        A pipeline that has committed everything has delivered everything.
        """
        if not self.group:
            self._session.figure("what it has committed", "not known: it names no group")
            return ended
        try:
            self.wait_committed(within=_COMMIT_WITHIN)
        except (DeadlineExceeded, Died) as error:
            return replace(ended, error=error, settled=False)
        return ended

    def _nobody_runs(self, told: str) -> PremiseNotMet:
        name = self.settings.name
        return PremiseNotMet(
            f"no instance of the system {name} runs, so nothing more can come of it",
            told,
            f'start one before, e.g. by a step like "the {self.settings.called} is started"',
        )

    def _death(self) -> str | None:
        """Why nothing is to be waited for: one that should run has died, or none is to run."""
        if not self.settings.attach and not self.instances.instances:
            return f"no instance of {self.settings.name} runs"
        return self.instances.death()

    def _uncommitted(self) -> int | None:
        """How much of its input its group has not committed; None: nobody knows."""
        if not self.group:
            return None
        if self._background is not None and self._background.goes_on():
            return 1  # that is not the whole input yet, however late it comes
        try:
            return self._kafka.admin.lag(
                self.group, self.topics["input"], self._place.since["input"]
            )
        except KafkaError:  # a coordinator that is moving; it is asked again
            return 1

    def wait_committed(self, *, within: float) -> None:
        """Wait until its group has committed the whole input.

        Args:
            within: seconds, before they are scaled.

        Raises:
            NotSupported: its group is not known.
            Late, Stalled, Died: messages are left uncommitted.
            DeadlineExceeded: they are, although everything has come out.
        """
        if not self.group:
            raise NotSupported(
                f"what the system {self.settings.name} has committed cannot be known",
                "it is attached, and the settings do not name its consumer group",
                f'add group = "..." to [systems.{self.settings.name}] of stackproof.toml',
            )
        self.finish_publishing()
        try:
            self._kafka.wait_worked_off(
                self.group,
                self.topics["input"],
                within=self.scaled(within),
                alive=self._death,
                since=self._place.since["input"],
                stalled_after=self.scaled(self.settings.limits.stalled_after),
            )
        except Stalled as stalled:
            if not self.idents(VALID) <= self.outputs.received.keys():
                raise
            left = stalled.seen
            assert isinstance(left, int)
            raise DeadlineExceeded(
                f"all has come out, but {counted(left, 'message')} not committed after "
                f"{self.scaled(within):g} s: a restart would repeat that",
                left,
            ) from None

    def stay_idle(self, seconds: float) -> None:
        """Let time pass after its group has committed the whole input.

        Raises:
            DeadlineExceeded: messages are left uncommitted.
        """
        self.wait_committed(within=_COMMIT_WITHIN)
        pause(seconds)

    def _note_foreign(self) -> None:
        """Tell when somebody else uses the input, whose outputs would look like inventions."""
        if not self.settings.exact:
            return
        published = len(self.positions())
        if foreign := self._place.foreign_inputs(published):
            self._session.figure("records that somebody else has put in meanwhile", str(foreign))

    def _summarise(self, verdict: FlowVerdict) -> None:
        figures = verdict.figures
        overlap = figures.distinct / figures.attempted if figures.attempted else 0.0
        self._session.figure("sent", str(figures.attempted))
        self._session.figure("received", str(figures.received))
        self._session.figure("success rate", _percent(figures.success_rate))
        self._session.figure("ID overlap", _percent(overlap))

    # -- dead letters --------------------------------------------------------
    def own_error_type(self, name: str) -> str:
        """The system's own name for an error type of the features."""
        return self.settings.error_type(name)

    def vague_texts(self) -> list[str]:
        """Dead letters whose error text does not name the field and the rule that it breaks."""
        words = {self.own_error_type(n): text for n, text in self.settings.error_words.items()}
        return self.dead_letters.vague_texts(self.inputs.wrong_fields, words)

    def without_origin(self) -> list[str]:
        """Dead letters that do not name the topic they came from, or when they failed."""
        return self.dead_letters.without_origin(self.topics["input"])

    def changed_surroundings(self) -> list[str]:
        """Dead letters whose key or headers are not those of any message set aside."""
        return self.dead_letters.changed_surroundings(self.published_invalid)

    def positions(self) -> list[tuple[str, int, int]]:
        """Ident, partition and offset of each input."""
        snapshot = self._session.history.snapshot()
        sends = snapshot.sends
        return [
            (snapshot.idents[sends.ident[row]], int(sends.partition[row]), int(sends.offset[row]))
            for row in np.flatnonzero(self._put_in(snapshot) & (sends.offset >= 0))
        ]

    def idents(self, label: str) -> set[str]:
        """Identities of what was put in under a label."""
        snapshot = self._session.history.snapshot()
        if label not in snapshot.labels:
            return set()
        labelled = snapshot.sends.label == snapshot.labels.index(label)
        rows = np.flatnonzero(self._put_in(snapshot) & labelled)
        return {snapshot.idents[snapshot.sends.ident[row]] for row in rows}

    def _put_in(self, snapshot: Snapshot) -> NDArray[np.bool_]:
        """Which sends are its inputs; others may be those of another system."""
        topic = self.topics["input"]
        known = snapshot.topics.index(topic) if topic in snapshot.topics else -1
        return snapshot.sends.topic == known


def _percent(fraction: float) -> str:
    """Rounded down: 3998 of 4000 are not 100 %."""
    return f"{math.floor(fraction * 1000 + 1e-9) / 10:.1f}%"
