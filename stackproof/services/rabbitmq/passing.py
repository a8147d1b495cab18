"""Messages that are published to a queue and consumed from it while something breaks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial

from pika.exceptions import AMQPError

from stackproof.services.fixture import Scenario
from stackproof.services.rabbitmq.consuming import Consumer
from stackproof.services.rabbitmq.publishing import Message, Publisher
from stackproof.workloads import Task

#: Seconds between two messages, and between two attempts to connect.
_PACE, _AGAIN = 0.01, 0.2
#: Messages that must be confirmed, and consumed, before a fault, during it and after it.
_AMONG = 30
_WITHIN = 60.0


class Passing:
    """A publisher and a consumer in the background; each goes to another node after a failure.

    Args:
        scenario: whose they are.
        queue: its real name.
        nodes: to which they connect.
        publisher: makes one that is connected to a node.
        consumer: the same.
        messages: what is published next.
    """

    def __init__(
        self,
        scenario: Scenario,
        queue: str,
        nodes: Sequence[str],
        *,
        publisher: Callable[[str], Publisher],
        consumer: Callable[[str], Consumer],
        messages: Callable[[], Sequence[Message]],
    ):
        self._scenario, self._queue = scenario, queue
        self._within = scenario.scaled(_WITHIN)
        self._publisher, self._consumer, self._messages = publisher, consumer, messages
        self._confirmed = self._consumed = 0
        self._tasks = [
            Task(partial(self._at_nodes, nodes, do), name=name, owner=scenario)
            for name, do in (("publishing", self._publish), ("consuming", self._consume))
        ]

    @property
    def passed(self) -> tuple[int, int]:
        """How many messages have been confirmed, and how many acknowledged."""
        return self._confirmed, self._consumed

    def _at_nodes(self, nodes: Sequence[str], do: Callable[[str, Task], None], task: Task) -> None:
        for node in itertools.cycle(nodes):
            try:
                do(node, task)
            except (AMQPError, OSError) as error:
                self._scenario.history.event("note", f"{task.name} at {node}: {error!r}")
            if not task.pause(_AGAIN):
                return

    def _publish(self, node: str, task: Task) -> None:
        publisher = self._publisher(node)
        while task.pause(_PACE):
            sent = publisher.publish(self._messages(), queue=self._queue)
            self._confirmed += sent.ok
            if sent.unknown:
                return

    def _consume(self, node: str, task: Task) -> None:
        consumer = self._consumer(node)
        before = self._consumed
        try:
            while not task.stopping and consumer.ended is None:
                consumer.work_off()
                self._consumed = before + len(consumer.done)
        finally:
            consumer.close()

    def through(self, fault: AbstractContextManager[object]) -> None:
        """Go on before, while and after something is broken.

        Raises:
            DeadlineExceeded: too few messages passed.
        """
        self._await("before the fault")
        with fault:
            self._await("during the fault")
        self._await("after the fault")
        for task in self._tasks:
            task.end(within=self._within)

    def _await(self, while_: str) -> None:
        before = self.passed
        for number, task in enumerate(self._tasks):
            task.await_(
                partial(lambda number: self.passed[number] - before[number], number),
                until=lambda more: more >= _AMONG,
                within=self._within,
                awaiting=f"{task.name} to get on by {_AMONG} messages {while_}",
            )
