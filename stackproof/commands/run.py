"""``stackproof run`` and ``stackproof report``."""

from __future__ import annotations

import argparse
import contextlib
import secrets
import shutil
import sys
from pathlib import Path
from typing import Any

from stackproof import settings as settings_module
from stackproof.errors import EXIT_COULD_NOT_RUN, EXIT_FAILED, EXIT_PASSED, Trouble
from stackproof.session.running.progress import Progress
from stackproof.session.selection.last import LastRun

RUNNER = "stackproof.session.runner:StackproofRunner"


def run(options: argparse.Namespace) -> int:
    """Run features through behave, then make the report and print the summary."""
    from behave.__main__ import run_behave

    from stackproof.session.runner import StackproofRunner
    from stackproof.session.selection import configuration

    # behave finds steps and hooks next to the features; modules of a project as well.
    sys.path.insert(0, str(Path.cwd()))
    StackproofRunner.last = None
    try:
        runner = configuration.runner(RUNNER, StackproofRunner)
        arguments = [f"--runner={runner}", *behave_arguments(options)]
        code = run_behave(configuration.read(arguments))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else EXIT_FAILED
    execution: Any = StackproofRunner.last
    if execution is None:
        # behave tells its own troubles with options and paths by 1.
        return EXIT_COULD_NOT_RUN if code == EXIT_FAILED else code
    report = None
    if not options.no_report:
        report = report_of(execution.reports.allure, Path(options.report_to))
    with contextlib.suppress(BrokenPipeError):  # e.g. `stackproof run | head`
        print(execution.summary(report=report), flush=True)
    execution.reports.close()
    return code


def behave_arguments(options: argparse.Namespace) -> list[str]:
    """What behave is called with."""
    userdata = {"summary": "no"}
    paths = list(options.paths or [])
    if options.random:
        seed = options.random
        if Path(seed.partition(":")[0]).exists():  # `--random features/messaging`
            paths.insert(0, seed)
            seed = "new"
        seed = secrets.token_hex(4) if seed == "new" else seed
        print(f"random order: --random {seed}")
        userdata["random_order"] = seed
    given = {
        "cleanup": "no" if options.keep else None,
        "fresh_clusters": "yes" if options.fresh_clusters else None,
        "plan": "yes" if options.plan else None,
        "suite": options.suite,
        "shard": options.shard,
        "durations": options.durations,
        "rerun_failed": "yes" if options.rerun_failed else None,
        "endpoint_only": getattr(options, "endpoint_only", None),
        "seed": options.seed,
        "scenario_timeout": options.timeout,
        "time_factor": options.time_factor,
        "provider": options.stack,
        "reports": options.reports,
        "allow_skipped": "yes" if options.allow_skipped else None,
    }
    userdata |= {name: str(value) for name, value in given.items() if value is not None}
    userdata |= dict(_pair(text) for text in options.settings)
    if options.rerun_failed:
        paths, seed = _again(options, paths)
        userdata.setdefault("seed", str(seed))
    verbose = options.verbose or settings_module.load()["run.verbose"]
    arguments = [f"--jobs={options.jobs}"] if options.jobs else []
    arguments += [f"--tags={expression}" for expression in options.tags]
    arguments += [f"--name={name}" for name in options.name]
    arguments += [f"-D{name}={value}" for name, value in userdata.items()]
    arguments += ["--stop"] if options.stop else []
    arguments += ["--verbose"] if verbose else []
    return [*arguments, *(["--"] * bool(paths)), *paths]


def _again(options: argparse.Namespace, paths: list[str]) -> tuple[list[str], int]:
    """Where to look for what did not pass last, and the seed of its inputs."""
    given = {"run.reports": options.reports} if options.reports else {}
    last = LastRun.read(Path(settings_module.load(command_line=given)["run.reports"]))
    return paths or [file for file in last.files if Path(file).is_file()], last.seed


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or "." not in key:
        raise Trouble(
            f"--set {text} is not understood",
            "a key of stackproof.toml with its section and a value are expected",
            "e.g. --set run.scenario_timeout=90",
        )
    return key, value


def make_report(output: str) -> int:
    """Make the report from the results of the last run."""
    results = Path(settings_module.load()["run.reports"]) / "allure-results"
    report = report_of(results, Path(output), strict=True)
    print(f"report: {report}")
    return EXIT_PASSED


def report_of(results: Path, output: Path, *, strict: bool = False) -> Path | None:
    """Make the Allure report; None, with the reason told, when it cannot be made."""
    from stackproof.reporting.generate import generate

    progress = Progress(sys.stderr)
    try:
        # What `make mutants` has shown stands in the same report: the suite's own power.
        for file in (results.parent / "mutants" / "allure-results").glob("*"):
            shutil.copy(file, results)
        history = results.parent / "allure-history.jsonl"
        return generate(
            results.absolute(), output.absolute(), history.absolute(), progress=progress.say
        )
    except (Trouble, OSError) as trouble:
        if strict:
            raise
        # The verdicts stand without it.
        print(f"\nstackproof: no report was made: {trouble}", file=sys.stderr)
        return None
