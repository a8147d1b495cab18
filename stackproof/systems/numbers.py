"""What only a pipeline of vectors has: batches, computed numbers, the instance that computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackproof.errors import Trouble, step_missing
from stackproof.systems.vectors import TransformedVectors, VectorInputs

if TYPE_CHECKING:
    from stackproof.session.scenario import ScenarioSession
    from stackproof.systems.pipeline import Pipeline

_MEGABYTE = 1_000_000


class Numbers:
    """A pipeline's vectors.

    Args:
        session: the scenario.
        pipeline: the pipeline.

    Raises:
        Trouble: its messages are no vectors.
    """

    def __init__(self, session: ScenarioSession, pipeline: Pipeline):
        if not isinstance(pipeline.inputs, VectorInputs):
            raise Trouble(
                f"the {pipeline.settings.called} has no vectors",
                "its input's contract has no x-dimension",
                "use steps about messages of any form",
            )
        assert isinstance(pipeline.outputs, TransformedVectors)
        self._session = session
        self._pipeline = pipeline
        self._inputs, self._outputs = pipeline.inputs, pipeline.outputs

    def publish_batches(self, count: int, vectors: int) -> None:
        """Publish so many messages of so many vectors each; their size is reported.

        Raises:
            PremiseNotMet: not all were acknowledged.
        """
        self._inputs.per_message = vectors
        messages = self._pipeline.make_valid(count)
        smallest = min(len(message.value or b"") for message in messages)
        self._session.figure("smallest message", f"{smallest / _MEGABYTE:.2f} MB")
        self._pipeline.publish(messages)

    def _came_out(self) -> TransformedVectors:
        """The outputs; an error when there is none to say something of."""
        if not self._outputs.received:
            raise step_missing(*self._outputs.needed)
        return self._outputs

    def inexact(self) -> list[str]:
        """What is wrong with computed numbers; also when there were none to compare."""
        found = self._came_out()
        lengths, components = found.worst
        self._session.figure("vectors compared", str(found.compared))
        self._session.figure("greatest error", f"length {lengths:.1e}, component {components:.1e}")
        return found.inexact if found.compared else ["nothing was compared"]

    def shares_of_work(self) -> list[float]:
        """What fraction of the outputs each instance has made, as they say; largest first."""
        workers = self._came_out().workers
        total = sum(workers.values())
        told = ", ".join(f"{name} {n}" for name, n in workers.most_common())
        self._session.figure("messages by instance", told)
        return [n / total for _, n in workers.most_common()]
