"""Worker processes and their deadlines.

One thread handles all messages. What takes long (starting a dedicated cluster) goes
to helper threads, so that no worker's deadline is missed meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Listener, Pipe, wait
from pathlib import Path
from typing import Any, Protocol

from stackproof.errors import Trouble
from stackproof.session import wire
from stackproof.session.plan import ScenarioPlan
from stackproof.stack import reaper
from stackproof.stack.process import describe_exit, file_end
from stackproof.stack.run import RUN_VARIABLE, WORKER_VARIABLE, Run

log = logging.getLogger(__name__)

# A worker gets this much beyond its scenario's deadline, for the stack dump to be written.
_GRACE = 1.0
_CONNECT_WITHIN = 60.0


class Listening(Protocol):
    """Who hears what happens to scenarios; called in the pool's thread."""

    def admit(self, planned: ScenarioPlan) -> bool:
        """Whether the scenario may start now (memory, running alone)."""

    def provide(self, planned: ScenarioPlan) -> wire.Go:
        """Get what the scenario needs; may take long, called in a helper thread."""

    def call(self, planned: ScenarioPlan, operation: str, arguments: Any) -> Any:
        """Do something for a scenario; called in a helper thread."""

    def started(self, planned: ScenarioPlan, worker: str) -> None:
        """The scenario's time begins to count."""

    def step_started(self, planned: ScenarioPlan, event: wire.StepStarts) -> None:
        """A step begins."""

    def step_ended(self, planned: ScenarioPlan, event: wire.StepEnds) -> None:
        """A step has ended."""

    def ended(self, planned: ScenarioPlan, event: wire.ScenarioEnds) -> None:
        """The scenario has ended in its worker."""

    def lost(self, planned: ScenarioPlan, what: str, trace: str) -> None:
        """The scenario's worker was killed or died."""

    def not_run(self, planned: ScenarioPlan, reason: str) -> None:
        """A hook kept the scenario from starting; no reason: the run stops early."""

    def container_failed(self, feature_index: int, place: int, message: str) -> None:
        """A hook of a feature (place 0) or of its rules failed."""

    def suite_failed(self, problem: str) -> None:
        """before_all, after_all or a worker itself failed."""


@dataclass
class Worker:
    """One worker process as the pool sees it."""

    number: int
    process: subprocess.Popen
    log: Path
    link: Connection | None = None
    spawned: float = field(default_factory=time.monotonic)
    ready: bool = False
    todo: list[ScenarioPlan] = field(default_factory=list)
    feature_index: int = -1
    current: ScenarioPlan | None = None
    waiting: ScenarioPlan | None = None
    deadline: float | None = None
    busy: bool = False  # between handing out a unit and hearing of its end
    stopping: bool = False

    @property
    def name(self) -> str:
        """For people and reports."""
        return f"worker-{self.number}"


class Pool:
    """Runs units of work in ``jobs`` worker processes.

    Args:
        run: the run they belong to.
        begin: what each worker is told first.
        listening: hears what happens.
        jobs: number of worker processes.
        logs: directory for their output.
        feature_files: file of each feature, by index.
    """

    def __init__(
        self,
        run: Run,
        begin: wire.Begin,
        listening: Listening,
        *,
        jobs: int,
        logs: Path,
        feature_files: Sequence[str],
    ):
        self._run = run
        self._begin = begin
        self._listening = listening
        self._jobs = jobs
        self._logs = logs
        self._feature_files = feature_files
        self._key = secrets.token_bytes(16)
        address = str(run.directory / "workers.sock") if sys.platform != "win32" else None
        self._listener = Listener(address, authkey=self._key)
        self._workers: list[Worker] = []
        self._number = 0
        self._helpers = ThreadPoolExecutor(max_workers=jobs + 2)
        self._wake, self._waker = Pipe(duplex=False)
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._units: list[list[ScenarioPlan]] = []
        self.stop_requested = False

    # -- from outside --------------------------------------------------------
    def spawn(self) -> None:
        """Start the worker processes; they load while the stack starts."""
        threading.Thread(target=self._accept, daemon=True).start()
        for _ in range(self._jobs):
            self._spawn()

    def work(self, units: Sequence[Sequence[ScenarioPlan]]) -> None:
        """Run all units; returns when each scenario has been told to ``listening``."""
        self._units = [list(unit) for unit in units]
        while self._units or any(w.busy for w in self._workers):
            self._hand_out()
            self._turn()
        for worker in self._workers:
            if worker.link is not None and worker.ready and not worker.stopping:
                worker.stopping = True
                worker.deadline = time.monotonic() + self._begin.settings["run.scenario_timeout"]
                self._send(worker, wire.Stop())
        while any(w.stopping for w in self._workers):
            self._turn()

    def close(self) -> None:
        """Kill what is left of the workers and everything they started."""
        for worker in list(self._workers):
            self._kill(worker)
        self._helpers.shutdown(wait=False, cancel_futures=True)
        with contextlib.suppress(OSError):
            self._listener.close()

    def current(self) -> list[ScenarioPlan]:
        """Scenarios that are running now."""
        return [w.current for w in self._workers if w.current]

    # -- workers -------------------------------------------------------------
    def _spawn(self) -> None:
        self._number += 1
        output = self._logs / f"worker-{self._number}.log"
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.open("ab") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "stackproof.session.worker", self._listener.address,
                 str(self._number)],
                stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
                start_new_session=True,
                env={
                    **os.environ,
                    RUN_VARIABLE: self._run.id,
                    WORKER_VARIABLE: f"{self._run.id}-{self._number}",
                    "STACKPROOF_WORKER_KEY": self._key.hex(),
                    "PYTHONPATH": os.pathsep.join(
                        [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
                    ).rstrip(os.pathsep),
                },
            )  # fmt: skip
        reaper.record(self._run, process.pid)
        self._workers.append(Worker(self._number, process, output))

    def _accept(self) -> None:
        while True:
            try:
                link = self._listener.accept()
                number = link.recv()
            except (OSError, EOFError):
                return
            self._post(lambda link=link, number=number: self._connected(link, number))

    def _connected(self, link: Connection, number: int) -> None:
        for worker in self._workers:
            if worker.number == number:
                worker.link = link
                self._send(worker, self._begin)
                return
        link.close()

    def _post(self, action: Callable[[], None]) -> None:
        self._inbox.put(action)
        with contextlib.suppress(OSError):
            self._waker.send_bytes(b"!")

    def _send(self, worker: Worker, message: Any) -> None:
        assert worker.link is not None
        with contextlib.suppress(OSError):  # its death is noticed by the next read
            worker.link.send(message)

    def _kill(self, worker: Worker) -> int:
        """Kill a worker and all it started; returns its exit code."""
        if worker in self._workers:
            self._workers.remove(worker)
        worker.process.kill()
        marker = f"{self._run.id}-{worker.number}"
        reaper.kill_all(reaper.marked(WORKER_VARIABLE, marker))
        if worker.link is not None:
            worker.link.close()
        return worker.process.wait()

    # -- the loop ------------------------------------------------------------
    def _hand_out(self) -> None:
        for worker in self._workers:
            if not worker.ready or worker.busy or worker.stopping:
                continue
            if not self._units:
                return
            unit = self._units.pop(0)
            worker.todo = unit
            worker.busy = True
            worker.feature_index = unit[0].feature_index
            file = self._feature_files[worker.feature_index]
            self._send(worker, wire.Unit(file, [(planned.id, planned.index) for planned in unit]))

    def _turn(self) -> None:
        """Handle what has happened; waits until something does or a deadline passes."""
        links = {w.link: w for w in self._workers if w.link is not None}
        deadlines = [w.deadline for w in self._workers if w.deadline is not None]
        pause = max(0.0, min(deadlines) - time.monotonic()) if deadlines else 1.0
        for source in wait([*links, self._wake], timeout=min(pause, 1.0)):
            if source is self._wake:
                self._wake.recv_bytes()
                self._inbox.get()()
                continue
            worker = links[source]
            if worker not in self._workers:
                continue
            try:
                message = worker.link.recv() if worker.link else None
            except (EOFError, OSError):
                self._died(worker)
            except Exception as error:  # a message that cannot be unpickled must not end the run
                self._fail(worker, f"{worker.name} sent something unreadable: {error!r}")
            else:
                self._handle(worker, message)
        self._look_after_deadlines()

    def _handle(self, worker: Worker, message: Any) -> None:
        current = worker.current
        if isinstance(message, wire.StepStarts) and current:
            self._listening.step_started(current, message)
        elif isinstance(message, wire.StepEnds) and current:
            self._listening.step_ended(current, message)
        elif isinstance(message, wire.ScenarioStarts):
            planned = next(p for p in worker.todo if p.id == message.id)
            worker.waiting = planned
            self._provide(worker, planned)
        elif isinstance(message, wire.ScenarioEnds) and current:
            worker.todo.remove(current)
            worker.current = worker.deadline = None
            self._listening.ended(current, message)
            self._retry_waiting()
        elif isinstance(message, wire.Call):
            planned = current or worker.waiting
            assert planned is not None
            self._call(worker, planned, message)
        elif isinstance(message, wire.UnitEnds):
            for place, text in message.container_errors:
                self._listening.container_failed(worker.feature_index, place, text)
            reason = "a hook of its feature or rule failed"
            if message.container_errors:
                reason = "\n".join(text for _, text in message.container_errors)
            elif self.stop_requested:
                reason = ""
            rest, worker.todo = worker.todo, []
            worker.busy = False
            for planned in rest:
                self._listening.not_run(planned, reason)
        elif isinstance(message, wire.Ready):
            worker.ready = not message.problem
            if message.problem:
                self._fail(worker, f"before_all failed:\n{message.problem}")
        elif isinstance(message, wire.Crashed):
            self._fail(worker, f"{worker.name} failed:\n{message.problem}")
        elif isinstance(message, wire.Stopped):
            if message.problem:
                self._listening.suite_failed(message.problem)
            self._kill(worker)

    def _provide(self, worker: Worker, planned: ScenarioPlan) -> None:
        if not self._listening.admit(planned):
            return  # asked again when another scenario ends
        worker.waiting = None
        worker.current = planned

        def done(future: Future) -> None:
            self._post(lambda: self._provided(worker, planned, future))

        self._helpers.submit(self._listening.provide, planned).add_done_callback(done)

    def _retry_waiting(self) -> None:
        for worker in self._workers:
            if worker.waiting is not None:
                self._provide(worker, worker.waiting)

    def _provided(self, worker: Worker, planned: ScenarioPlan, future: Future) -> None:
        if worker not in self._workers or worker.current is not planned:
            return
        error = future.exception()
        answer: wire.Go | wire.CannotGo
        if error is None:
            answer = future.result()
        else:
            log.error("%s cannot start", planned.scenario.name, exc_info=error)
            trouble = error if isinstance(error, Trouble) else Trouble(repr(error))
            answer = wire.CannotGo(trouble)
        worker.deadline = time.monotonic() + planned.deadline + _GRACE
        self._listening.started(planned, worker.name)
        self._send(worker, answer)

    def _call(self, worker: Worker, planned: ScenarioPlan, call: wire.Call) -> None:
        def done(future: Future) -> None:
            error = future.exception()
            if error is None:
                reply = wire.Reply(future.result())
            else:
                known = isinstance(error, Exception)
                reply = wire.Reply(error=error if known else RuntimeError(repr(error)))
            self._post(lambda: self._send(worker, reply) if worker in self._workers else None)

        work = self._helpers.submit(
            self._listening.call, planned, call.operation, dict(call.arguments)
        )
        work.add_done_callback(done)

    def _look_after_deadlines(self) -> None:
        now = time.monotonic()
        for worker in list(self._workers):
            if worker.link is None:
                if worker.process.poll() is not None or now > worker.spawned + _CONNECT_WITHIN:
                    self._fail(worker, f"{worker.name} did not start:\n{file_end(worker.log)}")
            elif worker.deadline is not None and now >= worker.deadline:
                self._overdue(worker)

    # -- what goes wrong -----------------------------------------------------
    def _overdue(self, worker: Worker) -> None:
        current = worker.current
        if current is None:
            self._listening.suite_failed(f"after_all of {worker.name} did not end in time")
            self._kill(worker)
            return
        stacks = self._stacks(worker)
        what = f"the scenario did not end within {current.deadline:g} s"
        self._replace(worker, what, f"Stacks of its worker just before it was killed:\n{stacks}")

    def _died(self, worker: Worker) -> None:
        if worker.stopping:
            self._kill(worker)
            return
        code = self._kill(worker)
        how = f"{worker.name} {describe_exit(code)}"
        stacks = self._stacks(worker)
        output = file_end(worker.log)
        self._replace(worker, how, f"{stacks}\nThe end of its output:\n{output}")

    def _replace(self, worker: Worker, what: str, trace: str) -> None:
        """Kill a worker, report its scenario, give the rest of its work back."""
        self._kill(worker)
        current = worker.current or worker.waiting
        if current is None and not worker.ready:
            # It never came to work: another one would fare the same.
            self._fail(worker, f"{what}\n{trace}")
            return
        if current is not None:
            worker.todo.remove(current)
            self._listening.lost(current, what, trace)
        if worker.todo:
            self._units.insert(0, worker.todo)
        if self._units:
            self._spawn()
        self._retry_waiting()

    def _fail(self, worker: Worker, problem: str) -> None:
        """The suite itself failed: nothing of the remaining work can be trusted to this code."""
        self._kill(worker)
        self._listening.suite_failed(problem)
        lost = [*worker.todo, *(p for unit in self._units for p in unit)]
        for planned in lost:
            self._listening.lost(planned, problem, "")
        self._units = []
        worker.todo, worker.current, worker.waiting = [], None, None

    def drop_rest(self) -> None:
        """Do not hand out what is left (``--stop``)."""
        left = [planned for unit in self._units for planned in unit]
        self._units = []
        for planned in left:
            self._listening.not_run(planned, "")
        self.stop_requested = True

    def _stacks(self, worker: Worker) -> str:
        file = self._run.directory / f"stacks-{worker.number}.txt"
        try:
            return file.read_text(errors="replace").strip() or "(no stacks were dumped)"
        except OSError:
            return "(no stacks were dumped)"
