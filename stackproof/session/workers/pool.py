"""Worker processes, what they are at, and their deadlines.

One thread handles all messages. What takes long (starting a dedicated cluster) goes
to helper threads, so that no worker's deadline is missed meanwhile.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from stackproof.errors import Trouble
from stackproof.processes.run import Run
from stackproof.session.plan import ScenarioPlan, lines_around
from stackproof.session.workers import wire
from stackproof.session.workers.inbox import Inbox
from stackproof.session.workers.left import Left
from stackproof.session.workers.listening import Listening
from stackproof.session.workers.process import WITH_WORK, Disconnected, Phase, Worker, WorkerProcess

log = logging.getLogger(__name__)

_LOADS_WITHIN = 60.0
_LOOKS_EVERY = 0.05
_HEARD_OUT_WITHIN = 5.0
_ABOUT_WHAT_WAS = (wire.StepStarts, wire.StepEnds, wire.ScenarioEnds)
_SLOW = "mend what hangs there; if it is only slow, the tag @timeout:SECONDS gives it longer"


class Pool:
    """Hands out scenarios, one by one, to ``jobs`` worker processes.

    A worker opens a feature and asks for each of its scenarios before it runs it, so that
    several may work on one feature. Another one is opened as long as there is one that nobody
    is at: hooks of features and rules run in every worker that runs a part of them.

    Args:
        run: the run they belong to.
        begin: what each worker is told first.
        listening: hears what happens.
        jobs: number of worker processes.
        logs: directory for their output.
        feature_files: file of each feature, by index.
        held: inside of it no signal tears the handling of a message apart.
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
        held: Callable[[], AbstractContextManager[None]],
    ):
        self._run = run
        self._begin = begin
        self._listening = listening
        self._jobs = jobs
        self._logs = logs
        self._feature_files = feature_files
        self._held = held
        self._workers: list[Worker] = []
        self._number = 0
        self._inbox = Inbox()
        self._left = Left()
        self._waiting: list[Worker] = []
        self._stopping = ""
        self._closing = False
        self._looked = 0.0

    # -- from outside --------------------------------------------------------
    def spawn(self) -> None:
        """Start the worker processes; they load while the stack starts."""
        for _ in range(self._jobs):
            self._spawn()

    def work(self, features: Sequence[Sequence[ScenarioPlan]]) -> None:
        """Run the scenarios of all features, in the order given.

        Returns when each of them has been told to ``listening``.
        """
        self._left = Left(features)
        self._reconsider()
        for worker in self._workers:
            self._give_time_to_load(worker)
        while self._left or any(w.phase in WITH_WORK for w in self._workers):
            with self._held():
                self._hand_out()
            self._turn()
        for worker in list(self._workers):
            if worker.phase is Phase.LOADING:
                self._remove(worker)  # it came too late for any work
            elif worker.phase is Phase.IDLE:
                self._tell_to_stop(worker)
        self._stopping = self._stopping or "all work is done"
        while self._workers:
            self._turn()

    def close(self) -> None:
        """Kill what is left of the workers and everything they started.

        What they had said by then is still heard: a step that has passed stays passed.
        """
        self._closing = True
        for worker in self._workers:
            worker.process.kill()
        until = time.monotonic() + _HEARD_OUT_WITHIN
        while self._workers and time.monotonic() < until:
            self._handle_next()
        self._workers, self._waiting = [], []

    def reconsider(self) -> None:
        """What kept scenarios waiting may have changed; safe from any thread."""
        self._inbox.put(self._reconsider)

    def drop_rest(self, reason: str) -> None:
        """Begin no further scenario."""
        self._stopping = reason
        for planned in self._left.take_all():
            self._tell(self._listening.passed_over, planned, reason)
        waiting, self._waiting = self._waiting, []
        for worker in waiting:
            self._pass_over(worker)

    # -- workers -------------------------------------------------------------
    def _spawn(self) -> Worker:
        self._number += 1
        worker = Worker(WorkerProcess(self._run, self._number, self._logs))
        self._workers.append(worker)

        def hear(message: Any) -> None:
            worker.posted += 1
            self._inbox.put(lambda: self._heard(worker, message))

        worker.process.listen(hear)
        worker.process.send(self._begin)
        return worker

    def _remove(self, worker: Worker) -> str:
        """Kill a worker and all it started; how it ended."""
        self._workers.remove(worker)
        self._waiting = [other for other in self._waiting if other is not worker]
        return worker.process.kill()

    def _give_time_to_load(self, worker: Worker) -> None:
        worker.enter(Phase.LOADING, _LOADS_WITHIN * self._begin.settings["run.time_factor"])

    def _tell_to_stop(self, worker: Worker) -> None:
        worker.enter(Phase.AFTER_ALL, self._begin.hooks_deadline)
        worker.process.send(wire.Stop())

    # -- handing out ---------------------------------------------------------
    def _hand_out(self) -> None:
        for worker in self._workers:
            if worker.phase is Phase.IDLE and self._left:
                attended = {w.feature_index for w in self._workers if w.phase in WITH_WORK}
                feature_index = self._left.next_feature(attended, self._its_turn)
                if feature_index is None:
                    break  # all that is left waits for its services
                self._open(worker, feature_index)
        at_work = sum(w.phase in WITH_WORK for w in self._workers)
        while len(self._workers) < min(self._jobs, at_work + len(self._left)):
            self._give_time_to_load(self._spawn())

    def _its_turn(self, planned: ScenarioPlan) -> bool:
        """Whether it is its turn. A random order is kept, though it has to wait for services."""
        in_order = self._jobs == 1 and self._begin.settings["run.random_order"]
        return bool(in_order) or self._listening.ready(planned)

    def _open(self, worker: Worker, feature_index: int) -> None:
        offered = sorted(self._left.of(feature_index), key=lambda p: not self._its_turn(p))
        worker.todo = []
        worker.offered = {planned.id for planned in offered}
        worker.feature_index = feature_index
        worker.progressed = False
        self._claim(worker, [offered[0].id])  # or its hooks might run for nothing
        worker.enter(Phase.HOOKS, self._begin.hooks_deadline)
        chosen = [wire.Chosen(p.id, p.index, p.scenario.line, p.scenario.name) for p in offered]
        worker.process.send(wire.Unit(self._feature_files[feature_index], chosen))

    def _claim(self, worker: Worker, ids: Collection[str]) -> bool:
        """Whether one of these is the worker's now: it was already, or nobody had it."""
        if any(planned.id in ids for planned in worker.todo):
            return True
        taken = self._left.take_first(worker.feature_index, ids)
        worker.todo += [taken] if taken else []
        return taken is not None

    # -- the loop ------------------------------------------------------------
    def _turn(self) -> None:
        """Handle one thing that has happened, or look after deadlines."""
        self._handle_next()
        if time.monotonic() >= self._looked + _LOOKS_EVERY:
            self._looked = time.monotonic()
            with self._held():
                self._guarded(self._look_after)

    def _handle_next(self) -> None:
        self._inbox.wait(_LOOKS_EVERY)
        with self._held():
            if (action := self._inbox.take()) is not None:
                self._guarded(action)

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:
            self._tell(self._listening.suite_failed, f"a defect:\n{traceback.format_exc()}")

    def _tell(self, what: Callable[..., None], *about: Any) -> None:
        """Tell the listener; its errors must not leave the pool in disorder."""
        try:
            what(*about)
        except Exception:
            log.exception("a defect in %s", getattr(what, "__name__", what))
            if what != self._listening.suite_failed:
                self._tell(self._listening.suite_failed, f"a defect:\n{traceback.format_exc()}")

    def _heard(self, worker: Worker, message: Any) -> None:
        worker.handled += 1
        if worker not in self._workers:
            return
        if isinstance(message, Disconnected):
            if self._closing:
                self._workers.remove(worker)
            else:
                self._died(worker, message.problem)
            return
        if self._closing and not isinstance(message, _ABOUT_WHAT_WAS):
            return  # a question: nobody is there any more to be answered
        try:
            self._handle(worker, message)
        except Exception:
            trace = traceback.format_exc()
            self._remove(worker)
            what = f"{type(message).__name__} of {worker.name} cannot be handled"
            self._gone(worker, what, trace)

    def _handle(self, worker: Worker, message: Any) -> None:
        current = worker.current
        if isinstance(message, wire.StepStarts):
            self._tell(self._listening.step_started, current, message)
        elif isinstance(message, wire.StepEnds):
            self._tell(self._listening.step_ended, current, message)
        elif isinstance(message, wire.RuleStarts):
            self._rule_starts(worker, message)
        elif isinstance(message, wire.ScenarioStarts):
            self._scenario_starts(worker, message)
        elif isinstance(message, wire.ScenarioOver):
            worker.enter(Phase.EVIDENCE, self._begin.hooks_deadline)
        elif isinstance(message, wire.ScenarioEnds):
            self._scenario_ends(worker, message)
        elif isinstance(message, wire.Call):
            self._call(worker, message)
        elif isinstance(message, wire.UnitEnds):
            self._unit_ends(worker, message)
        elif isinstance(message, wire.Loaded):
            worker.enter(Phase.BEFORE_ALL, self._begin.hooks_deadline)
        elif isinstance(message, wire.Ready):
            self._ready(worker, message)
        elif isinstance(message, wire.Stopped):
            self._remove(worker)
            if message.problem:
                problem = f"after_all failed in {worker.name}:\n{message.problem}"
                self._tell(self._listening.suite_failed, problem)
        elif isinstance(message, wire.Crashed):
            self._remove(worker)
            self._gone(worker, f"{worker.name} failed in {worker.phase.value}", message.problem)
        else:
            raise TypeError(f"unknown message {message!r}")

    def _ready(self, worker: Worker, message: wire.Ready) -> None:
        if message.problem:
            self._remove(worker)
            self._gone(worker, f"before_all failed in {worker.name}", message.problem)
        elif self._stopping and not self._left:
            self._tell_to_stop(worker)
        else:
            worker.enter(Phase.IDLE)

    def _unit_ends(self, worker: Worker, message: wire.UnitEnds) -> None:
        errors_of = {
            planned.id: [e for e in message.errors if e.line in lines_around(planned)]
            for planned in [*worker.todo, *self._left.of(worker.feature_index)]
        }
        # What it has not even asked for, and what the same hooks would keep back elsewhere.
        rest = [planned for planned in self._left.of(worker.feature_index)
                if planned.id in worker.offered or errors_of[planned.id]]  # fmt: skip
        self._left.take(rest)
        rest, worker.todo, worker.offered = worker.todo + rest, [], set()
        worker.enter(Phase.IDLE)
        told = set()
        for planned in rest:
            if errors := errors_of[planned.id]:
                told |= {e.line for e in errors}
                reason = "\n".join(e.message for e in errors)
                self._tell(self._listening.kept_back, planned, reason)
            elif message.aborted or self._stopping:
                reason = self._stopping or "not run: a hook of its feature aborted the run"
                self._tell(self._listening.passed_over, planned, reason)
            else:
                self._tell(self._listening.kept_back, planned, "it was passed over: a defect")
        for error in message.errors:
            if error.line not in told:
                about = (worker.feature_index, error.line, error.message)
                self._tell(self._listening.container_failed, *about)
        if message.aborted and not self._stopping:
            self._aborted(f"a hook of {self._feature_files[worker.feature_index]}")

    def _aborted(self, by: str) -> None:
        self._tell(self._listening.suite_failed, f"{by} aborted the run")
        self.drop_rest(f"not run: {by} aborted the run")

    # -- scenarios -----------------------------------------------------------
    def _rule_starts(self, worker: Worker, message: wire.RuleStarts) -> None:
        worker.enter(Phase.HOOKS, self._begin.hooks_deadline)
        claimed = not self._stopping and self._claim(worker, message.ids)
        if not claimed:
            worker.offered -= set(message.ids)
        worker.process.send(wire.Reply(claimed))

    def _scenario_starts(self, worker: Worker, message: wire.ScenarioStarts) -> None:
        worker.offered.discard(message.id)
        if not self._claim(worker, [message.id]):
            worker.enter(Phase.HOOKS, self._begin.hooks_deadline)
            worker.process.send(wire.PassOver() if self._stopping else wire.Taken())
            return
        worker.current = next(p for p in worker.todo if p.id == message.id)
        if (trouble := self._listening.trouble(worker.current)) is not None:
            self._do_without(worker, trouble)
            return
        worker.enter(Phase.ASKING)
        if self._stopping:
            self._pass_over(worker)
            return
        self._waiting.append(worker)
        self._admit_waiting()

    def _reconsider(self) -> None:
        troubles = [(planned, self._listening.trouble(planned))
                    for planned in self._left.everything()]  # fmt: skip
        doomed = [(planned, trouble) for planned, trouble in troubles if trouble is not None]
        self._left.take(planned for planned, _ in doomed)
        for planned, trouble in doomed:
            self._tell(self._listening.without, planned, trouble)
        for worker in list(self._waiting):
            assert worker.current is not None
            if (met := self._listening.trouble(worker.current)) is not None:
                self._waiting.remove(worker)
                self._do_without(worker, met)
        self._admit_waiting()

    def _do_without(self, worker: Worker, trouble: Trouble) -> None:
        """What its scenario needs cannot be had: it goes on to the next one."""
        planned, worker.current = worker.current, None
        worker.todo = [p for p in worker.todo if p is not planned]
        worker.enter(Phase.HOOKS, self._begin.hooks_deadline)
        worker.process.send(wire.Taken())
        self._tell(self._listening.without, planned, trouble)

    def _pass_over(self, worker: Worker) -> None:
        worker.current = None
        worker.enter(Phase.HOOKS, self._begin.hooks_deadline)
        worker.process.send(wire.PassOver())

    def _admit_waiting(self) -> None:
        for worker in list(self._waiting):
            planned = worker.current
            assert planned is not None
            if not self._listening.ready(planned):
                continue
            try:
                admitted = self._listening.admit(planned)
            except Exception as error:  # it would wait for ever
                self._waiting.remove(worker)
                self._provided(worker, planned, None, error)
                continue
            if admitted:
                self._waiting.remove(worker)
                self._inbox.when_done(
                    partial(self._listening.provide, planned),
                    partial(self._provided, worker, planned),
                )
            elif planned.alone:
                return  # or there would always be somebody beside it

    def _provided(
        self, worker: Worker, planned: ScenarioPlan, go: wire.Go | None, error: Exception | None
    ) -> None:
        if worker not in self._workers or worker.current is not planned:
            return
        answer: wire.Go | wire.CannotGo
        if go is not None:
            answer = go
        else:
            log.error("%s cannot start", planned.scenario.name, exc_info=error)
            answer = wire.CannotGo(wire.sendable(error), planned.deadline)
        worker.progressed = True
        worker.enter(Phase.SCENARIO, planned.deadline)
        self._tell(self._listening.started, planned, worker.name)
        worker.process.send(answer)

    def _scenario_ends(self, worker: Worker, message: wire.ScenarioEnds) -> None:
        planned = worker.current
        if planned is None or planned.id != message.id:
            raise ValueError(f"the end of {message.id}, which is not running")
        worker.current = None
        worker.todo = [p for p in worker.todo if p is not planned]
        worker.enter(Phase.HOOKS, self._begin.hooks_deadline)
        self._tell(self._listening.ended, planned, message)
        if message.aborted:
            self._aborted(f"the scenario {planned.scenario.name!r}")
        if message.spoiled:
            self._remove(worker)
            self._give_back(worker)

    def _call(self, worker: Worker, call: wire.Call) -> None:
        def done(value: Any, error: Exception | None) -> None:
            if worker in self._workers:
                problem = None if error is None else wire.sendable(error)
                worker.process.send(wire.Reply(value, problem))

        planned = worker.current
        if planned is None:
            done(None, Trouble("no scenario is running"))
            return
        work = partial(self._listening.call, planned, call.operation, dict(call.arguments))
        self._inbox.when_done(work, done)

    # -- what goes wrong -----------------------------------------------------
    def _look_after(self) -> None:
        now = time.monotonic()
        for worker in list(self._workers):
            if worker.handled < worker.posted:
                continue  # what it has said comes first
            if worker.deadline is not None and now >= worker.deadline:
                self._remove(worker)
                what = f"{worker.phase.value} did not end within {worker.allowed:g} s"
                if worker.phase is Phase.SCENARIO:
                    what = str(Trouble(what, "its stacks show where it was", _SLOW))
                stacks = f"Stacks of {worker.name} when it was killed:\n{worker.process.stacks()}"
                self._gone(worker, what, stacks)
            elif not worker.ending and worker.process.has_ended():
                # Something it started may hold the connection and hide its death.
                worker.ending = True
                worker.process.kill_family()

    def _died(self, worker: Worker, problem: str) -> None:
        how = self._remove(worker)
        where = "" if worker.phase is Phase.SCENARIO else f" in {worker.phase.value}"
        evidence = f"{worker.process.stacks()}\nThe end of its output:\n"
        self._gone(worker, f"{problem or how}{where}", evidence + worker.process.output_end())

    def _gone(self, worker: Worker, what: str, trace: str) -> None:
        """A worker has been killed: report what it was at, give the rest of its work to others."""
        whole = f"{what}\n{trace}"
        if worker.phase in (Phase.LOADING, Phase.BEFORE_ALL):
            self._cannot_begin(whole)
        elif worker.phase in (Phase.IDLE, Phase.AFTER_ALL):
            self._tell(self._listening.suite_failed, whole)
        elif worker.current is not None:
            worker.todo = [p for p in worker.todo if p is not worker.current]
            self._tell(self._listening.lost, worker.current, what, trace)
        elif not worker.todo:  # after its last scenario: the feature itself
            self._tell(self._listening.container_failed, worker.feature_index, 0, whole)
        elif worker.progressed:
            self._tell(self._listening.suite_failed, whole)
        else:
            # Another worker would fare the same, again and again; those at it already do not.
            lost, worker.todo = worker.todo, []
            index = worker.feature_index
            if not any(w.feature_index == index and w.phase in WITH_WORK for w in self._workers):
                lost += (others := self._left.of(index))
                self._left.take(others)
            for planned in lost:
                self._tell(self._listening.lost, planned, what, trace)
        self._give_back(worker)

    def _give_back(self, worker: Worker) -> None:
        rest, worker.todo = worker.todo, []
        if rest and self._stopping:
            for planned in rest:
                self._tell(self._listening.passed_over, planned, self._stopping)
        else:
            self._left.give_back(rest)

    def _cannot_begin(self, problem: str) -> None:
        """Another worker would fare the same: what is left cannot be run."""
        self._tell(self._listening.could_not_run, problem)
        for planned in self._left.take_all():
            self._tell(self._listening.lost, planned, problem, "")
