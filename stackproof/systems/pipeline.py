"""A pipeline on Kafka: one input topic, one output topic, one dead-letter topic."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from stackproof.clients.kafka.admin import TopicSpec
from stackproof.clients.kafka.messages import Message, Received
from stackproof.errors import Trouble
from stackproof.history import Flow, Verdict, carried_digest, digest_of
from stackproof.polling import DeadlineExceeded, Died, poll
from stackproof.systems.background import Background
from stackproof.systems.contracts import Contract, ContractViolationError, lenient_object
from stackproof.systems.inputs import ORIGINAL_HEADERS, Inputs
from stackproof.systems.labels import INVALID, VALID
from stackproof.systems.launching import RunningSystem, common_fields

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession

ROLES = ("input", "output", "dead_letter")
_COMMIT_WITHIN = 10.0
_NO_PAUSE = 0.0  # reading waits by itself


class Pipeline:
    """A pipeline under test with its topics, contracts and expectations.

    Creating it creates its topics; instances are started by `start`.
    """

    def __init__(self, session: ScenarioSession, name: str):
        self._session = session
        self._kafka = session.kafka
        settings = session.settings.system(name)
        self.settings = settings
        self.topics = {role: session.own(f"{name}.{role.replace('_', '-')}") for role in ROLES}
        self.group = session.own(name)
        try:
            self.customer = Contract(settings.contracts["customer"])
            self.prediction = Contract(settings.contracts["prediction"])
            self.dead_letter = Contract(settings.contracts["dead_letter"])
        except KeyError as missing:
            raise Trouble(
                f"the system {name} has no contract {missing}",
                "the features check every message against its contract",
                f"add it to [systems.{name}.contracts] in stackproof.toml",
            ) from missing
        self._carries = {self.prediction.keyword("x-identity"), *self.prediction.carried}
        self._inputs = Inputs(self.customer, self.prediction.carried, session.seed)
        session.parameters["input seed"] = str(session.seed)
        self.instances = RunningSystem(
            session,
            settings,
            {
                **common_fields(session),
                **self._kafka.fields,
                "group": self.group,
                **self.topics,
            },
        )
        self._background: Background | None = None
        self._committed_at_faults: list[dict[tuple[str, int], int]] = []
        self.published_invalid: list[Message] = []
        self._create_topics()

    def _create_topics(self) -> None:
        from stackproof.settings import TopicSettings

        wanted = {role: self.settings.topics.get(role, TopicSettings()) for role in ROLES}
        self._kafka.admin.create(
            [TopicSpec(self.topics[r], t.partitions, t.config) for r, t in wanted.items()],
            within=self._session.scaled(10),
        )

    # -- inputs --------------------------------------------------------------
    def publish_valid(self, count: int) -> None:
        """Publish ``count`` valid inputs.

        Raises:
            AssertionError: not all were acknowledged.
        """
        self._publish(self._inputs.valid(count))

    def publish_mixed(self, kinds: list[str], valid: int) -> None:
        """Publish one invalid input of each kind, spread evenly among valid ones."""
        messages = self._inputs.valid(valid)
        invalid = [self._inputs.invalid(kind) for kind in kinds]
        self.published_invalid += invalid
        for number, message in enumerate(invalid, start=1):
            messages.insert(number * len(messages) // (len(invalid) + 1), message)
        self._publish(messages)

    def begin_publishing(self, count: int) -> None:
        """Publish ``count`` valid inputs in the background, in portions."""
        messages = self._inputs.valid(count)
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
    @cached_property
    def predictions(self) -> Any:
        """The observer of the output topic."""
        return self._kafka.reader(self.topics["output"], self._read_prediction)

    @cached_property
    def dead_letters(self) -> Any:
        """The observer of the dead-letter topic."""
        return self._kafka.reader(self.topics["dead_letter"], self._read_dead_letter)

    def _read_prediction(self, record: Received) -> tuple[str, int, int | None]:
        # Lenient: whether it conforms to its contract is asserted by a step of its own.
        digest = digest_of(record.value)
        document = lenient_object(record.value)
        if not self._carries.issubset(document):
            return record.ident, digest, None
        carried = {name: document[name] for name in self.prediction.carried}
        return str(document[self.prediction.keyword("x-identity")]), digest, carried_digest(carried)

    def _read_dead_letter(self, record: Received) -> tuple[str, int, int | None]:
        try:
            original = self.dead_letter.original(self.dead_letter.parse(record.value))
        except ContractViolationError:
            return record.ident, digest_of(record.value), None
        return record.ident, digest_of(original), None

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
        return Flow("predictions", self.topics["input"], self.topics["output"], VALID, **rules)

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
        sent = self._idents(VALID)
        wanted = math.ceil(len(sent) * self.settings.completeness)
        self._await(
            lambda: (
                len(sent & {self._read_prediction(r)[0] for r in self.predictions.read()})
                if len(self.predictions.read()) >= wanted
                else len(self.predictions.records)
            ),
            wanted,
            "predictions",
            within,
            self.prediction_flow,
        )
        verdict = self._session.assert_flow(self.prediction_flow())
        self._summarise(verdict)
        return verdict

    def await_dead_letters(self, *, within: float) -> Verdict:
        """Wait for the invalid inputs' dead letters, then check every delivery.

        Raises:
            AssertionError: too few in time, or anomalies; explained by the history.
        """
        wanted = len(self._idents(INVALID))
        self._await(lambda: len(self.dead_letters.read()), wanted, "dead letters", within,
                    self.dead_letter_flow)  # fmt: skip
        return self._session.assert_flow(self.dead_letter_flow())

    def _await(
        self, count: Any, wanted: int, what: str, within: float, flow: Callable[[], Flow]
    ) -> None:
        # Both topics are observed, so that a message in the wrong one is seen.
        _ = self.predictions, self.dead_letters
        try:
            poll(
                count,
                until=lambda n: n >= wanted,
                within=self._session.scaled(within),
                awaiting=f"{wanted} {what}",
                describe=lambda n: f"{n} {what}",
                alive=self.instances.death,
                first_pause=_NO_PAUSE,
                longest_pause=_NO_PAUSE,
            )
            # What comes after the last expected one is found too: a pipeline that has
            # committed everything has delivered everything.
            self._kafka.wait_worked_off(
                self.group,
                self.topics["input"],
                within=self._session.scaled(_COMMIT_WITHIN),
                alive=self.instances.death,
            )
        except (DeadlineExceeded, Died) as error:
            self._kafka.drain_all()
            self._session.check_after(error, flow())
        self._kafka.drain_all()

    def _summarise(self, verdict: Verdict) -> None:
        figures = verdict.figures
        overlap = figures.distinct / figures.attempted if figures.attempted else 0.0
        self._session.figure("sent", str(figures.attempted))
        self._session.figure("received", str(figures.received))
        self._session.figure("success rate", f"{figures.success_rate:.1%}")
        self._session.figure("ID overlap", f"{overlap:.1%}")

    # -- contracts -----------------------------------------------------------
    def check_predictions(self) -> None:
        """Check every prediction received so far against its contract.

        Raises:
            ContractViolationError: one does not conform.
        """
        for record in self.predictions.records:
            self.prediction.parse(record.value)

    def wrongly_keyed(self) -> list[str]:
        """Predictions whose key is not their subject's."""
        identity = self.prediction.keyword("x-identity")
        return [
            f"partition {r.partition} offset {r.offset}: key {r.key!r}, subject {subject!r}"
            for r in self.predictions.records
            if (subject := str(self.prediction.parse(r.value)[identity])).encode() != r.key
        ]

    def letters(self) -> list[dict[str, Any]]:
        """The dead letters received so far, each checked against its contract."""
        return [self.dead_letter.parse(record.value) for record in self.dead_letters.records]

    def error_types(self) -> list[str]:
        """Error types of the dead letters, in order of arrival."""
        field = self.dead_letter.keyword("x-error-type")
        return [str(letter[field]) for letter in self.letters()]

    def without_origin(self) -> list[str]:
        """Dead letters that do not name the topic they came from, or when they failed."""
        source = self.dead_letter.keyword("x-source-topic")
        failed_at = self.dead_letter.keyword("x-failed-at")
        letters = self.letters()
        if not letters:
            return ["there is no dead letter"]
        return [
            f"{letter.get(source)!r} at {letter.get(failed_at)!r}: {letter!r:.200}"
            for letter in letters
            if letter.get(source) != self.topics["input"] or not letter.get(failed_at)
        ]

    def changed_surroundings(self) -> list[str]:
        """Dead letters whose key or headers are not those of any message set aside."""
        sent = {(m.key, *sorted(m.headers.items())) for m in self.published_invalid}
        if not self.dead_letters.records:
            return ["there is no dead letter"]
        return [
            f"key {record.key!r}, headers {dict(record.headers)!r}"
            for record in self.dead_letters.records
            if not sent
            & {
                (record.key, *sorted(headers.items()))
                for headers in (record.headers, _without_own(record.headers))
            }
        ]

    # -- faults --------------------------------------------------------------
    def await_some_predictions(self, count: int, *, within: float) -> None:
        """Wait until the pipeline is in the middle of its work: so much has come out.

        Raises:
            AssertionError: it had finished already, so nothing could be interrupted.
        """
        poll(
            lambda: len(self.predictions.read()),
            until=lambda n: n >= count,
            within=self._session.scaled(within),
            awaiting=f"the first {count} predictions",
            alive=self.instances.death,
            first_pause=_NO_PAUSE,
            longest_pause=_NO_PAUSE,
        )

    def end_one(self, end: Callable[[RunningSystem], None]) -> int:
        """End the oldest instance; after a fault, note what its group had committed.

        Returns:
            How many customers were left to process: whether work was interrupted at all.
        """
        before = len(self._session.history.snapshot().events)
        end(self.instances)
        events = self._session.history.snapshot().events[before:]
        out = {self._read_prediction(r)[0] for r in self._drained(self.predictions)}
        left = len(self._idents(VALID) - out) + self._still_to_publish()
        self._session.figure("customers left at the end of the instance", str(left))
        if any(event.kind == "fault" for event in events):
            self._committed_at_faults.append(self._kafka.admin.committed(self.group))
        return left

    def _rightly_repeated(self) -> int:
        """How many repetitions are no fault of the pipeline.

        Whoever takes over after a crash begins at the committed offsets: a customer behind
        them may be predicted once more for each crash, one before them must not. After a
        regular stop nothing may: a pipeline that ends in order commits what it has delivered.
        """
        if not self._committed_at_faults:
            return 0
        topic = self.topics["input"]
        received = Counter(self._read_prediction(r)[0] for r in self.predictions.records)
        repeatable = repeated = 0
        for ident, partition, offset in self._positions():
            crashes = sum(
                offset >= committed.get((topic, partition), 0)
                for committed in self._committed_at_faults
            )
            repeatable += crashes > 0
            repeated += min(crashes, max(0, received[ident] - 1))
        self._session.figure("customers not committed at a fault", str(repeatable))
        self._session.figure("repeated rightly", str(repeated))
        return repeated

    def _drained(self, reader: Any) -> list[Received]:
        return reader.drain(within=self._session.scaled(15))

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


def _without_own(headers: Mapping[str, bytes]) -> dict[str, bytes]:
    """Headers without those that a pipeline may add about its own work."""
    return {name: value for name, value in headers.items() if name in ORIGINAL_HEADERS}
