"""behave's runner class of this project: plans, starts the stack, runs workers, reports.

``behave`` loads it by ``[tool.behave] runner``; ``stackproof run`` goes the same way.
"""

from __future__ import annotations

import contextlib
import difflib
import random
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from behave.exception import ConfigError, TagExpressionError
from behave.formatter._registry import make_formatters
from behave.formatter.base import StreamOpener
from behave.model import Step
from behave.runner import Context

from stackproof import settings as settings_module
from stackproof import texts
from stackproof.clock import check_clock
from stackproof.errors import EXIT_COULD_NOT_RUN, EXIT_FAILED, Trouble
from stackproof.session.plan import Plan, make_plan
from stackproof.session.running.execution import Execution
from stackproof.session.running.progress import Progress
from stackproof.session.running.reports import Reports
from stackproof.session.running.signals import Interrupted, Signals
from stackproof.session.selection import reading
from stackproof.session.selection.misread import misread
from stackproof.session.selection.selecting import Selector
from stackproof.session.selection.unknown import unknown
from stackproof.settings import Settings
from stackproof.texts import defects, streams

#: ``-D name=value`` of these is a setting given on the command line.
_USERDATA = {setting.key.partition(".")[2]: setting.key for setting in settings_module.SETTINGS}
_SECTIONS = ("stack", "run", "services")


class StackproofRunner(reading.ReadingRunner):
    """Runs features in worker processes against a stack of real services."""

    #: What the last run in this process came to; for `stackproof run`.
    last: Execution | None = None

    def run(self) -> bool:
        """Run everything; True when something failed.

        Raises:
            SystemExit: 2 when the run could not take place, 130 or 143 when interrupted.
        """
        with streams.safe(), Signals() as signals:
            self._signals = signals
            self.config.outputs = [_Output(opener) for opener in self.config.outputs]
            try:
                failed = super().run()
                if (trouble := streams.refused()) is None:
                    return failed
                complain(trouble)
            except Trouble as trouble:
                complain(trouble)
            except (ConfigError, TagExpressionError) as error:
                complain(Trouble("behave's settings are not understood", str(error)))
            except Interrupted as interrupted:
                raise SystemExit(interrupted.exit_code) from None
            except Exception as error:
                complain(defects.described(error, "behave's part of the run"))
            raise SystemExit(EXIT_COULD_NOT_RUN)

    def run_with_paths(self) -> bool:
        """Read hooks, steps and features, then run."""
        self.context = Context(self)
        self.load_hooks()
        self.load_step_definitions()
        chosen = [one for one in self.feature_locations() if not self.config.exclude(one)]
        self.features.extend(reading.features(chosen, self.config.lang))
        try:
            self.formatters = make_formatters(self.config, self.config.outputs)
        except Exception as error:
            raise Trouble(
                "a formatter cannot be used",
                f"{type(error).__name__}: {error}",
                "correct -f and -o",
            ) from error
        return self.run_model()

    def run_model(self, features: Sequence[Any] | None = None) -> bool:
        """Plan, start, run, report."""
        if self.config.dry_run:
            return super().run_model(features)
        from behave.runner import the_step_registry as registry

        self.step_registry = registry
        features = self.features if features is None else features
        check_clock()
        settings = settings_module.load(command_line=given_settings(self.config.userdata))
        selector = Selector(settings, self.config, features)
        if selector.nothing_failed:
            print(selector.nothing_failed)
            return False
        plan = make_plan(
            features,
            self.config,
            registry,
            scenario_timeout=settings["run.scenario_timeout"],
            time_factor=settings["run.time_factor"],
            wanted=selector.suite,
            settings=settings,
        )
        self._refuse(plan, selector.suite.note, settings)
        selector.cut(plan)
        if settings["run.random_order"]:
            plan.shuffle(settings["run.random_order"])
        if self.config.userdata.getbool("plan", False):
            print(plan.describe())
            return False
        # Only while scenarios run: a second Ctrl-C must not leave half of the stack behind.
        with self._signals.held():
            failed = self._execute(plan, settings)
            self._signals.ignore()
        return failed

    def _refuse(self, plan: Plan, note: str, settings: Settings) -> None:
        """End before anything starts when the run could prove nothing."""
        if plan.undefined:
            steps = [step for _, step in plan.undefined]
            told = (f"{s.filename}:{s.line}: {s.keyword} {s.name}" for s in steps)
            places = list(dict.fromkeys(told))  # a step of a Background counts once
            raise Trouble(
                f"{_count(places, 'step is', 'steps are')} not defined",
                f"{_some(places)}\n{_some(self._unknown(steps, settings))}\n".replace("\n\n", "\n")
                + f"steps were loaded from: {', '.join(self.step_folders)}",
                "docs/steps.md lists the steps; `stackproof steps WORD` searches them",
            )
        chosen = {s.feature_index for s in plan.scenarios}
        read = [
            f"{feature.filename}:{line}: {texts.visible(said)}"
            for index, feature in enumerate(plan.features)
            # In one without scenarios, all of them may be hidden.
            if index in chosen or not feature.walk_scenarios(with_outlines=True)
            for line, said in misread(feature, self._is_step, texts.read(Path(feature.filename)))
        ]
        if read:
            raise Trouble(
                f"{_count(read, 'line looks', 'lines look')} like a step or a scenario, but "
                "Gherkin reads a description",
                _some(read),
                "correct the keyword; words of a description begin in another way",
            )
        if plan.empty:
            raise Trouble(
                f"{_count(plan.empty, 'scenario proves', 'scenarios prove')} nothing",
                _some(plan.empty),
                "complete them, or leave them out: a tag and --tags 'not @TAG'",
            )
        if not plan.scenarios:
            raise Trouble(
                "no scenario was selected",
                f"paths: {', '.join(map(str, self.config.paths))}; {_tags(self.config)}; "
                f"names: {self.config.name or 'any'}" + (f"\n{note}" if note else ""),
                _nearest_tag(self.config.tag_expression, plan.features)
                or "check the path, --tags and --name; `--plan` shows what would run",
            )

    def _unknown(self, steps: Sequence[Step], settings: Settings) -> list[str]:
        """What of these steps no system has."""
        known, systems = self.step_registry.steps, settings.systems
        found = (
            said
            for step in steps
            for said in unknown(step.name, [*known[step.step_type], *known["step"]], systems)
        )
        return list(dict.fromkeys(found))

    def _is_step(self, wording: str) -> bool:
        kinds = (("Given", "given"), ("When", "when"), ("Then", "then"))
        steps = (Step("<string>", 1, keyword, kind, wording) for keyword, kind in kinds)
        return any(self.step_registry.find_match(step) is not None for step in steps)

    def _execute(self, plan: Plan, settings: Settings) -> bool:
        reports = Reports.open(settings)
        formatters = reports.formatters(self.config, self.formatters)
        self.config.reporters = [r for r in self.config.reporters if not _is_summary(r)]
        execution = Execution(
            plan,
            settings,
            self,
            formatters=formatters,
            reports=reports,
            progress=Progress(sys.stderr),
            signals=self._signals,
            seed=settings["run.seed"] or random.SystemRandom().randrange(1, 10**6),
        )
        StackproofRunner.last = execution
        execution.begin()
        try:
            with self._signals.heard():
                execution.run()
        except Interrupted as interrupted:
            execution.interrupted(interrupted.how, interrupted.exit_code)
        except Trouble as trouble:
            execution.could_not_start(trouble)
            complain(trouble)
        except BaseException:  # whatever it is: workers and stack must not stay
            execution.failed()
        with execution.attempt("the run was not ended in good order"):
            execution.close()
        execution.finish()
        if self.config.userdata.getbool("summary", True):
            with contextlib.suppress(BrokenPipeError):  # e.g. `behave | head`
                print(execution.summary(), flush=True)
            reports.close()
        if execution.verdicts.exit_code > EXIT_FAILED:
            raise SystemExit(execution.verdicts.exit_code)
        return execution.verdicts.exit_code == EXIT_FAILED


def _nearest_tag(expression: Any, features: Sequence[Any]) -> str:
    """A hint when a tag of the expression is on no scenario."""
    known = {str(tag) for f in features for s in f.walk_scenarios() for tag in s.effective_tags}
    for word in re.findall(r"[\w.:-]+", str(expression)):
        near = difflib.get_close_matches(word, known, n=1)
        if word not in (*known, "and", "or", "not") and near:
            return f"no scenario has the tag @{word}; did you mean @{near[0]}?"
    return ""


def given_settings(userdata: Any) -> dict[str, str]:
    """Settings among behave's ``-D name=value``."""
    given = {key: str(userdata[name]) for name, key in _USERDATA.items() if name in userdata}
    # In full, as `stackproof run --set` hands them over.
    return given | {
        str(name): str(value)
        for name, value in userdata.items()
        if str(name).partition(".")[0] in _SECTIONS
    }


def complain(trouble: Trouble) -> None:
    """Tell a trouble on standard error."""
    with contextlib.suppress(OSError):
        print(f"\nstackproof: {trouble}", file=sys.stderr, flush=True)


def _tags(config: Any) -> str:
    """What selects by tag, and where it was said."""
    if not config.tags:
        return "tags: any"
    given = " and ".join(config.tags) if isinstance(config.tags, list) else str(config.tags)
    for name in ("tags", "default_tags"):
        if config.tags == getattr(config, {"tags": "config_tags"}.get(name, name)):
            return f"tags: {given} ({name} of behave's settings)"
    return f"tags: {given}"


class _Output(StreamOpener):
    """Where a formatter writes: as it is told, but in UTF-8, and with what that has not escaped."""

    def __init__(self, told: StreamOpener):
        super().__init__(told.name, None if told.name else sys.stdout, "utf-8")
        self.stream: Any

    def open(self) -> Any:
        if self.stream is None or self.stream.closed:
            self.ensure_dir_exists(Path(self.name).parent)
            self.stream = Path(self.name).open(  # noqa: SIM115 -- behave closes it
                "w", encoding="utf-8", errors="backslashreplace"
            )
            self.should_close_stream = True
        return self.stream


def _some(lines: list[str], most: int = 10) -> str:
    more = [f"and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join([*lines[:most], *more])


def _count(things: Sequence[Any], one: str, many: str) -> str:
    return f"1 {one}" if len(things) == 1 else f"{len(things)} {many}"


def _is_summary(reporter: Any) -> bool:
    return "Summary" in type(reporter).__name__
