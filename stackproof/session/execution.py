"""One run: its stack, its workers, and what becomes of every scenario."""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from stackproof.errors import (
    EXIT_COULD_NOT_RUN,
    EXIT_FAILED,
    EXIT_PASSED,
    NotSupported,
    Trouble,
)
from stackproof.reporting import masking
from stackproof.reporting.categories import write_environment
from stackproof.reporting.evidence import DID_NOT_RUN, Attachment, ScenarioProof
from stackproof.reporting.summary import render_summary
from stackproof.services import service
from stackproof.services.base import Endpoint, Requirement
from stackproof.session import wire
from stackproof.session.plan import Plan, ScenarioPlan
from stackproof.session.pool import Pool
from stackproof.session.progress import Progress
from stackproof.session.replay import Replay, freeze_steps
from stackproof.session.reports import Reports
from stackproof.settings import Settings
from stackproof.stack import reaper
from stackproof.stack.choosing import Providers
from stackproof.stack.run import Run
from stackproof.stack.stack import Stack

log = logging.getLogger(__name__)

_SPAN_BYTES = 400_000


class Execution:
    """Runs a plan. Hears the pool (see `stackproof.session.pool.Listening`).

    Attributes:
        exit_code: what the process should end with.
        suite_problems: what went wrong with the suite itself.
        outcomes: how each scenario ended, by its ID.
    """

    def __init__(
        self,
        plan: Plan,
        settings: Settings,
        config: Any,
        registry: Any,
        *,
        base_dir: str,
        formatters: Sequence[Any],
        reports: Reports,
        progress: Progress,
        seed: int,
    ):
        self.plan = plan
        self.settings = settings
        self.reports = reports
        self.outcomes: dict[str, ScenarioProof] = {}
        self.suite_problems: list[str] = []
        self.began = time.time()
        self._config = config
        self._formatters = formatters
        self._progress = progress
        self._seed = seed
        self._base_dir = base_dir
        self._jobs = max(1, min(int(config.jobs), len({s.feature_index for s in plan.scenarios})))
        self._replay = Replay(formatters, registry, live=self._jobs == 1)
        self.exit_code = EXIT_COULD_NOT_RUN
        selected = {id(planned.scenario) for planned in plan.scenarios}
        for feature in plan.features:
            for scenario in feature.walk_scenarios():
                if id(scenario) in selected:
                    freeze_steps(scenario)
                else:
                    scenario.mark_skipped()  # or behave calls its feature untested
        self.run_identity: Run | None = None
        self._watcher: reaper.Watcher | None = None
        self._stack: Stack | None = None
        self._pool: Pool | None = None
        self._dedicated: dict[str, list[Endpoint]] = {}
        self._log_starts: dict[str, dict[Path, int]] = {}
        self._began: dict[str, tuple[float, str, list[float]]] = {}
        self._memory = settings["run.memory_mb"] or psutil.virtual_memory().available // 2**21
        self._promised: dict[str, int] = {}
        self._admitted: dict[str, ScenarioPlan] = {}
        self._lock = threading.Lock()
        self._stage_times: dict[str, float] = {}

    # -- the course of a run -------------------------------------------------
    def run(self) -> None:
        """Start the stack and the workers, run every scenario.

        Raises:
            Trouble: the stack could not be started.
        """
        for stale in reaper.reap_stale_runs():
            self._progress.say(f"removed what was left of the interrupted run {stale}")
        run = self.run_identity = Run.begin()
        self._watcher = reaper.Watcher(run)
        providers = Providers(run, self.reports.logs, self.settings)
        self._stack = Stack(run, providers, self._progress.say)
        self._pool = Pool(
            run,
            self._begin(run),
            self,
            jobs=self._jobs,
            logs=self.reports.logs,
            feature_files=[str(f.filename) for f in self.plan.features],
        )
        self._pool.spawn()
        services = self.plan.services()
        for line in providers.explain(services):
            self._progress.say(line)
        self._stack.obtain(services)
        shared = self.plan.shared()
        if shared:
            with self._progress.doing(f"starting {', '.join(sorted(map(str, shared)))}"):
                self._stack.start_shared(shared)
        self._stage_times["ready"] = time.time() - self.began
        log.info("stack ready %.2f s after the run began", self._stage_times["ready"])
        self._describe_environment(providers)
        self._pool.work(self._units())

    def _begin(self, run: Run) -> wire.Begin:
        config = {
            name: getattr(self._config, name)
            for name in ("stop", "verbose", "lang", "steps_dir", "environment_file", "capture",
                         "capture_stdout", "capture_stderr", "capture_log", "capture_hooks",
                         "use_nested_step_modules", "scenario_outline_annotation_schema",
                         "logging_format", "logging_level", "stage")
        }  # fmt: skip
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
        )

    def _units(self) -> list[list[ScenarioPlan]]:
        """The scenarios of each feature; with several workers the longest first."""
        units: dict[int, list[ScenarioPlan]] = {}
        for planned in self.plan.scenarios:
            units.setdefault(planned.feature_index, []).append(planned)
        listed = list(units.values())
        if self._jobs > 1 and not self.settings["run.random_order"]:
            listed.sort(key=len, reverse=True)
        return listed

    def _describe_environment(self, providers: Providers) -> None:
        facts = {
            "provider": providers.summary(self.plan.services()),
            "system": f"{platform.system()} {platform.release()}",
            "python": platform.python_version(),
            "cores": str(os.cpu_count()),
            "input seed": str(self._seed),
            "order": self.settings["run.random_order"] or "as written",
        }
        for name in self.plan.services():
            facts[name] = ", ".join(a.title for a in service(name).artifacts()[:1])
        write_environment(self.reports.allure, facts)

    def close(self) -> None:
        """Stop workers and stack; nothing is left unless the stack is kept."""
        if self._pool is not None:
            self._pool.close()
        run = self.run_identity
        if run is None or self._watcher is None:
            self.reports.close()
            return
        keep = not self.settings["run.cleanup"] and self._stack is not None
        if keep and self._stack is not None:
            run.write_state(kept=True, endpoints=self._stack.describe())
        else:
            if self._stack is not None:
                self._stack.stop_all()
            for left in reaper.reap(run, spare=[self._watcher.pid]):
                self._progress.say(f"could not be removed: {left}")
        self._watcher.dismiss(keep=keep)
        if keep and self._stack is not None:
            self._progress.say(f"the stack of run {run.id} is left up:")
            for name, known in self._stack.describe().items():
                self._progress.say(f"  {name}: {known['reach']}")
            self._progress.say(f"  end it by: stackproof down {run.id}")
        self.reports.close()

    # -- when it cannot go on ------------------------------------------------
    def could_not_run(self, trouble: Trouble) -> None:
        """The stack did not come up: every scenario is reported, none as passed."""
        self._report_rest(str(trouble), "environment")

    def interrupted(self, how: str) -> None:
        """The run was told to end."""
        self._progress.say(f"\ninterrupted by {how}: removing the stack")
        self._report_rest(f"interrupted by {how}", "environment")

    def _report_rest(self, reason: str, category: Any) -> None:
        for planned in self.plan.scenarios:
            if planned.id not in self.outcomes:
                proof = self._proof(planned, "broken", category, reason)
                self._broke(planned, proof)

    # -- heard from the pool -------------------------------------------------
    def admit(self, planned: ScenarioPlan) -> bool:
        """Whether memory and the scenario's neighbours allow it to start now."""
        needed = sum(self._need_mb(r) for r in planned.requirements.values() if r.dedicated)
        others = [p for p in self._admitted.values() if p.id != planned.id]
        if others and (planned.alone or any(p.alone for p in others)):
            return False
        if others and sum(self._promised.values()) + needed > self._memory:
            return False
        self._promised[planned.id] = needed
        self._admitted[planned.id] = planned
        return True

    def _need_mb(self, requirement: Requirement) -> int:
        assert self._stack is not None
        return self._stack.memory_mb(requirement)

    def provide(self, planned: ScenarioPlan) -> wire.Go:
        """Shared endpoints, and dedicated clusters started for this scenario."""
        assert self._stack is not None
        if self._promised.get(planned.id, 0) > self._memory:
            raise NotSupported(
                "the scenario needs more memory than this run may use",
                f"{self._promised[planned.id]} MiB of {self._memory} MiB",
                "raise STACKPROOF_MEMORY_MB, or run it on a larger machine",
            )
        endpoints = {}
        for name, requirement in planned.requirements.items():
            if requirement.dedicated:
                endpoint = self._stack.start(requirement)
                self._dedicated.setdefault(planned.id, []).append(endpoint)
            else:
                endpoint = self._stack.shared(requirement)
            endpoints[name] = endpoint
        return wire.Go(endpoints, planned.deadline)

    def call(self, planned: ScenarioPlan, operation: str, arguments: Any) -> Any:
        """An operation on the scenario's own clusters."""
        assert self._stack is not None
        if operation != "act":
            raise Trouble(f"a run has no operation {operation!r}")
        own = [e.cluster for e in self._dedicated.get(planned.id, [])]
        if arguments["cluster"] not in own:
            raise Trouble(
                f"{arguments['cluster']} is shared with other scenarios and must not be broken",
                "the step does not declare that it needs a dedicated cluster",
                "put dedicated=True into the step's @needs",
            )
        self._stack.act(**arguments)
        return None

    def started(self, planned: ScenarioPlan, worker: str) -> None:
        """Its time begins to count; the logs' ends are remembered."""
        self._began[planned.id] = (time.time(), worker, [])
        assert self._stack is not None
        self._log_starts[planned.id] = {
            path: path.stat().st_size
            for path in self._stack.logs().values()
            if path.exists() and not self._is_own(planned, path)
        }
        self._replay.started(self._feature(planned), planned.scenario)

    def step_started(self, planned: ScenarioPlan, event: wire.StepStarts) -> None:
        """A step begins."""
        self._began[planned.id][2].append(event.at)
        self._replay.step_started(planned.scenario, event.index)

    def step_ended(self, planned: ScenarioPlan, event: wire.StepEnds) -> None:
        """A step has ended."""
        self._replay.step_ended(planned.scenario, event)

    def ended(self, planned: ScenarioPlan, event: wire.ScenarioEnds) -> None:
        """A scenario has ended in its worker."""
        proof = event.proof
        proof.worker = self._began[planned.id][1]
        proof.provider = self._provider(planned)
        if proof.verdict in ("failed", "broken"):
            proof.attachments += self._logs(planned)
        self.outcomes[planned.id] = proof
        self._replay.ended(self._feature(planned), planned.scenario, event)
        self._release(planned)
        if self._config.stop and proof.verdict in ("failed", "broken") and self._pool:
            self._pool.drop_rest()

    def lost(self, planned: ScenarioPlan, what: str, trace: str) -> None:
        """Its worker was killed or died."""
        proof = self._proof(planned, "broken", "suite", what)
        proof.trace = trace
        if trace:
            proof.attachments.append(Attachment("stacks of the worker", "text/plain", text=trace))
        self._broke(planned, proof)
        self._release(planned)

    def not_run(self, planned: ScenarioPlan, reason: str) -> None:
        """A hook failed before it, or the run stops early."""
        if reason:
            self._broke(planned, self._proof(planned, "broken", "suite", reason))
        else:
            text = "not run: the run was told to stop at the first failure"
            self._broke(planned, self._proof(planned, "skipped", "", text))
        self._release(planned)

    def container_failed(self, feature_index: int, place: int, message: str) -> None:
        """A hook of a feature or rule failed."""
        feature = self.plan.features[feature_index]
        container = [feature, *feature.iter_rules()][place]
        container.hook_failed = True
        container.error_message = message
        self.suite_problems.append(f"{container.name}: {message}")

    def suite_failed(self, problem: str) -> None:
        """The suite's own code failed outside of scenarios."""
        log.error("%s", problem)
        self.suite_problems.append(problem)
        self._progress.say(f"\nstackproof: {problem}")

    # -- helpers -------------------------------------------------------------
    def _feature(self, planned: ScenarioPlan) -> Any:
        return self.plan.features[planned.feature_index]

    def _provider(self, planned: ScenarioPlan) -> str:
        assert self._stack is not None
        return ", ".join(sorted({self._stack.provider_name(r.service)
                                 for r in planned.requirements.values()}))  # fmt: skip

    def _proof(self, planned: ScenarioPlan, verdict: Any, category: Any,
               reason: str) -> ScenarioProof:  # fmt: skip
        now = time.time()
        began, worker, steps = self._began.get(planned.id, (now, "", []))
        return ScenarioProof(
            start=began, stop=now, worker=worker, verdict=verdict, category=category,
            reason=reason, step_starts=steps,
            provider=self._provider(planned) if self._stack else "",
        )  # fmt: skip

    def _broke(self, planned: ScenarioPlan, proof: ScenarioProof) -> None:
        if planned.id in self._began:
            proof.attachments += self._logs(planned)
        self.outcomes[planned.id] = proof
        self._replay.broke(self._feature(planned), planned.scenario, proof)

    def _release(self, planned: ScenarioPlan) -> None:
        self._promised.pop(planned.id, None)
        self._admitted.pop(planned.id, None)
        for endpoint in self._dedicated.pop(planned.id, []):
            assert self._stack is not None
            threading.Thread(target=self._stack.stop, args=(endpoint,)).start()

    def _is_own(self, planned: ScenarioPlan, path: Path) -> bool:
        return any(path.stem in e.instances for e in self._dedicated.get(planned.id, []))

    def _logs(self, planned: ScenarioPlan) -> list[Attachment]:
        """Each service's log from the scenario's time span, and all of its systems' output."""
        assert self._stack is not None and self.run_identity is not None
        starts = self._log_starts.get(planned.id, {})
        own = self.run_identity.directory / "scenarios" / planned.id
        place = self.reports.evidence / planned.id
        found = []
        sources = [(f"output of {p.stem}", p, 0) for p in sorted(own.glob("*.log"))]
        sources += [(f"log of {name} during the scenario", path, starts.get(path, 0))
                    for name, path in self._stack.logs().items()
                    if path in starts or self._is_own(planned, path)]  # fmt: skip
        for name, path, start in sources:
            try:
                text = _span(path, start)
            except OSError:
                continue
            place.mkdir(parents=True, exist_ok=True)
            copy = place / f"{path.stem}.log"
            copy.write_text(masking.mask(text))
            found.append(Attachment(name, "text/plain", path=copy))
        return found

    def verdict_code(self) -> int:
        """The exit code of a run that was not cut short."""
        if self.suite_problems:
            return EXIT_COULD_NOT_RUN
        verdicts = [proof.verdict for proof in self.outcomes.values()]
        tolerated = {"passed"} | (DID_NOT_RUN if self.settings["run.allow_skipped"] else set())
        complete = len(verdicts) == len(self.plan.scenarios)
        return EXIT_PASSED if complete and tolerated.issuperset(verdicts) else EXIT_FAILED

    def summarise(self) -> None:
        """Write the results for programs; print the summary unless the caller will."""
        self.reports.write_results(self.results())
        if self._config.userdata.getbool("summary", True):
            print(self.summary())

    def summary(self, *, report: Path | None = None) -> str:
        """The summary for people, with the place of the report when there is one."""
        providers = sorted({p.provider for p in self.outcomes.values() if p.provider})
        return render_summary(
            self.plan.features,
            elapsed=time.time() - self.began,
            provider=", ".join(providers),
            report_path=report,
            config=self._config,
            exit_code=self.exit_code,
        )

    def results(self) -> dict[str, Any]:
        """Everything about the run as plain data."""
        return {
            "run": self.run_identity.id if self.run_identity else "",
            "began": self.began,
            "elapsed": time.time() - self.began,
            "ready_after": self._stage_times.get("ready"),
            "seed": self._seed,
            "exit_code": self.exit_code,
            "suite_problems": self.suite_problems,
            "scenarios": [
                {
                    "feature": str(self._feature(planned).filename),
                    "name": planned.scenario.name,
                    "line": planned.scenario.line,
                    "tags": sorted(map(str, planned.scenario.effective_tags)),
                    "verdict": proof.verdict,
                    "category": proof.category,
                    "reason": proof.reason,
                    "trace": proof.trace,
                    "seconds": round(proof.stop - proof.start, 3),
                    "figures": proof.figures,
                }
                for planned in self.plan.scenarios
                if (proof := self.outcomes.get(planned.id)) is not None
            ],
        }


def _span(path: Path, start: int) -> str:
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        begin = max(start, size - _SPAN_BYTES)
        stream.seek(begin)
        text = stream.read().decode("utf-8", "replace")
    return text if begin == start else f"... (the first {begin - start} bytes left out)\n{text}"
