"""One run: its stack, its workers, and what becomes of every scenario."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from stackproof.errors import Trouble, reason_of
from stackproof.processes import reaper
from stackproof.processes.run import Run
from stackproof.reporting.categories import write_environment
from stackproof.reporting.evidence import HANDED_ON, Attachment, ScenarioProof
from stackproof.reporting.outcome import blame
from stackproof.session.plan import Plan, ScenarioPlan
from stackproof.session.running.clusters import Clusters
from stackproof.session.running.progress import Progress
from stackproof.session.running.replay import Replay
from stackproof.session.running.reports import Reports, facts_of
from stackproof.session.running.signals import Signals
from stackproof.session.running.spans import LogSpans, full_disk
from stackproof.session.running.supply import Supply
from stackproof.session.running.verdicts import Verdicts
from stackproof.session.selection import shards
from stackproof.session.workers import wire
from stackproof.session.workers.pool import Pool
from stackproof.settings import Settings
from stackproof.stack.choosing import Providers
from stackproof.stack.stack import Stack
from stackproof.texts import defects

log = logging.getLogger(__name__)

#: What workers must know of behave's configuration: nothing that selects or formats.
_CONFIG = (
    "verbose", "lang", "steps_dir", "environment_file", "capture", "capture_stdout",
    "capture_stderr", "capture_log", "capture_hooks", "use_nested_step_modules",
    "scenario_outline_annotation_schema", "logging_format", "logging_level", "stage",
)  # fmt: skip
_SETTLES_WITHIN = 20.0
_STOPPED = "not run: the run was told to stop at the first failure"


class Execution:
    """Runs a plan. Hears the pool (see `stackproof.session.workers.listening.Listening`).

    Attributes:
        verdicts: what has become of the scenarios so far.
    """

    def __init__(
        self,
        plan: Plan,
        settings: Settings,
        runner: Any,
        *,
        formatters: list[Any],
        reports: Reports,
        progress: Progress,
        signals: Signals,
        seed: int,
    ):
        self.plan = plan
        self.settings = settings
        self.reports = reports
        self.verdicts = Verdicts(plan, allow_skipped=settings["run.allow_skipped"], seed=seed)
        config = self._config = runner.config
        self._progress = progress
        self._signals = signals
        self._seed = seed
        self._base_dir = str(runner.base_dir)
        self._jobs = max(1, min(int(config.jobs), len(plan.scenarios)))
        live = self._jobs == 1
        self._replay = Replay(plan, formatters, live=live, failed=self.suite_failed, runner=runner)
        selected = {id(planned.scenario) for planned in plan.scenarios}
        for feature in plan.features:
            for scenario in feature.walk_scenarios():
                if id(scenario) not in selected:
                    scenario.mark_skipped()  # or behave calls its feature untested
        self._run: Run | None = None
        self._watcher: reaper.Watcher | None = None
        self._stack: Stack | None = None
        self._clusters: Clusters | None = None
        self._spans: LogSpans | None = None
        self._pool: Pool | None = None
        self._supply: Supply | None = None
        self._providers: Providers | None = None
        self._started: dict[str, tuple[float, str, list[float]]] = {}

    # -- the course of a run -------------------------------------------------
    def begin(self) -> None:
        """Say what was left out, and what keeps the run from passing already."""
        for note in self.plan.notes:
            self._progress.say(note)
        for problem in self.plan.problems:
            self.suite_failed(problem)

    def run(self) -> None:
        """Start the stack and the workers, run every scenario.

        Raises:
            Trouble: the stack could not be started.
        """
        reaper.reap_stale_runs(self._progress.say)
        with self._signals.held():
            run = self._run = Run.begin()
            self._watcher = reaper.Watcher(run)
        self.verdicts.run_id = run.id
        providers = self._providers = Providers(run, self.reports.logs, self.settings)
        stack = self._stack = Stack(run, providers, self._progress.say)
        pool = self._pool = Pool(
            run,
            self._begin(run),
            self,
            jobs=self._jobs,
            logs=self.reports.logs,
            feature_files=[str(f.filename) for f in self.plan.features],
            held=self._signals.held,
        )
        shared = self.plan.shared()
        memory = self.settings["run.memory_mb"] or psutil.virtual_memory().available // 2**21
        hand_on = self.settings["run.cleanup"] and not self.settings["run.fresh_clusters"]
        self._clusters = Clusters(
            stack,
            memory_mb=memory,
            shared=shared,
            freed=pool.reconsider,
            left=self.verdicts.missing if hand_on else None,
            say=self._say_aside,
            failed=self.suite_failed,
        )
        self._spans = LogSpans(self._clusters, run, self.reports.evidence)
        pool.spawn()
        services = self.plan.services()
        for line in providers.explain(services):
            self._progress.say(line)
        self._supply = Supply(
            self.plan,
            stack,
            providers.cache,
            self._progress.say,
            changed=pool.reconsider,
            failed=self.suite_failed,
        )
        self._supply.begin()
        pool.work(self._by_feature())

    def _begin(self, run: Run) -> wire.Begin:
        config = {name: getattr(self._config, name) for name in _CONFIG}
        config["userdata"] = dict(self._config.userdata)
        return wire.Begin(
            base_dir=self._base_dir,
            paths=[self._base_dir],
            config=config,
            settings=self.settings,
            run_id=run.id,
            run_directory=str(run.directory),
            reports=str(self.reports.directory),
            seed=self._seed,
            services=self.plan.services(),
            # Never below its normal length: drawing a picture takes as long as it takes.
            hooks_deadline=self.settings["run.scenario_timeout"]
            * max(1.0, self.settings["run.time_factor"]),
        )

    def _by_feature(self) -> list[list[ScenarioPlan]]:
        """The scenarios of each feature; with several workers the longest first."""
        if self._jobs == 1 or self.settings["run.random_order"]:
            return _grouped(self.plan.scenarios)
        keys = [self.plan.identity(planned).key for planned in self.plan.scenarios]
        seconds = dict(zip(keys, shards.weights_of(keys, self.plan.durations), strict=True))

        def takes(planned: ScenarioPlan) -> float:
            return seconds[self.plan.identity(planned).key]

        listed = _grouped(sorted(self.plan.scenarios, key=takes, reverse=True))
        return sorted(listed, key=lambda scenarios: sum(map(takes, scenarios)), reverse=True)

    # -- when it cannot go on ------------------------------------------------
    def could_not_start(self, trouble: Trouble) -> None:
        """The stack did not come up: every scenario is reported, none as passed."""
        self.verdicts.could_not_run = True
        self._report_rest(str(trouble), "environment")

    def interrupted(self, how: str, exit_code: int) -> None:
        """The run was told to end."""
        self.verdicts.cut_short = exit_code
        self._progress.say(f"\ninterrupted by {how}: removing the stack")
        self._end_workers()  # and hear what they had said before
        self._report_rest(f"interrupted by {how}", "environment")

    def failed(self) -> None:
        """A defect of the suite itself ended the run; called while its error is handled."""
        error = sys.exc_info()[1]
        assert error is not None
        names = [p.scenario.name for p in self.verdicts.missing() if p.id in self._started]
        doing = f"the scenarios {', '.join(names)}" if names else "no scenario yet"
        self.could_not_run(str(defects.described(error, doing)))
        self._report_rest("a defect of the suite ended the run", "suite")

    def _report_rest(self, reason: str, category: Any) -> None:
        for planned in list(self.verdicts.missing()):
            self._broke(planned, self._proof(planned, "broken", category, reason))

    # -- the end -------------------------------------------------------------
    def close(self) -> None:
        """Stop workers and stack; nothing is left unless the stack is kept."""
        run, watcher, stack = self._run, self._watcher, self._stack
        if run is None:
            return
        if self._supply is not None:
            self._supply.close()
            self.verdicts.ready_after = self._supply.complete_after
        self._end_workers()
        with self.attempt("the servers' memory could not be read"):
            self.verdicts.memory_mb = dict(stack.memory()) if stack else {}
            log.info("memory at the end, MiB: %s", self.verdicts.memory_mb)
        keep = bool(not self.settings["run.cleanup"] and stack and stack.describe())
        if keep and stack is not None:
            self._settle()
            run.write_state(kept=True, endpoints=stack.describe())
        else:
            with self.attempt("the stack did not stop"):
                if stack is not None:
                    stack.stop_all()
            with self.attempt("the run was not cleared away"):
                reaper.reap(run, spare=[] if watcher is None else [watcher.pid])
            self._settle()  # what was just being started has died of that
        # It reaps once more what may have begun meanwhile.
        for left in watcher.dismiss(keep=keep) if watcher is not None else reaper.reap(run):
            self.suite_failed(f"could not be removed: {left}")
        if keep and stack is not None:
            self._progress.say(f"the stack of run {run.id} is left up:")
            for name, known in stack.describe().items():
                self._progress.say(f"  {name}: {known['reach']}")
            self._progress.say(f"  end it by: stackproof down {run.id}")

    def _end_workers(self) -> None:
        with self.attempt("the workers were not ended in good order"):
            if self._pool is not None:
                self._pool.close()
            if self._clusters is not None:
                self._clusters.close()

    def _settle(self) -> None:
        if self._clusters is not None:
            self._clusters.settle(_SETTLES_WITHIN)
        if self._supply is not None:
            self._supply.settle(_SETTLES_WITHIN)

    def finish(self) -> None:
        """Complete the reports: every selected scenario is in them."""
        self._report_rest("no result of it has arrived", "suite")
        self._replay.finish()
        for reporter in self._config.reporters:
            with self.attempt(f"the reporter {type(reporter).__name__} failed"):
                for feature in self.plan.features:
                    reporter.feature(feature)
                reporter.end()
        with self.attempt("the report lacks its environment"):
            self._write_environment()
        with self.attempt("results.json could not be written"):
            self.reports.write_results(self.verdicts.as_data())

    def _write_environment(self) -> None:
        if self._providers is None or self._stack is None:
            return
        services = []
        for name in self.plan.services():
            # Why one cannot be had is told to the scenarios that need it.
            with contextlib.suppress(Trouble):
                self.verdicts.servers[name] = self._stack.version(name)
                services.append(name)
        facts = facts_of(
            self._providers.summary(services), self.verdicts.servers, self.settings, self._seed
        )
        write_environment(self.reports.allure, facts)

    @contextmanager
    def attempt(self, otherwise: str) -> Iterator[None]:
        """An error inside is told and keeps the run from passing, not from going on."""
        try:
            yield
        except Trouble as trouble:
            self.suite_failed(str(trouble))
        except OSError as error:  # e.g. a full disk: no defect of the suite
            log.exception("%s", otherwise)
            self.suite_failed(f"{otherwise}: {reason_of(error)}")
        except Exception as error:
            self.suite_failed(f"{otherwise}: {defects.described(error, 'the run')}")

    def summary(self, *, report: Path | None = None) -> str:
        """The summary for people, with the place of the report when there is one."""
        return self.verdicts.summary(self._config, report=report)

    # -- heard from the pool -------------------------------------------------
    def ready(self, planned: ScenarioPlan) -> bool:
        """Whether what the scenario needs is there, or is known not to come."""
        return self._supply is not None and self._supply.ready(planned)

    def trouble(self, planned: ScenarioPlan) -> Trouble | None:
        """Why what the scenario needs will not come."""
        return self._supply.trouble(planned) if self._supply is not None else None

    def admit(self, planned: ScenarioPlan) -> bool:
        """Whether memory and the scenario's neighbours allow it to start now."""
        assert self._clusters is not None
        return self._clusters.admit(planned)

    def provide(self, planned: ScenarioPlan) -> wire.Go:
        """Shared endpoints, and dedicated clusters started for this scenario."""
        assert self._clusters is not None
        return wire.Go(self._clusters.provide(planned), planned.deadline)

    def call(self, planned: ScenarioPlan, operation: str, arguments: Any) -> Any:
        """An operation on the scenario's own clusters."""
        assert self._clusters is not None
        if operation == "act":
            return self._clusters.act(planned, **arguments)
        if operation == "death":
            return self._clusters.death(planned, **arguments)
        if operation == "leaves traces":
            return self._clusters.leaves_traces(planned, **arguments)
        raise Trouble(f"a run has no operation {operation!r}")

    def started(self, planned: ScenarioPlan, worker: str) -> None:
        """Its time begins to count."""
        assert self._spans is not None
        self._started[planned.id] = (time.time(), worker, [])
        self._spans.begin(planned)
        self._replay.started(planned)

    def step_started(self, planned: ScenarioPlan, event: wire.StepStarts) -> None:
        """A step begins."""
        starts = self._started[planned.id][2]
        starts += [0.0] * (event.index - len(starts))
        starts.append(event.at)
        self._replay.step_started(planned, event.index)

    def step_ended(self, planned: ScenarioPlan, event: wire.StepEnds) -> None:
        """A step has ended."""
        self._replay.step_ended(planned, event)

    def ended(self, planned: ScenarioPlan, event: wire.ScenarioEnds) -> None:
        """A scenario has ended in its worker."""
        proof = event.proof
        try:
            proof.worker = self._started[planned.id][1]
            proof.provider = self._provider(planned)
            proof.parameters |= self._handed_on(planned)
            if not self.verdicts.give(planned, proof):
                return
            if proof.verdict in ("failed", "broken"):
                self._add_logs(planned, proof)
            self._replay.ended(planned, event)
            if proof.evidence_lost:
                self.suite_failed(
                    f"evidence of {planned.scenario.name!r} is missing: {proof.evidence_lost}"
                )
        finally:
            self._release(planned, passed=proof.verdict == "passed" and not event.spoiled)
        if self._config.stop and proof.has_failed and self._pool:
            self._pool.drop_rest(_STOPPED)

    def lost(self, planned: ScenarioPlan, what: str, trace: str) -> None:
        """Its worker was killed or died, or never came to run it."""
        try:
            proof = self._proof(planned, "broken", "suite", what)
            proof.trace = trace
            if trace:
                stacks = Attachment("stacks of the worker", "text/plain", text=trace)
                proof.attachments.append(stacks)
            self._broke(planned, proof)
        finally:
            self._release(planned)
        if self._config.stop and self._pool:
            self._pool.drop_rest(_STOPPED)

    def kept_back(self, planned: ScenarioPlan, reason: str) -> None:
        """A hook of its feature or rule kept it from starting."""
        self._broke(planned, self._proof(planned, "broken", "suite", reason))

    def without(self, planned: ScenarioPlan, trouble: Trouble) -> None:
        """What it needs cannot be had: it will not be run."""
        self._broke(planned, self._proof(planned, *blame(trouble), str(trouble)))
        if self._config.stop and self._pool:
            self._pool.drop_rest(_STOPPED)

    def passed_over(self, planned: ScenarioPlan, reason: str) -> None:
        """The run ends before it."""
        self._broke(planned, self._proof(planned, "skipped", "", reason))

    def container_failed(self, feature_index: int, line: int, message: str) -> None:
        """A hook of a feature or rule failed without keeping a scenario back."""
        feature = self.plan.features[feature_index]
        known = {container.line: container for container in [feature, *feature.iter_rules()]}
        container = known.get(line, feature)
        container.hook_failed = True
        if message in (container.error_message or ""):
            return  # another worker's hooks of the same feature have said the same
        container.error_message = "\n".join(filter(None, (container.error_message, message)))
        self.verdicts.container_problems.append(f"{container.name}: {message}")
        log.error("hooks of %s: %s", container.name, message)

    def suite_failed(self, problem: str) -> None:
        """Something failed outside of scenarios and features."""
        log.error("%s", problem)
        self.verdicts.problems.append(problem)
        self._progress.say(f"\nstackproof: {problem}")

    def could_not_run(self, problem: str) -> None:
        """What is left will not be run."""
        self.verdicts.could_not_run = True
        self.suite_failed(problem)

    # -- helpers -------------------------------------------------------------
    def _say_aside(self, line: str) -> None:
        """What is worth telling only those who want to know everything."""
        log.info("%s", line)
        if self._config.verbose:
            self._progress.say(line)

    def _provider(self, planned: ScenarioPlan) -> str:
        if self._stack is None:
            return ""
        names = {r.service for r in planned.requirements.values()}
        return ", ".join(sorted({self._stack.provider_name(name) for name in names}))

    def _handed_on(self, planned: ScenarioPlan) -> dict[str, str]:
        told = self._clusters.handed_on(planned) if self._clusters is not None else ""
        return {HANDED_ON: told} if told else {}

    def _proof(self, planned: ScenarioPlan, verdict: Any, category: Any,
               reason: str) -> ScenarioProof:  # fmt: skip
        now = time.time()
        began, worker, steps = self._started.get(planned.id, (now, "", []))
        return ScenarioProof(
            start=began, stop=now, worker=worker, verdict=verdict, category=category,
            reason=reason, step_starts=steps, provider=self._provider(planned),
            parameters=self._handed_on(planned),
        )  # fmt: skip

    def _broke(self, planned: ScenarioPlan, proof: ScenarioProof) -> None:
        if not self.verdicts.give(planned, proof):
            return
        self._add_logs(planned, proof)
        self._replay.broke(planned, proof)

    def _release(self, planned: ScenarioPlan, *, passed: bool = False) -> None:
        if self._clusters is not None:
            self._clusters.release(planned, passed=passed)

    def _add_logs(self, planned: ScenarioPlan, proof: ScenarioProof) -> None:
        if self._run is not None and (full := full_disk(self._run.directory)):
            # Servers without room fail in ways that look like anybody's fault.
            proof.category = "environment"
            proof.reason = f"{proof.reason}\n\nthe disk of the run is full: {full}"
        if self._spans is not None:
            with self.attempt(f"the logs of {planned.scenario.name} are missing"):
                proof.attachments += self._spans.copies(planned)


def _grouped(scenarios: Iterable[ScenarioPlan]) -> list[list[ScenarioPlan]]:
    """By feature, in the order in which they come."""
    features: dict[int, list[ScenarioPlan]] = {}
    for planned in scenarios:
        features.setdefault(planned.feature_index, []).append(planned)
    return list(features.values())
