"""A pipeline on Kafka: one input topic, one output topic, one dead-letter topic."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from stackproof.clients.kafka.messages import Message
from stackproof.errors import NotSupported
from stackproof.history import Flow, Verdict
from stackproof.history.columns import Isolation
from stackproof.polling import DeadlineExceeded, Died, pause, poll
from stackproof.settings.vocabulary import FINER
from stackproof.systems.attached import AttachedSystem
from stackproof.systems.background import Background
from stackproof.systems.interrupting import Offsets, rightly_repeated
from stackproof.systems.labels import INVALID, VALID
from stackproof.systems.launching import RunningSystem, common_fields
from stackproof.systems.observing import Makes, Outputs, with_reasons
from stackproof.systems.topics import PipelineTopics
from stackproof.systems.understanding import understand

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

_COMMIT_WITHIN = 10.0
_NO_PAUSE = 0.0  # reading waits by itself


class Pipeline:
    """A pipeline under test with its topics, contracts and expectations.

    Creating it creates its topics; instances are started by `instances`.

    Attributes:
        topics: real names by role: input, output, dead_letter.
        group: real name of its consumer group; empty: not known.
        predictions: what has come out.
        dead_letters: what was set aside.
        inputs: makes what is put in.
        isolation: what an observer is shown of its outputs.
    """

    subject = "customers"
    outcome = "predictions"
    isolation: Isolation = "read_uncommitted"
    predictions: Outputs
    inputs: Makes

    def __init__(self, session: ScenarioSession, name: str):
        self._session = session
        self._kafka = session.kafka
        settings = session.settings.system(name)
        self.settings = settings
        self._understand()
        session.parameters["input seed"] = str(session.seed)
        self._place = PipelineTopics(session, settings)
        self.topics, self.group = self._place.names, self._place.group
        fields = {
            **common_fields(session),
            **self._kafka.fields,
            "group": self.group,
            **self.topics,
        }
        kind = AttachedSystem if settings.attach else RunningSystem
        self.instances = kind(
            session, settings, fields, lambda: self._kafka.admin.active_members(self.group)
        )
        self._background: Background | None = None
        self._committed_at_faults: list[Offsets] = []
        self.published_invalid: list[Message] = []
        self._observed = False

    def _understand(self) -> None:
        """Prepare what makes inputs and what understands outputs, by the contracts."""
        self.predictions, self.dead_letters, self.inputs = understand(
            self.settings, self._session.seed
        )

    # -- inputs --------------------------------------------------------------
    def publish_valid(self, count: int) -> None:
        """Publish ``count`` valid inputs.

        Raises:
            AssertionError: not all were acknowledged.
        """
        self._publish(self.inputs.valid(count))

    def publish_mixed(self, kinds: list[str], valid: int) -> None:
        """Publish one invalid input of each kind, spread evenly among valid ones."""
        messages = self.inputs.valid(valid)
        invalid = [self.inputs.invalid(kind) for kind in kinds]
        self.published_invalid += invalid
        self.dead_letters.expect(invalid)
        for number, message in enumerate(invalid, start=1):
            messages.insert(number * len(messages) // (len(invalid) + 1), message)
        self._publish(messages)

    def begin_publishing(self, count: int) -> None:
        """Publish ``count`` valid inputs in the background, in portions."""
        messages = self.inputs.valid(count)
        self._background = Background(messages, self._publish)

    def finish_publishing(self) -> None:
        """Wait for what `begin_publishing` began.

        Raises:
            AssertionError: not all were acknowledged.
        """
        if self._background is not None:
            self._background.finish(within=self._session.scaled(30))

    def _still_to_publish(self) -> int:
        return self._background.left if self._background is not None else 0

    def _publish(self, messages: list[Message]) -> None:
        sent = self._kafka.publisher.publish(
            self.topics["input"], messages, within=self._session.scaled(30)
        )
        if sent.ok != len(messages):
            raise AssertionError(f"{len(messages)} messages were published: {sent}")

    # -- outputs -------------------------------------------------------------
    def _observe(self) -> None:
        """Both topics, so that a message in the wrong one is seen."""
        if self._observed:
            return
        self._observed = True
        since = self._place.since
        self.predictions.reader = self._kafka.reader(
            self.topics["output"], self.predictions.take, since["output"], self.isolation
        )
        self.dead_letters.reader = self._kafka.reader(
            self.topics["dead_letter"],
            self.dead_letters.take,
            since["dead_letter"],
            self.isolation,
        )

    def prediction_flow(self, **rules: Any) -> Flow:
        """What is expected of valid inputs."""
        rules = {
            "completeness": self.settings.completeness,
            "content": "carried",
            "order": "offset",
            "exclusive_topics": (self.topics["dead_letter"],),
            "max_duplicates": self._rightly_repeated(),
            **rules,
        }
        return Flow(self.outcome, self.topics["input"], self.topics["output"], VALID, **rules)

    def dead_letter_flow(self) -> Flow:
        """What is expected of invalid inputs."""
        return Flow(
            "dead letters", self.topics["input"], self.topics["dead_letter"], INVALID,
            content="bytes", exclusive_topics=(self.topics["output"],),
        )  # fmt: skip

    def await_predictions(self, *, within: float) -> Verdict:
        """Wait for the valid inputs' predictions, then check every delivery.

        Raises:
            AssertionError: too few in time, or anomalies; explained by the history.
        """
        self.finish_publishing()
        self._observe()
        sent = self._idents(VALID)
        wanted = math.ceil(len(sent) * self.settings.completeness)

        def received() -> int:
            self.predictions.reader.read()
            if len(self.predictions.received) < wanted:
                return len(self.predictions.received)
            return len(sent & self.predictions.received.keys())

        def told(count: int) -> str:
            self.dead_letters.reader.read()
            return (
                f"{count} of {len(sent)} valid {self.subject} have come out "
                f"({_percent(count / max(1, len(sent)))}), {wanted} are needed "
                f"(completeness {self.settings.completeness:g}); "
                f"dead letters: {self.dead_letters.counted()}"
            )

        try:
            with with_reasons(self.predictions.not_json):
                self._await(received, wanted, told, self.outcome, within, self.prediction_flow)
        except DeadlineExceeded:
            raise
        except AssertionError as explained:
            count = len(sent & self.predictions.received.keys())
            if count >= wanted or self.instances.death():
                raise
            raise AssertionError(f"{self.outcome}: {told(count)}\n{explained}") from explained
        with with_reasons(self.predictions.not_json):
            verdict = self._session.assert_flow(self.prediction_flow())
        self._summarise(verdict)
        return verdict

    def await_dead_letters(self, *, within: float) -> Verdict:
        """Wait for the invalid inputs' dead letters, then check every delivery.

        Raises:
            AssertionError: too few in time, or anomalies; explained by the history.
            ContractViolationError: some do not conform to their contract.
        """
        self._observe()
        wanted = len(self._idents(INVALID))
        with with_reasons(self.dead_letters.violations):
            self._await(
                lambda: len(self.dead_letters.reader.read()),
                wanted,
                lambda n: f"{n} dead letters: {self.dead_letters.counted()}",
                "dead letters",
                within,
                self.dead_letter_flow,
            )
            verdict = self._session.assert_flow(self.dead_letter_flow())
        self.dead_letters.letters()
        return verdict

    def _await(
        self,
        count: Callable[[], int],
        wanted: int,
        describe: Callable[[int], str],
        what: str,
        within: float,
        flow: Callable[[], Flow],
    ) -> None:
        try:
            poll(
                count,
                until=lambda n: n >= wanted,
                within=self._session.scaled(within),
                awaiting=f"{wanted} {what}",
                describe=describe,
                alive=self.instances.death,
                first_pause=_NO_PAUSE,
                longest_pause=_NO_PAUSE,
            )
            # What comes after the last expected one is found too: a pipeline that has
            # committed everything has delivered everything.
            if self.group:
                self.wait_committed(within=_COMMIT_WITHIN)
            else:
                self._session.figure("what it has committed", "not known: it names no group")
        except (DeadlineExceeded, Died) as error:
            self._kafka.drain_all()
            self._note_foreign()
            self._session.check_after(error, flow())
        self._kafka.drain_all()
        self._note_foreign()

    def wait_committed(self, *, within: float) -> None:
        """Wait until its group has committed the whole input.

        Args:
            within: seconds, before they are scaled.

        Raises:
            NotSupported: its group is not known.
            DeadlineExceeded: messages are left uncommitted.
        """
        if not self.group:
            raise NotSupported(
                f"what the system {self.settings.name} has committed cannot be known",
                "it is attached, and the settings do not name its consumer group",
                f'add group = "..." to [systems.{self.settings.name}] of stackproof.toml',
            )
        self._kafka.wait_worked_off(
            self.group,
            self.topics["input"],
            within=self._session.scaled(within),
            alive=self.instances.death,
            since=self._place.since["input"],
        )

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
        published = len(self._positions())
        if foreign := self._place.foreign_inputs(published):
            self._session.figure("records that somebody else has put in meanwhile", str(foreign))

    def _summarise(self, verdict: Verdict) -> None:
        figures = verdict.figures
        overlap = figures.distinct / figures.attempted if figures.attempted else 0.0
        self._session.figure("sent", str(figures.attempted))
        self._session.figure("received", str(figures.received))
        self._session.figure("success rate", _percent(figures.success_rate))
        self._session.figure("ID overlap", _percent(overlap))

    # -- dead letters --------------------------------------------------------
    def own_error_type(self, name: str) -> str:
        """The system's own name for an error type of the features."""
        names = self.settings.error_types
        common = FINER.get(name, name)
        return names.get(name, names.get(common, common))

    def without_origin(self) -> list[str]:
        """Dead letters that do not name the topic they came from, or when they failed."""
        return self.dead_letters.without_origin(self.topics["input"])

    def changed_surroundings(self) -> list[str]:
        """Dead letters whose key or headers are not those of any message set aside."""
        return self.dead_letters.changed_surroundings(self.published_invalid)

    # -- faults --------------------------------------------------------------
    def await_some_predictions(self, count: int, *, within: float) -> None:
        """Wait until the pipeline is in the middle of its work: so much has come out.

        Raises:
            AssertionError: it had finished already, so nothing could be interrupted.
        """
        self._observe()
        poll(
            lambda: len(self.predictions.reader.read()),
            until=lambda n: n >= count,
            within=self._session.scaled(within),
            awaiting=f"the first {count} {self.outcome}",
            alive=self.instances.death,
            first_pause=_NO_PAUSE,
            longest_pause=_NO_PAUSE,
        )

    def end_one(self, end: Callable[[Any], None]) -> int:
        """End the oldest instance; after a fault, note what its group had committed.

        Returns:
            How many customers were left to process: whether work was interrupted at all.
        """
        before = len(self._session.history.snapshot().events)
        end(self.instances)
        events = self._session.history.snapshot().events[before:]
        self._observe()
        self.predictions.reader.drain(within=self._session.scaled(15))
        out = self.predictions.received.keys()
        left = len(self._idents(VALID) - out) + self._still_to_publish()
        self._session.figure(f"{self.subject} left at the end of the instance", str(left))
        if any(event.kind == "fault" for event in events):
            self._committed_at_faults.append(self._kafka.admin.committed(self.group))
        return left

    def _rightly_repeated(self) -> int:
        """How many repetitions are no fault of the pipeline; see `rightly_repeated`."""
        if not self._committed_at_faults:
            return 0
        repeatable, repeated = rightly_repeated(
            self._positions(),
            self.predictions.received,
            self._committed_at_faults,
            self.topics["input"],
        )
        self._session.figure(f"{self.subject} not committed at a fault", str(repeatable))
        self._session.figure("repeated rightly", str(repeated))
        return repeated

    def _positions(self) -> list[tuple[str, int, int]]:
        snapshot = self._session.history.snapshot()
        sends = snapshot.sends
        return [
            (snapshot.idents[sends.ident[row]], int(sends.partition[row]), int(sends.offset[row]))
            for row in np.flatnonzero(sends.offset >= 0)
        ]

    def _idents(self, label: str) -> set[str]:
        snapshot = self._session.history.snapshot()
        if label not in snapshot.labels:
            return set()
        rows = np.flatnonzero(snapshot.sends.label == snapshot.labels.index(label))
        return {snapshot.idents[snapshot.sends.ident[row]] for row in rows}


def _percent(fraction: float) -> str:
    """Rounded down: 3998 of 4000 are not 100 %."""
    return f"{math.floor(fraction * 1000 + 1e-9) / 10:.1f}%"
