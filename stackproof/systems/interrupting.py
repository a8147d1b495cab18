"""Interrupting a pipeline, and what may rightly come twice after that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stackproof.errors import PremiseNotMet
from stackproof.history import Flow
from stackproof.polling import DeadlineExceeded, Died, poll
from stackproof.systems.background import PUBLISHED_WITHIN, Background
from stackproof.systems.labels import VALID
from stackproof.systems.observing import Outputs
from stackproof.systems.settling import Awaited, Waiting
from stackproof.texts import counted

if TYPE_CHECKING:
    from stackproof.services.kafka import KafkaFixture
    from stackproof.session.scenario import ScenarioSession
    from stackproof.settings import SystemSettings
    from stackproof.systems.attached import AttachedSystem
    from stackproof.systems.launching import RunningSystem

#: Committed offsets by topic and partition.
Offsets = Mapping[tuple[str, int], int]
#: Seconds; a paused member is removed when its session times out, 45 s unless it says otherwise.
_REMOVED_WITHIN = 60.0


class Interruptible(ABC):
    """What a pipeline has that can be interrupted in the middle of its work."""

    settings: SystemSettings
    outputs: Outputs
    group: str
    topics: Mapping[str, str]
    instances: RunningSystem | AttachedSystem
    _session: ScenarioSession
    _kafka: KafkaFixture
    waiting: Waiting
    _background: Background | None
    _committed_at_faults: Sequence[Offsets] = ()
    _members_at_fault = 0

    def await_some_outputs(self, count: int, *, within: float) -> None:
        """Wait until the pipeline is in the middle of its work: so much has come out.

        Raises:
            PremiseNotMet: there was not so much for it to do.
            AssertionError: it did not get there.
        """
        self.observe()
        awaited = Awaited(
            self.settings.noun("output"), count, lambda: len(self.outputs.reader.read()),
            lambda n: f"{n} of the first {count} {self.settings.noun('output', count)}",
            self.settings.noun("output", 2),
        )  # fmt: skip
        ended = self.waiting.wait(awaited, within=self.scaled(within))
        if ended.count >= count:
            return
        if isinstance(ended.error, Died) and not self.instances.instances:
            raise self._nobody_runs(awaited.told(ended.count)) from ended.error
        if ended.error is not None:
            raise ended.error
        self._session.assert_flow(self.output_flow())
        raise _not_at_work(f"{awaited.told(ended.count)} have come out, and all is done")

    def end_at_work(self, end: Callable[[Any], None], *, after: int, within: float) -> None:
        """End the oldest instance in the middle of its work, when so much has come out.

        Raises:
            PremiseNotMet: nothing was left to do when it ended.
        """
        self.await_some_outputs(after, within=within)
        left = self.end_one(end)
        if self._background is not None:
            self._background.go_on(within=self._session.scaled(PUBLISHED_WITHIN))
        elif left == 0:
            raise _not_at_work(f"all {self._inputs} had come out when the instance ended")

    def end_one(self, end: Callable[[Any], None]) -> int:
        """End the oldest instance; after a fault, note what its group had committed.

        Returns:
            How much of what had been put in by then was left to process.
        """
        before = len(self._session.history.snapshot().events)
        end(self.instances)
        events = self._session.history.snapshot().events[before:]
        if any(event.kind == "fault" for event in events):
            admin = self._kafka.admin
            committed = admin.committed(self.group, self.topics["input"])
            self._committed_at_faults = (*self._committed_at_faults, committed)
            self._members_at_fault = len(admin.members(self.group))
        given = self.idents(VALID)
        self.observe()
        self.outputs.reader.drain(within=self._session.scaled(15))
        left = len(given - self.outputs.received.keys())
        self._session.figure(f"{self._inputs} left at the end of the instance", str(left))
        return left

    def resume_when_removed(self) -> None:
        """Let a paused instance go on when its group has removed it, for its silence.

        Raises:
            PremiseNotMet: none is paused, or the group keeps it.
        """
        self.instances.resume(after=self._await_removal)

    def _await_removal(self) -> None:
        run = len(self.instances.instances)
        kept = self._members_at_fault * run // (run + 1)  # an instance may be several members
        try:
            poll(
                lambda: len(self._kafka.admin.members(self.group)),
                until=lambda members: members <= kept,
                within=self.scaled(_REMOVED_WITHIN),
                awaiting=f'group "{self.group}" to remove the instance that is paused',
                describe=lambda members: f"it has {counted(members, 'member')}",
                alive=self.instances.death,
            )
        except DeadlineExceeded as late:
            raise PremiseNotMet(
                "the group has not removed the instance that is paused",
                str(late),
                "shorten its session time-out, or grant the system a greater time_factor",
            ) from late

    def _rightly_repeated(self) -> int:
        """How many repetitions are no fault of the pipeline; see `rightly_repeated`."""
        if not self._committed_at_faults:
            return 0
        repeatable, repeated = rightly_repeated(
            self.positions(),
            self.outputs.received,
            self._committed_at_faults,
            self.topics["input"],
        )
        self._session.figure(f"{self._inputs} not committed at a fault", str(repeatable))
        self._session.figure("repeated rightly", str(repeated))
        return repeated

    @property
    def _inputs(self) -> str:
        return self.settings.noun("input", 2)

    @abstractmethod
    def output_flow(self) -> Flow:
        """What is expected of valid inputs."""

    @abstractmethod
    def observe(self) -> None:
        """Begin to read what comes out."""

    @abstractmethod
    def idents(self, label: str) -> set[str]:
        """Identities of what was put in under a label."""

    @abstractmethod
    def positions(self) -> list[tuple[str, int, int]]:
        """Ident, partition and offset of each input."""

    @abstractmethod
    def scaled(self, seconds: float) -> float:
        """A time limit for the system."""

    @abstractmethod
    def _nobody_runs(self, told: str) -> PremiseNotMet:
        """The error that no instance runs."""


def _not_at_work(why: str) -> PremiseNotMet:
    return PremiseNotMet(
        "the instance was not in the middle of its work when it was to be ended",
        why,
        'have messages keep arriving, e.g. by a step like "valid messages keep arriving"',
    )


def rightly_repeated(
    positions: Iterable[tuple[str, int, int]],
    received: Counter[str],
    committed_at_faults: Sequence[Offsets],
    topic: str,
) -> tuple[int, int]:
    """How many repetitions are no fault of the pipeline.

    Whoever takes over after a crash begins at the committed offsets: an input behind
    them may come out once more for each crash, one before them must not. After a
    regular stop nothing may: a pipeline that ends in order commits what it has delivered.

    Args:
        positions: ident, partition and offset of each input.
        received: how often each ident has come out.
        committed_at_faults: what the group had committed at each crash.
        topic: the input's.

    Returns:
        How many inputs might be repeated, and how many repetitions there were of these.
    """
    repeatable = repeated = 0
    for ident, partition, offset in positions:
        crashes = sum(
            offset >= committed.get((topic, partition), 0) for committed in committed_at_faults
        )
        repeatable += crashes > 0
        repeated += min(crashes, max(0, received[ident] - 1))
    return repeatable, repeated
