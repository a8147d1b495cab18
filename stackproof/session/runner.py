"""behave's runner class of this project: plans, starts the stack, runs workers, reports.

``behave`` loads it by ``[tool.behave] runner``; ``stackproof run`` goes the same way.
"""

from __future__ import annotations

import logging
import random
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from behave.exception import (
    ConfigError,
    FileNotFoundError,
    InvalidFileLocationError,
    TagExpressionError,
)
from behave.parser import ParserError
from behave.runner import Runner

from stackproof import settings as settings_module
from stackproof.errors import (
    EXIT_COULD_NOT_RUN,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    Trouble,
)
from stackproof.session.execution import Execution
from stackproof.session.plan import Plan, make_plan
from stackproof.session.progress import Progress
from stackproof.session.reports import Reports
from stackproof.settings import Settings

log = logging.getLogger(__name__)

#: ``-D name=value`` of these is a setting given on the command line.
_USERDATA = {setting.key.partition(".")[2]: setting.key for setting in settings_module.SETTINGS}


class Terminated(BaseException):
    """SIGTERM arrived."""


class StackproofRunner(Runner):
    """Runs features in worker processes against a stack of real services."""

    #: What the last run in this process came to; for `stackproof run`.
    last: Execution | None = None

    def run(self) -> bool:
        """Run everything; True when something failed.

        Raises:
            SystemExit: 2 when the run could not take place, 130 or 143 when interrupted.
        """
        try:
            return super().run()
        except (ParserError, ConfigError, FileNotFoundError, InvalidFileLocationError,
                TagExpressionError) as error:  # fmt: skip
            complain(Trouble(f"the features cannot be read: {error}"))
        except (ImportError, SyntaxError) as error:
            detail = "".join(traceback.format_exception(error)[-3:])
            complain(Trouble("steps or hooks cannot be loaded", detail.strip(),
                             "install what requirements.txt names, or mend the module"))  # fmt: skip
        except Trouble as trouble:
            complain(trouble)
        raise SystemExit(EXIT_COULD_NOT_RUN)

    def run_model(self, features: Sequence[Any] | None = None) -> bool:
        """Plan, start, run, report."""
        if self.config.dry_run:
            return super().run_model(features)
        from behave.runner import the_step_registry as registry

        self.step_registry = registry
        features = self.features if features is None else features
        settings = settings_module.load(command_line=given_settings(self.config.userdata))
        plan = make_plan(
            features,
            self.config,
            registry,
            scenario_timeout=settings["run.scenario_timeout"],
            time_factor=settings["run.time_factor"],
        )
        self._refuse(plan)
        if settings["run.random_order"]:
            plan.shuffle(settings["run.random_order"])
        if self.config.userdata.getbool("plan", False):
            print(plan.describe())
            return False
        return self._execute(plan, settings)

    def _refuse(self, plan: Plan) -> None:
        """End before anything starts when the run could prove nothing."""
        if plan.undefined:
            places = "\n".join(
                f"{step.filename}:{step.line}: {step.keyword} {step.name}"
                for _, step in plan.undefined[:10]
            )
            more = len(plan.undefined) - 10
            raise Trouble(
                f"{len(plan.undefined)} steps are not defined",
                places + (f"\nand {more} more" if more > 0 else ""),
                "docs/steps.md lists the steps; `stackproof steps WORD` searches them",
            )
        if not plan.scenarios:
            raise Trouble(
                "no scenario was selected",
                f"paths: {', '.join(map(str, self.config.paths))}; tags: "
                f"{self.config.tag_expression}; names: {self.config.name or 'any'}",
                "check the path, --tags and --name; `--plan` shows what would run",
            )

    def _execute(self, plan: Plan, settings: Settings) -> bool:
        reports = Reports.open(settings)
        progress = Progress(sys.stderr)
        formatters = reports.formatters(self.config, self.formatters)
        self.config.reporters = [r for r in self.config.reporters if not _is_summary(r)]
        execution = Execution(
            plan,
            settings,
            self.config,
            self.step_registry,
            base_dir=self.base_dir,
            formatters=formatters,
            reports=reports,
            progress=progress,
            seed=settings["run.seed"] or random.SystemRandom().randrange(1, 10**6),
        )
        StackproofRunner.last = execution
        code = 0
        with _signals() as shield:
            try:
                execution.run()
            except KeyboardInterrupt:
                code = EXIT_INTERRUPTED
                execution.interrupted("Ctrl-C")
            except Terminated:
                code = EXIT_TERMINATED
                execution.interrupted("SIGTERM")
            except Trouble as trouble:
                code = EXIT_COULD_NOT_RUN
                execution.could_not_run(trouble)
                complain(trouble)
            finally:
                shield()  # a second Ctrl-C must not leave half of the stack behind
                execution.close()
        execution.exit_code = code or execution.verdict_code()
        for formatter in formatters:
            formatter.close()
        for feature in plan.features:
            for reporter in self.config.reporters:
                reporter.feature(feature)
        for reporter in self.config.reporters:
            reporter.end()
        execution.summarise()
        if execution.exit_code > EXIT_FAILED:
            raise SystemExit(execution.exit_code)
        return execution.exit_code == EXIT_FAILED


def given_settings(userdata: Any) -> dict[str, str]:
    """Settings among behave's ``-D name=value``."""
    return {key: str(userdata[name]) for name, key in _USERDATA.items() if name in userdata}


def complain(trouble: Trouble) -> None:
    """Tell a trouble on standard error."""
    print(f"\nstackproof: {trouble}", file=sys.stderr, flush=True)


def _is_summary(reporter: Any) -> bool:
    return "Summary" in type(reporter).__name__


@contextmanager
def _signals() -> Iterator[Callable[[], None]]:
    """SIGTERM raises `Terminated`; the yielded function makes both signals ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return

    def terminate(*_: Any) -> None:
        raise Terminated

    def shield() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGTERM, terminate)
    try:
        yield shield
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])

