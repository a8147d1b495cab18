"""A worker process: runs scenarios with behave's own machinery and reports each event.

It may be killed at any moment. Nothing that must survive a scenario lives here:
the stack belongs to the run, results are sent as they happen.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import sys
import time
import traceback
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any, TextIO

from behave.configuration import Configuration
from behave.model import Scenario, ScenarioOutline
from behave.runner import Context, Runner
from behave.runner_util import parse_features

from stackproof.errors import Trouble
from stackproof.reporting.evidence import ScenarioProof
from stackproof.reporting.outcome import captured_output, container_error, outcome_of
from stackproof.session import wire
from stackproof.session.scenario import ScenarioSession

# The dump is written before the run kills the worker at its deadline.
_DUMP_EARLIER = 0.5


class WorkerRunner(Runner):
    """behave's runner, fed with units of work instead of paths."""

    def __init__(self, config: Configuration, begin: wire.Begin, link: Connection, stacks: TextIO):
        super().__init__(config)
        self._begin = begin
        self._link = link
        self._stacks = stacks
        self._ids: dict[int, str] = {}
        self._starts: list[float] = []
        self.session: ScenarioSession | None = None

    def prepare(self) -> None:
        """Load hooks and steps and run ``before_all``."""
        self.path_manager.__enter__()
        self.setup_paths()
        self.context = Context(self)
        self.load_hooks()
        self.load_step_definitions()
        from behave.runner import the_step_registry as registry

        self.step_registry = registry
        self.hook_failures = 0
        self.formatters = [_Reporter(self._link, self._starts)]
        problem = ""
        # Its message goes to the console otherwise, where nobody sees it.
        with contextlib.redirect_stdout(_Tee(sys.stdout)) as printed:
            if not self.run_hook("before_all"):
                problem = printed.text().strip() or "before_all failed"
        self._link.send(wire.Ready(problem))

    def run_unit(self, unit: wire.Unit) -> None:
        """Run the chosen scenarios of one feature, in the order given."""
        (feature,) = parse_features([unit.feature], language=self.config.lang)
        scenarios = feature.walk_scenarios()
        order = {id(scenarios[index]): place for place, (_, index) in enumerate(unit.scenarios)}
        ids = {id(scenarios[index]): name for name, index in unit.scenarios}
        for scenario in scenarios:
            scenario.run = _Runnable(self, scenario, ids.get(id(scenario)))
        _sort(feature, order)
        self.feature = feature
        feature.run(self)
        errors = [
            (place, message)
            for place, container in enumerate([feature, *feature.iter_rules()])
            if (message := container_error(container))
        ]
        self._link.send(wire.UnitEnds(errors))

    def run_scenario(self, scenario: Scenario, scenario_id: str) -> bool:
        """Run one scenario between `ScenarioStarts` and `ScenarioEnds`."""
        began = time.time()
        self._link.send(wire.ScenarioStarts(scenario_id))
        answer = self._link.recv()
        trouble = answer.trouble if isinstance(answer, wire.CannotGo) else None
        endpoints = {} if trouble else answer.endpoints
        if not trouble:
            began = time.time()
            faulthandler.dump_traceback_later(
                max(0.1, answer.deadline - _DUMP_EARLIER), file=self._stacks
            )
        del self._starts[:]
        self.session = ScenarioSession(
            scenario_id=scenario_id,
            name=scenario.name,
            begin=self._begin,
            endpoints=endpoints,
            call=self.call,
            trouble=trouble,
        )
        try:
            failed = Scenario.run(scenario, self)
        finally:
            faulthandler.cancel_dump_traceback_later()
        outcome = outcome_of(scenario)
        proof = ScenarioProof(
            start=began,
            verdict=outcome.verdict,
            category=outcome.category,
            reason=outcome.message,
            trace=outcome.trace,
            expected=outcome.expected,
            actual=outcome.actual,
            step_starts=self._in_place(scenario),
            parameters=self.session.parameters,
            figures=self.session.figures,
        )
        failed_now = outcome.verdict in ("failed", "broken")
        proof.attachments = self.session.evidence(failed=failed_now)
        proof.stop = time.time()
        self._link.send(
            wire.ScenarioEnds(
                id=scenario_id,
                status=scenario.status.name,
                steps=[(s.status.name, s.duration, s.error_message) for s in scenario.all_steps],
                proof=proof,
                hook_failed=scenario.hook_failed,
                error_message=scenario.error_message,
                output=captured_output(scenario),
            )
        )
        self.session = None
        return failed

    def call(self, operation: str, **arguments: Any) -> Any:
        """Ask the run to do something and wait for its answer."""
        self._link.send(wire.Call(operation, arguments))
        reply = self._link.recv()
        if reply.error is not None:
            raise reply.error
        return reply.value

    def finish(self) -> None:
        """Run ``after_all`` and the remaining cleanups."""
        problem = ""
        with contextlib.redirect_stdout(_Tee(sys.stdout)) as printed:
            passed = self.run_hook("after_all")
            try:
                self.context._do_remaining_cleanups()
            except Exception:
                passed = False
            if not passed:
                problem = printed.text().strip() or "after_all failed"
        self._link.send(wire.Stopped(problem))

    def _in_place(self, scenario: Scenario) -> list[float]:
        starts = self._starts
        return [starts[i] if i < len(starts) else 0.0 for i, _ in enumerate(scenario.all_steps)]


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


class _Reporter:
    """A behave formatter that sends step events."""

    def __init__(self, link: Connection, starts: list[float]):
        self._link = link
        self._starts = starts
        self._index = 0

    def scenario(self, scenario: Scenario) -> None:
        self._index = 0

    def match(self, match: Any) -> None:
        now = time.time()
        self._starts.append(now)
        self._link.send(wire.StepStarts(self._index, now))

    def result(self, step: Any) -> None:
        status = step.status.name
        self._link.send(wire.StepEnds(self._index, status, step.duration, step.error_message))
        self._index += 1

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_: None


class _Tee:
    """Passes text on and remembers it."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._parts: list[str] = []

    def write(self, text: str) -> int:
        self._parts.append(text)
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def text(self) -> str:
        return "".join(self._parts)


def _sort(container: Any, order: dict[int, int]) -> None:
    """Order a feature's items by the earliest chosen scenario in each; others keep their place."""
    last = len(order)

    def earliest(item: Any) -> int:
        if isinstance(item, ScenarioOutline):
            return min((order.get(id(s), last) for s in item.scenarios), default=last)
        if isinstance(item, Scenario):
            return order.get(id(item), last)
        return min((order.get(id(s), last) for s in item.walk_scenarios()), default=last)

    container.run_items.sort(key=earliest)
    for item in container.run_items:
        if isinstance(item, ScenarioOutline):
            item.scenarios.sort(key=lambda s: order.get(id(s), last))
        elif not isinstance(item, Scenario):
            _sort(item, order)


def make_config(begin: wire.Begin) -> Configuration:
    """A behave configuration like the run's, without its formatters and selections."""
    config = Configuration(list(begin.paths), load_config=False, summary=False)
    for name, value in begin.config.items():
        setattr(config, name, value)
    config.reporters = []
    # Captured output of passed scenarios is not wanted, of failed ones it is evidence.
    config.setup_logging = _keep_logging
    return config


def _keep_logging(*_: Any, **__: Any) -> None:
    """The worker's logging is set up already; behave's default would replace it."""


def main(arguments: list[str]) -> int:
    """Connect to the run at ``ADDRESS`` as worker ``NUMBER`` and serve until told to stop."""
    address, number = arguments
    key = bytes.fromhex(os.environ.pop("STACKPROOF_WORKER_KEY"))
    link = Client(address, authkey=key)
    link.send(int(number))
    begin: wire.Begin = link.recv()
    stacks_file = Path(begin.run_directory) / f"stacks-{number}.txt"
    with stacks_file.open("w") as stacks:
        faulthandler.enable(file=stacks)
        logging.basicConfig(
            level=begin.settings["run.log_level"],
            format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
            stream=sys.stderr,
        )
        # Client libraries report every reconnection; a fault scenario would drown in them.
        logging.getLogger("kafka").setLevel(logging.CRITICAL)
        runner = WorkerRunner(make_config(begin), begin, link, stacks)
        try:
            runner.prepare()
            while isinstance(message := link.recv(), wire.Unit):
                runner.run_unit(message)
            runner.finish()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return 1  # the run is gone; the reaper will follow
        except Exception as error:
            problem = str(error) if isinstance(error, Trouble) else traceback.format_exc()
            with contextlib.suppress(OSError):
                link.send(wire.Crashed(problem))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
