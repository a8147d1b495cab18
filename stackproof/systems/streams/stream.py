"""A stream of vectors under test: fed, watched, broken, measured."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from stackproof.errors import step_missing
from stackproof.history import Flow
from stackproof.polling import poll
from stackproof.ports import LOOPBACK, free_port
from stackproof.services.kafka.client.messages import Message
from stackproof.session.measuring import Rounds
from stackproof.systems.labels import VALID
from stackproof.systems.observing import DeadLetters
from stackproof.systems.pipeline import Pipeline
from stackproof.systems.settling import Awaited
from stackproof.systems.streams.vectors import TransformedVectors, VectorInputs
from stackproof.systems.understanding import contract_of, dimension_of
from stackproof.texts import counted
from stackproof.workloads import Latencies

if TYPE_CHECKING:
    from stackproof.processes.process import ManagedProcess
    from stackproof.session.scenario import ScenarioSession

_MEGABYTE = 1_000_000
_BALANCED_WITHIN = 20.0
_TELLS_WITHIN = 10.0
_WORKED_OFF_WITHIN = 60.0


@dataclass(frozen=True)
class WorkedOff:
    """Inputs that an instance has worked off: since its launch, in seconds since the epoch."""

    began: float
    idents: frozenset[str]


class VectorStream(Pipeline):
    """A program that transforms vectors, with its topics and expectations.

    Exactly-once: its outputs are read as of committed transactions, and nothing may be
    repeated, whatever happens to it.
    """

    subject = "messages of vectors"
    outcome = "transformed vector"
    predictions: TransformedVectors
    inputs: VectorInputs

    def __init__(self, session: ScenarioSession, name: str):
        self.exactly_once = session.settings.system(name).exactly_once
        self.isolation = "read_committed" if self.exactly_once else "read_uncommitted"
        super().__init__(session, name)

    def _understand(self) -> None:
        dimension = dimension_of(contract_of(self.settings, "input"))
        self.inputs = VectorInputs(dimension, self._session.seed)
        self.predictions = TransformedVectors(self.inputs.sent)
        self.dead_letters = DeadLetters(contract_of(self.settings, "dead_letter"))

    def _rightly_repeated(self) -> int:
        return 0 if self.exactly_once else super()._rightly_repeated()

    # -- instances -----------------------------------------------------------
    def start_all(self, count: int) -> None:
        """Start so many instances and wait until each has its share of the partitions.

        Raises:
            DeadlineExceeded: the group does not settle, or not evenly.
        """
        for _ in range(count):
            self.instances.start()
        partitions = self._kafka.admin.partitions(self.topics["input"])
        fair = [partitions // count + (n < partitions % count) for n in range(count)]
        poll(
            lambda: sorted(map(len, self._shares().values()), reverse=True),
            until=lambda shares: shares == fair,
            within=self._scaled(_BALANCED_WITHIN),
            awaiting=f"{counted(partitions, 'partition')} to be shared as {fair}",
            describe=str,
            alive=self.instances.death,
        )

    def _shares(self) -> dict[str, list[int]]:
        return self._kafka.admin.shares(self.group, self.topics["input"])

    def shares_of_work(self) -> list[float]:
        """What fraction of the outputs each instance has made, as they say; largest first."""
        workers = self._came_out().workers
        total = sum(workers.values())
        told = ", ".join(f"{name} {n}" for name, n in workers.most_common())
        self._session.figure("messages by instance", told)
        return [n / total for _, n in workers.most_common()]

    def _came_out(self) -> TransformedVectors:
        """The outputs; an error when there is none to say something of."""
        if not self.predictions.received:
            raise step_missing(*self.predictions.needed)
        return self.predictions

    def start_without_broker(self) -> ManagedProcess:
        """Launch an instance that is told an address where nobody listens."""
        nowhere = f"{LOOPBACK}:{free_port()}"
        return self.instances.launch(kafka=nowhere)

    def start_too_early(self, telling: str) -> None:
        """Launch an instance while its broker is away, until its log tells of that.

        Raises:
            DeadlineExceeded, Died: it does not.
        """
        instance = self.instances.launch()
        poll(
            instance.log_end,
            until=lambda log: telling in log,
            within=self._scaled(_TELLS_WITHIN),
            awaiting=f'{instance.name} to tell of "{telling}"',
            describe=lambda log: log,
            alive=instance.death,
        )

    def take_over(self) -> ManagedProcess:
        """Start another instance with the same transactional ID while the oldest works.

        Returns:
            The older instance, which need not live any more.
        """
        older = self.instances.instances.pop(0)
        self._session.history.event("takeover", f"{older.name} is to be fenced")
        self.instances.start()
        return older

    # -- inputs --------------------------------------------------------------
    def publish_batches(self, count: int, vectors: int) -> None:
        """Publish so many messages of so many vectors each.

        Raises:
            PremiseNotMet: not all were acknowledged.
        """
        self.inputs.per_message = vectors
        messages = self._valid(count)
        self.note_size(messages)
        self.publish(messages)

    def note_size(self, messages: list[Message]) -> None:
        """Report how large the messages are."""
        smallest = min(len(message.value or b"") for message in messages)
        self._session.figure("smallest message", f"{smallest / _MEGABYTE:.2f} MB")

    def publish_one_by_one(self, count: int) -> Latencies:
        """Publish messages, each when the one before has come out.

        Returns:
            how long each took, in seconds: from the call that sends it to the moment an
            observer is handed the output.

        Raises:
            AssertionError: one has not come out.
        """
        self.observe()
        self.predictions.reader.read()
        delays = Latencies()
        for message in self._valid(count):
            began = time.perf_counter()
            self.publish([message])
            awaited = Awaited(
                message.ident,
                1,
                partial(self._has_come_out, message.ident),
                f"{message.ident}: {{}} of 1".format,
            )
            ended = self._waiting.wait(awaited, within=self._scaled(10))
            if ended.error is not None:
                raise ended.error
            if not ended.count:
                self._session.assert_flow(self.prediction_flow())
            delays.record(time.perf_counter() - began)
        return delays

    def _has_come_out(self, ident: str) -> bool:
        self.predictions.reader.read()
        return ident in self.predictions.received

    def delay(self, delays: Latencies, percentile: float) -> float:
        """A percentile of delays, in seconds; the usual ones are reported."""
        self._session.figure("from sending to reception", delays.told())
        return delays.percentile(percentile)

    # -- outputs -------------------------------------------------------------
    def prediction_flow(self, **rules: object) -> Flow:
        """What is expected of valid inputs."""
        if self.exactly_once:
            rules = {"guarantee": "exactly-once", **rules}
        return super().prediction_flow(**rules)

    def inexact(self) -> list[str]:
        """What is wrong with computed numbers; also when there were none to compare."""
        found = self._came_out()
        lengths, components = found.worst
        self._session.figure("vectors compared", str(found.compared))
        self._session.figure("greatest error", f"length {lengths:.1e}, component {components:.1e}")
        return found.inexact if found.compared else ["nothing was compared"]

    def begin_working_off(self) -> None:
        """Measure how an instance works off what waits; before each further round it is refilled.

        Raises:
            Late, Stalled, Died: messages are left.
        """
        again = partial(self._pile_up, self.put_in())
        self._session.use(Rounds).begin(self._work_off, prepare=again)

    def _work_off(self) -> WorkedOff:
        """Start an instance, and wait until its group has committed all; nobody reads meanwhile.

        Raises:
            Late, Stalled, Died: messages are left.
        """
        waiting = frozenset(self._idents(VALID) - self.predictions.received.keys())
        self.instances.start()
        self.wait_committed(within=_WORKED_OFF_WITHIN)
        events = self._session.history.snapshot().events
        began = max(event.at for event in events if event.text.endswith(" starts"))
        return WorkedOff(began, waiting)

    def _pile_up(self, count: int) -> None:
        """Have so many more messages wait for an instance: the one that runs is stopped."""
        self.instances.stop()
        self.publish_valid(count)

    def rate(self, worked_off: WorkedOff) -> float:
        """Messages a second, from the launch of an instance to its last output.

        The broker's clock tells when an output was there. That the program starts and joins
        its group counts as work, so nothing done before the measurement can flatter it.
        """
        if not worked_off.idents <= self.predictions.received.keys():
            self.await_predictions(within=_WORKED_OFF_WITHIN)
        appended = self.predictions.appended
        began = worked_off.began
        ended = max(appended[ident] for ident in worked_off.idents) / 1000
        count = len(worked_off.idents)
        rate = count / (ended - began) if ended > began else 0.0
        self._session.figure(
            "rate", f"{counted(count, 'message')} in {ended - began:.2f} s: {rate:.0f}/s"
        )
        return rate
