"""How quick a pipeline is: its latency message by message, its rate through a backlog."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from stackproof.session.measuring import Rounds
from stackproof.systems.labels import VALID
from stackproof.systems.settling import Awaited
from stackproof.workloads import Latencies

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession
    from stackproof.systems.pipeline import Pipeline

_COMES_OUT_WITHIN = 10.0
_WORKED_OFF_WITHIN = 60.0


class Timing:
    """Measurements of one pipeline.

    Args:
        session: the scenario.
        pipeline: the pipeline.
    """

    def __init__(self, session: ScenarioSession, pipeline: Pipeline):
        self._session = session
        self._pipeline = pipeline

    # -- one by one ----------------------------------------------------------
    def publish_one_by_one(self, count: int) -> dict[str, Latencies]:
        """Publish valid inputs, each when the one before has come out.

        Returns:
            how long each took, in seconds: from the call that sends it to the moment an
            observer is handed the output.

        Raises:
            AssertionError: one has not come out.
        """
        pipeline = self._pipeline
        pipeline.observe()
        pipeline.outputs.reader.read()
        delays = Latencies()
        for message in pipeline.make_valid(count):
            began = time.perf_counter()
            pipeline.publish([message])
            awaited = Awaited(
                message.ident,
                1,
                partial(self._has_come_out, message.ident),
                f"{message.ident}: {{}} of 1".format,
            )
            ended = pipeline.waiting.wait(awaited, within=pipeline.scaled(_COMES_OUT_WITHIN))
            if ended.error is not None:
                raise ended.error
            if not ended.count:
                self._session.assert_flow(pipeline.output_flow())
            delays.record(time.perf_counter() - began)
        return {"processing": delays}

    def _has_come_out(self, ident: str) -> bool:
        self._pipeline.outputs.reader.read()
        return ident in self._pipeline.outputs.received

    # -- a backlog -----------------------------------------------------------
    def begin_working_off(self) -> None:
        """Measure how an instance works off what waits; before each further round it is refilled.

        Raises:
            Late, Stalled, Died: messages are left.
        """
        again = partial(self._pile_up, self._pipeline.put_in())
        self._session.use(Rounds).begin(self._work_off, prepare=again)

    def _work_off(self) -> dict[str, float]:
        """Messages a second, from the launch of an instance to its last output.

        Nobody reads until its group has committed all. The broker's clock tells when an output was
        there. That the program starts and joins its group counts as work, so nothing done before
        the measurement can flatter it.

        Raises:
            Late, Stalled, Died: messages are left, or outputs missing.
        """
        pipeline = self._pipeline
        waiting = frozenset(pipeline.idents(VALID) - pipeline.outputs.received.keys())
        pipeline.instances.start()
        pipeline.wait_committed(within=_WORKED_OFF_WITHIN)
        events = self._session.history.snapshot().events
        began = max(event.at for event in events if event.text.endswith(" starts"))
        if not waiting <= pipeline.outputs.received.keys():
            pipeline.await_outputs(within=_WORKED_OFF_WITHIN)
        ended = max(pipeline.outputs.appended[ident] for ident in waiting) / 1000
        return {"processing": len(waiting) / (ended - began) if ended > began else 0.0}

    def _pile_up(self, count: int) -> None:
        """Have so many more messages wait for an instance: the one that runs is stopped."""
        self._pipeline.instances.stop()
        self._pipeline.publish_valid(count)
