"""Clients that do one operation after the other, in the background.

A closed loop measures how long operations take. When one of them stalls, its client asks for
nothing meanwhile, so a stall counts once, however many people would have felt it. An open loop
asks at a rate whatever happens, and counts from when an operation was due: what a stall holds up
is counted, too.
"""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import NotRequired, Protocol, TypedDict, Unpack

from stackproof.polling import DeadlineExceeded, Died, poll
from stackproof.texts import counted
from stackproof.workloads.latencies import Latencies
from stackproof.workloads.task import Endable, Owner, Task


class Clock(Protocol):
    """What loops pace and measure by; seconds."""

    def now(self) -> float:
        """The time, from whenever on."""

    def pause(self, task: Task, seconds: float) -> bool:
        """Let ``seconds`` pass; False: the task is to end."""


class _Clock:
    def now(self) -> float:
        return time.perf_counter()

    def pause(self, task: Task, seconds: float) -> bool:
        return task.pause(seconds)


class How(TypedDict):
    """How clients work.

    Attributes:
        clients: how many.
        name: what they are, for people, e.g. "readers".
        owner: the scenario, with which they end at the latest.
        count: so many operations, and no more; None: until they are ended.
        clock: another one than the machine's.
    """

    clients: int
    name: str
    owner: NotRequired[Owner | None]
    count: NotRequired[int | None]
    clock: NotRequired[Clock]


class Loop(Endable):
    """Clients that work until they are ended; a context manager that ends them.

    An operation that raises ends all of them, and is told where they are awaited or ended. What
    may fail without that, the operation records itself.

    Args:
        operation: gets its number, from 0; called from several threads.
        how: see `How`.

    Attributes:
        latencies: of what is done.
    """

    def __init__(self, operation: Callable[[int], object], **how: Unpack[How]):
        name, clients, owner = how["name"], how["clients"], how.get("owner")
        self.name = name
        self.latencies = Latencies()
        self._operation = operation
        self._count = how.get("count")
        self._clock: Clock = how.get("clock") or _Clock()
        self._next = 0
        self._lock = threading.Lock()
        self._done = [0] * clients
        self._began = self._clock.now()
        self._tasks: list[Task] = []
        self._ending = threading.Event()
        for client in range(clients):
            self._tasks.append(Task(self._as(client), name=f"{name} {client + 1}", owner=owner))
            if self._ending.is_set():  # an earlier one has failed before this one was there
                self._tasks[-1].stop()

    @abstractmethod
    def _do(self, task: Task, number: int) -> bool:
        """Do and measure one operation; False: it is to end."""

    def _as(self, client: int) -> Callable[[Task], None]:
        def work(task: Task) -> None:
            try:
                while (number := self._take(task)) is not None and self._do(task, number):
                    self._done[client] += 1
            except BaseException:
                self.stop()
                raise

        return work

    def _take(self, task: Task) -> int | None:
        """The number of the next operation; None: there is none."""
        with self._lock:
            if task.stopping or self._next == self._count:
                return None
            self._next += 1
            return self._next - 1

    @property
    def done(self) -> int:
        """How many operations are done."""
        return sum(self._done)

    def await_more(self, count: int, *, within: float, while_: str, each: bool = False) -> None:
        """Wait until so many more are done.

        Args:
            count: how many.
            within: seconds.
            while_: what is going on, for the error.
            each: by each client.

        Raises:
            BaseException: the error of an operation.
            Died: the clients have ended before.
            DeadlineExceeded: fewer are.
        """
        before = list(self._done)

        def more() -> int:
            done = [now - then for now, then in zip(self._done, before, strict=True)]
            return min(done) if each else sum(done)

        try:
            poll(
                more,
                until=lambda found: found >= count,
                within=within,
                awaiting=f"{counted(count, 'more operation')} of {self.name} {while_}",
                alive=lambda: next(filter(None, (task.death() for task in self._tasks)), None),
            )
        except Died:
            self._check()
            raise

    def _check(self) -> None:
        for task in self._tasks:
            task.check()

    @property
    def running(self) -> bool:
        """Whether a client is still at work."""
        return any(task.running for task in self._tasks)

    def stop(self) -> None:
        """Begin no further operation; `end` waits for those under way."""
        self._ending.set()
        for task in self._tasks:
            task.stop()

    def wait(self, *, within: float) -> None:
        """Wait until all is done: ``count`` operations, or those under way when it was stopped.

        Args:
            within: seconds.

        Raises:
            BaseException: the error of an operation.
            DeadlineExceeded: one is still under way.
        """
        deadline = time.monotonic() + within
        late: DeadlineExceeded | None = None
        for task in self._tasks:
            try:
                task.wait(within=max(0.0, deadline - time.monotonic()))
            except DeadlineExceeded as error:  # of it, or of an operation, which `_check` tells
                late = late or error
        self._check()
        if late is not None:
            raise late

    def end(self, *, within: float) -> None:
        """Begin no further operation, and wait for those under way; see `wait`."""
        self.stop()
        self.wait(within=within)


class ClosedLoop(Loop):
    """Each client does its next operation when the last one has ended; see `Loop`."""

    def _do(self, task: Task, number: int) -> bool:
        began = self._clock.now()
        self._operation(number)
        self.latencies.record(self._clock.now() - began)
        return True


class OpenLoop(Loop):
    """Operations are due at a rate; a latency counts from when one was due. See `Loop`.

    What was due and could not be begun before the end counts, too: as long as it had waited then.

    Args:
        rate: operations a second, of all clients together.

    Attributes:
        unsent: operations that were due and never begun; known after the end.
    """

    def __init__(self, operation: Callable[[int], object], *, rate: float, **how: Unpack[How]):
        self._rate = rate
        self._stopped: float | None = None
        self.unsent = 0
        super().__init__(operation, **how)

    def _due(self, number: int) -> float:
        return self._began + number / self._rate

    def _do(self, task: Task, number: int) -> bool:
        due = self._due(number)
        wait = due - self._clock.now()
        if wait > 0 and not self._clock.pause(task, wait):
            return False
        self._operation(number)
        self.latencies.record(self._clock.now() - due)
        return True

    def stop(self) -> None:
        """See `Loop.stop`."""
        if self._stopped is None:
            self._stopped = self._clock.now()
        super().stop()

    def wait(self, *, within: float) -> None:
        """See `Loop.wait`."""
        super().wait(within=within)
        with self._lock:
            while self._stopped is not None and self._next != self._count:
                waited = self._stopped - self._due(self._next)
                if waited < 0:
                    return
                self.latencies.record(waited)
                self.unsent += 1
                self._next += 1
