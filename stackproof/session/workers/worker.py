"""A worker process: runs scenarios with behave's own machinery and reports each event.

It may be killed at any moment. Nothing that must survive a scenario lives here:
the stack belongs to the run, results are sent as they happen.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from behave.configuration import Configuration
from behave.model import Rule, Scenario
from behave.model_type import Status
from behave.runner import Context
from behave.userdata import UserData

from stackproof.errors import Trouble, reason_of
from stackproof.processes.run import Run
from stackproof.reporting.evidence import Attachment, ScenarioProof
from stackproof.reporting.outcome import Outcome, captured_output, container_error, outcome_of
from stackproof.session.scenario import ScenarioSession
from stackproof.session.selection import reading
from stackproof.session.workers import wire
from stackproof.session.workers.chosen import choose
from stackproof.session.workers.events import StepEvents
from stackproof.session.workers.libraries import LibraryLog
from stackproof.session.workers.link import Link, RunGone
from stackproof.session.workers.process import open_link, stacks_file
from stackproof.texts import streams

# The dump is written before the run kills the worker at its deadline.
_DUMP_EARLIER = 0.5


class WorkerRunner(reading.ReadingRunner):
    """behave's runner, fed with units of work instead of paths."""

    def __init__(self, config: Configuration, begin: wire.Begin, link: Link, stacks: TextIO):
        super().__init__(config)
        self._begin = begin
        self._link = link
        self._stacks = stacks
        self._events = StepEvents(link)
        self._libraries = LibraryLog()
        self._passing_over = False
        self._escaped = ""
        self.session: ScenarioSession | None = None

    # -- before and after everything -----------------------------------------
    def load(self) -> None:
        """Import hooks and steps."""
        self.path_manager.__enter__()
        # Known already; behave would search for it again.
        self.base_dir = self.config.base_dir = self._begin.base_dir
        for place in dict.fromkeys((self.base_dir, str(Path.cwd()))):
            self.path_manager.add(place)
        self.context = Context(self)
        self.load_hooks()
        self.load_step_definitions()
        from behave.runner import the_step_registry as registry

        self.step_registry = registry
        self.hook_failures = 0
        self.formatters = [self._events]
        self._link.send(wire.Loaded())

    def prepare(self) -> None:
        """Run ``before_all``."""
        # Its message goes to the console otherwise, where nobody sees it.
        with self._hooks_watched(), contextlib.redirect_stdout(_Tee(sys.stdout)) as printed:
            passed = self.run_hook("before_all")
        problem = "" if passed else printed.text().strip() or self._escaped or "it failed"
        self._link.send(wire.Ready(problem))

    def finish(self) -> None:
        """Run ``after_all`` and the remaining cleanups."""
        with self._hooks_watched(), contextlib.redirect_stdout(_Tee(sys.stdout)) as printed:
            passed = self.run_hook("after_all")
            try:
                self.context._do_remaining_cleanups()
            except Exception:
                passed = False
        problem = "" if passed else printed.text().strip() or self._escaped or "it failed"
        self._link.send(wire.Stopped(problem))

    def abort(self, reason: str | None = None) -> None:
        """Called by behave for KeyboardInterrupt and SystemExit: the other scenarios go on."""
        self._escaped = reason or "aborted"

    def start_capture(self) -> None:
        """Called by behave before each step: its own capturing of hooks ends that of logs."""
        super().start_capture()
        capture = self.capture_controller.capture_log
        if capture is not None and capture not in logging.getLogger().handlers:
            capture.inveigle()

    # -- a unit --------------------------------------------------------------
    def run_unit(self, unit: wire.Unit) -> None:
        """Run the chosen scenarios of one feature, in the order given."""
        with self._hooks_watched():
            feature = reading.parse(unit.feature, self.config.lang)
            ids = choose(feature, unit)
            for scenario in feature.walk_scenarios():
                scenario.run = _Runnable(self, scenario, ids.get(id(scenario)))
            for rule in feature.iter_rules():
                within = [ids[id(s)] for s in rule.walk_scenarios() if id(s) in ids]
                rule.run = _RunnableRule(self._link, rule, within)
            self.feature = feature
            self._passing_over = False
            self._escaped = ""
            feature.run(self)
        self._link.send(wire.UnitEnds(self._errors(feature), aborted=self.aborted))

    def _errors(self, feature: Any) -> list[wire.ContainerError]:
        found = []
        for container in [feature, *feature.iter_rules()]:
            if container.hook_failed and not container.error_message:
                container.error_message = self._escaped
            if message := container_error(container):
                found.append(wire.ContainerError(container.line, message))
        return found

    # -- a scenario ----------------------------------------------------------
    def run_scenario(self, scenario: Scenario, scenario_id: str) -> bool:
        """Run one scenario between `ScenarioStarts` and `ScenarioEnds`."""
        if self._passing_over or self.aborted:
            return False
        faulthandler.cancel_dump_traceback_later()
        answer = self._link.ask(wire.ScenarioStarts(scenario_id))
        if isinstance(answer, wire.PassOver | wire.Taken):
            self._passing_over = isinstance(answer, wire.PassOver)
            self._watch(self._begin.hooks_deadline)
            return False
        began = time.time()
        self._watch(answer.deadline)
        self._events.begin()
        self._libraries.begin()
        self._escaped = ""
        spoiled = ""
        try:
            self._open_session(scenario, scenario_id, answer)
            Scenario.run(scenario, self)
        except BaseException as error:  # sys.exit in a step, an exception that cannot be told
            spoiled = self._spoil(scenario, error)
        self._end_session(scenario)
        self._link.send(wire.ScenarioOver())
        self._watch(self._begin.hooks_deadline)
        ends = self._result(scenario, scenario_id, began, answer, spoiled)
        self._link.send_result(ends)
        self._watch(self._begin.hooks_deadline)  # the feature's hooks are next
        self.session = None
        if spoiled:
            raise _Spoiled
        return False  # or behave would decide whether others are to follow

    def _open_session(
        self, scenario: Scenario, scenario_id: str, answer: wire.Go | wire.CannotGo
    ) -> None:
        self.session = ScenarioSession(
            scenario_id=scenario_id,
            name=scenario.name,
            settings=self._begin.settings,
            seed=self._begin.seed,
            run=Run(self._begin.run_id, Path(self._begin.run_directory)),
            reports=Path(self._begin.reports),
            endpoints=answer.endpoints if isinstance(answer, wire.Go) else {},
            call=self.call,
            trouble=answer.trouble if isinstance(answer, wire.CannotGo) else None,
        )

    def _end_session(self, scenario: Scenario) -> None:
        """Clean up what the project's own hooks left undone."""
        try:
            if self.session is not None:
                self.session.end()
        except BaseException as error:
            scenario.hook_failed = True
            told = f"a cleanup failed: {_describe(error)}"
            scenario.error_message = "\n".join(filter(None, (scenario.error_message, told)))
            scenario.set_status(Status.hook_error)

    def _spoil(self, scenario: Scenario, error: BaseException) -> str:
        """Behave itself was thrown out of the scenario; what is to be said of it."""
        with contextlib.suppress(AssertionError):
            self.capture_controller.stop_capture()
        what = _describe(error)
        index = self._events.running
        if index is not None:
            step = list(scenario.all_steps)[index]
            step.status = Status.error
            step.error_message = what
        scenario.clear_status()
        scenario.set_status(Status.error)
        trace = "".join(traceback.TracebackException.from_exception(error).format())
        return f"{what}\n\n{trace}"

    def _result(
        self,
        scenario: Scenario,
        scenario_id: str,
        began: float,
        answer: wire.Go | wire.CannotGo,
        spoiled: str,
    ) -> wire.ScenarioEnds:
        try:
            outcome = self._outcome(scenario, answer, spoiled)
            output = captured_output(scenario)
        except Exception as error:  # it cannot even be told: exceptions may do anything
            told = f"its end cannot be told: {_describe(error)}"
            outcome, output = Outcome("broken", "suite", told, traceback.format_exc()), ""
        steps = list(scenario.all_steps)
        proof = ScenarioProof(
            start=began,
            verdict=outcome.verdict,
            category=outcome.category,
            reason=outcome.message,
            trace=outcome.trace,
            expected=outcome.expected,
            actual=outcome.actual,
            step_starts=self._events.starts(len(steps)),
        )
        self._add_evidence(proof)
        proof.stop = time.time()
        return wire.ScenarioEnds(
            id=scenario_id,
            status=scenario.status.name,
            steps=[(s.status.name, s.duration, s.error_message) for s in steps],
            proof=proof,
            hook_failed=scenario.hook_failed,
            error_message=scenario.error_message,
            output=output,
            spoiled=bool(spoiled),
            aborted=self.aborted,
        )

    def _add_evidence(self, proof: ScenarioProof) -> None:
        """What is missing is said, and fails the run; it does not decide over the verdict."""
        if self.session is None:
            return
        try:
            proof.parameters = {str(k): str(v) for k, v in self.session.parameters.items()}
            proof.figures = {str(k): str(v) for k, v in self.session.figures.items()}
            failed = proof.verdict in ("failed", "broken")
            proof.attachments = self.session.evidence(failed=failed)
            if failed and (said := self._libraries.text()):
                proof.attachments.append(
                    Attachment("log of the client libraries", "text/plain", text=said)
                )
        except Exception as error:
            trace = traceback.format_exc()
            proof.evidence_lost = _describe(error)
            if isinstance(error, OSError):
                proof.evidence_lost = reason_of(error, Path(self._begin.reports) / "evidence")
            proof.attachments = [Attachment("evidence missing", "text/plain", text=trace)]

    def _outcome(
        self, scenario: Scenario, answer: wire.Go | wire.CannotGo, spoiled: str
    ) -> Outcome:
        """behave's verdict; never "passed" where behave is content with less than a proof."""
        if spoiled:
            what, _, trace = spoiled.partition("\n\n")
            return Outcome("broken", "suite", what, trace)
        if scenario.hook_failed and not scenario.error_message:
            scenario.error_message = self._escaped
        outcome = outcome_of(scenario)
        if outcome.verdict != "passed":
            return outcome
        if isinstance(answer, wire.CannotGo):  # no hook of the project has looked at it
            return Outcome("broken", "environment", str(answer.trouble))
        pending = next((s for s in scenario.all_steps if s.status.is_pending()), None)
        if pending is not None:
            return Outcome("skipped", "", f"Pending step: {pending.keyword} {pending.name}")
        return outcome

    def call(self, operation: str, **arguments: Any) -> Any:
        """Ask the run to do something and wait for its answer."""
        reply = self._link.ask(wire.Call(operation, arguments))
        if reply.error is not None:
            raise reply.error
        return reply.value

    # -- deadlines -----------------------------------------------------------
    def _watch(self, seconds: float) -> None:
        """Dump all stacks just before the run loses its patience."""
        faulthandler.cancel_dump_traceback_later()
        self._stacks.truncate(0)
        faulthandler.dump_traceback_later(max(0.1, seconds - _DUMP_EARLIER), file=self._stacks)

    @contextmanager
    def _hooks_watched(self) -> Iterator[None]:
        self._watch(self._begin.hooks_deadline)
        yield
        faulthandler.cancel_dump_traceback_later()


class _Spoiled(BaseException):
    """behave's state is in disorder; the run knows, and replaces this worker."""


class _Runnable:
    """Stands in for ``scenario.run``: runs the chosen ones, passes over the others."""

    def __init__(self, runner: WorkerRunner, scenario: Scenario, scenario_id: str | None):
        self._runner = runner
        self._scenario = scenario
        self._id = scenario_id

    def __call__(self, runner: Any) -> bool:
        if self._id is None:
            return False
        return self._runner.run_scenario(self._scenario, self._id)


class _RunnableRule:
    """Stands in for ``rule.run``: the hooks of a rule are not run for nothing."""

    def __init__(self, link: Link, rule: Rule, ids: Sequence[str]):
        self._link = link
        self._rule = rule
        self._ids = ids

    def __call__(self, runner: Any) -> bool:
        left = self._ids and self._link.ask(wire.RuleStarts(self._ids)).value
        return bool(left) and Rule.run(self._rule, runner)


class _Tee:
    """Passes text on and remembers it."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._parts: list[str] = []

    def write(self, text: str) -> int:
        self._parts.append(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def text(self) -> str:
        return "".join(self._parts)


def _describe(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)).strip()


def make_config(begin: wire.Begin) -> Configuration:
    """A behave configuration like the run's, without its formatters and selections."""
    config = Configuration(list(begin.paths), load_config=False, summary=False)
    for name, value in begin.config.items():
        setattr(config, name, value)
    config.userdata = UserData(config.userdata)
    config.stop = False  # the run decides, for all of its workers
    config.reporters = []
    config.setup_model()
    # Captured output of passed scenarios is not wanted, of failed ones it is evidence.
    config.setup_logging = _keep_logging
    return config


def _keep_logging(*_: Any, **__: Any) -> None:
    """The worker's logging is set up already; behave's default would replace it."""


def load_modules(services: Iterable[str]) -> None:
    """Import what scenarios with these services use, so that it takes none of their time."""
    forms = tuple(f"stackproof.services.{{}}.{part}" for part in ("fixture", "client", "places"))
    fixtures = (form.format(service) for service in services for form in forms)
    for module in ("stackproof.history.files", "jsonpath_ng.ext", "deepdiff", *fixtures):
        with contextlib.suppress(Exception):  # told by the scenarios that use it
            loaded = import_module(module)
            for name in getattr(loaded, "__all__", ()):  # what a package loads when it is used
                getattr(loaded, name)


def main(arguments: list[str]) -> int:
    """Serve the run at the other end of the connection ``HANDLE`` as worker ``NUMBER``."""
    handle, number = map(int, arguments)
    with streams.safe():
        return _serve(handle, number)


def _serve(handle: int, number: int) -> int:
    link = Link(open_link(handle))
    begin: wire.Begin = link.receive()
    with stacks_file(Path(begin.run_directory), number).open("a") as stacks:
        faulthandler.enable(file=stacks)
        logging.basicConfig(
            level=begin.settings["run.log_level"],
            format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
            stream=sys.stderr,
        )
        runner = WorkerRunner(make_config(begin), begin, link, stacks)
        try:
            runner.load()
            runner.prepare()
            load_modules(begin.services)  # while they are started
            while isinstance(message := link.receive(), wire.Unit):
                runner.run_unit(message)
            runner.finish()
        except (RunGone, _Spoiled):
            return 1  # the reaper will follow, or the run has been told
        except BaseException as error:
            problem = str(error) if isinstance(error, Trouble) else traceback.format_exc()
            with contextlib.suppress(RunGone):
                link.send(wire.Crashed(problem))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
