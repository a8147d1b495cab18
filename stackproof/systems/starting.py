"""Instances of a system that are started in another way than until they are ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackproof.errors import step_missing
from stackproof.polling import poll
from stackproof.ports import LOOPBACK, free_port
from stackproof.processes.process import describe_exit, told_end
from stackproof.services.kafka import KafkaFixture
from stackproof.texts import counted

if TYPE_CHECKING:
    from stackproof.processes.process import ManagedProcess
    from stackproof.session.scenario import ScenarioSession
    from stackproof.systems.pipeline import Pipeline

_BALANCED_WITHIN = 20.0
_LOGS_WITHIN = 10.0


class Starts:
    """Starts of one pipeline, and what became of an instance that is to end by itself.

    Args:
        session: the scenario.
        pipeline: the pipeline.
    """

    def __init__(self, session: ScenarioSession, pipeline: Pipeline):
        self._session = session
        self._pipeline = pipeline
        self._ending: ManagedProcess | None = None

    def start_all(self, count: int) -> None:
        """Start so many instances and wait until each has its share of the partitions.

        Raises:
            DeadlineExceeded: the group does not settle, or not evenly.
        """
        pipeline = self._pipeline
        for _ in range(count):
            pipeline.instances.start()
        admin, topic = self._session.use(KafkaFixture).admin, pipeline.topic("input")
        partitions = admin.partitions(topic)
        fair = [partitions // count + (n < partitions % count) for n in range(count)]
        poll(
            lambda: sorted(map(len, admin.shares(pipeline.group, topic).values()), reverse=True),
            until=lambda shares: shares == fair,
            within=pipeline.scaled(_BALANCED_WITHIN),
            awaiting=f"{counted(partitions, 'partition')} to be shared as {fair}",
            describe=str,
            alive=pipeline.instances.death,
        )

    def without_broker(self) -> None:
        """Launch an instance that is told an address where nobody listens."""
        self._ending = self._pipeline.instances.launch(kafka=f"{LOOPBACK}:{free_port()}")

    def until_it_logs(self, text: str) -> None:
        """Launch an instance, and wait until its log holds a text instead of until it is ready.

        Raises:
            DeadlineExceeded, Died: it does not.
        """
        instance = self._pipeline.instances.launch()
        poll(
            instance.log_end,
            until=lambda log: text in log,
            within=self._pipeline.scaled(_LOGS_WITHIN),
            awaiting=f'{instance.name} to log "{text}"',
            describe=lambda log: log,
            alive=instance.death,
        )

    def take_over(self, *, after: int, within: float) -> None:
        """Start an instance with the same transactional ID while the oldest is at work.

        Args:
            after: when so much has come out.
            within: seconds for that, before they are scaled.
        """
        self._pipeline.await_some_outputs(after, within=within)
        self._ending = self._pipeline.instances.instances.pop(0)
        self._session.history.event("takeover", f"{self._ending.name} is to be fenced")
        self._pipeline.instances.start()

    def await_end(self, code: int, text: str, *, within: float) -> None:
        """Wait until the instance that is to end by itself has, in the way that is asked for.

        Args:
            code: its exit code.
            text: its log holds it.
            within: seconds, before they are scaled.

        Raises:
            AssertionError: it still runs, or has ended in another way.
        """
        name = self._pipeline.settings.called
        if self._ending is None:
            before = f"the {name} is started where no broker listens"
            raise step_missing(f"an instance of the {name} that is to end by itself", before)
        instance = self._ending
        found = instance.wait(self._session.scaled(within))
        log = instance.log_end()
        if found != code:
            raise AssertionError(
                told_end(instance.name, f"{describe_exit(found)}, not with exit code {code}", log)
            )
        if text not in log:
            raise AssertionError(told_end(instance.name, f"has not logged {text!r}", log))
