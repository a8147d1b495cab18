"""The command line of ``stackproof``; a module of `stackproof.commands` for each command."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stackproof import __version__
from stackproof.commands.options import of_run
from stackproof.errors import (
    EXIT_COULD_NOT_RUN,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_PASSED,
    Trouble,
    reason_of,
)
from stackproof.texts import defects, streams

_EXAMPLES = """\
examples:
  stackproof run features/messaging            run one area
  stackproof run --tags @seed -j 2             by tag, two workers
  stackproof run --plan                        what would run and what it needs
  stackproof run --rerun-failed                what did not pass in the last run
  stackproof run --shard 2/5                   a fifth; `stackproof merge` joins the results
  stackproof up kafka                          leave a broker running; prints how to reach it
  stackproof down                              end what was left running
  stackproof steps dead-letter                 find a step
  stackproof init acceptance                   a project for your own system
  stackproof init acceptance --with cache      with the shipped features of an area
  stackproof check reports/evidence/s003/history.npz

exit codes: 0 all passed; 1 something failed or did not run; 2 could not run;
130, 143 interrupted
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="stackproof",
        description="Acceptance suite in Gherkin for event-driven data stacks, on real services.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"stackproof {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, told: str, **options: Any) -> argparse.ArgumentParser:
        described = f"{told[0].upper()}{told[1:]}."
        return commands.add_parser(name, help=told, description=described, **options)

    of_run(command("run", "run features and make the report", allow_abbrev=False))
    up = command("up", "start services and leave them running")
    up.add_argument(
        "services", nargs="+", metavar="SERVICE", help="e.g. kafka, or kafka:9092 for that port"
    )
    down = command("down", "end stacks that were left running")
    down.add_argument("runs", nargs="*", metavar="RUN", help="IDs of runs; default: all kept ones")
    images = command("images", "build container images, and Compose, from package registries")
    images.add_argument(
        "services",
        nargs="*",
        metavar="SERVICE",
        help="or: compose; default: all, and Compose where there is none",
    )
    clean = command("clean", "remove what killed runs left on external endpoints")
    clean.add_argument("services", nargs="*", metavar="SERVICE", help="default: all external ones")
    clean.add_argument("--yes", action="store_true", help="do not ask, e.g. in CI")
    doctor = command("doctor", "check what a run needs, and say where settings come from")
    doctor.add_argument("services", nargs="*", metavar="SERVICE", help="default: all")
    doctor.add_argument("--endpoints", action="store_true", help="try external endpoints as well")
    compatible = command("compatibility", "try an external server, and write what of it works")
    compatible.add_argument("service", metavar="SERVICE", help="kafka, redis or rabbitmq")
    compatible.add_argument("paths", nargs="*", metavar="FEATURE", help="default: features")
    compatible.add_argument("--output", metavar="FILE",
                            help="the page (default: compatibility-SERVICE.md)")  # fmt: skip
    compatible.add_argument("--title", default="", help="the server's name on the page")
    compatible.add_argument("--time-factor", metavar="F", help="multiplies every time limit")
    compatible.add_argument("--reports", metavar="DIR",
                            help="default: reports/compatibility-SERVICE")  # fmt: skip
    init = command("init", "write a small project of your own that runs at once")
    init.add_argument("directory", metavar="DIR", help="where it goes; must be empty or not exist")
    init.add_argument(
        "--with", action="append", default=[], metavar="AREA,...", dest="areas",
        help="bring the shipped features of these areas, e.g. messaging,cache",
    )  # fmt: skip
    steps = command("steps", "list the steps for features")
    steps.add_argument("words", nargs="*", help="only steps with all of these words")
    steps.add_argument("--markdown", action="store_true", help="as the catalogue docs/steps.md")
    figures = command("figures", "percentiles of what all runs have measured")
    figures.add_argument("words", nargs="*", help="only figures with all of these words")
    report = command("report", "make the Allure report from the last results")
    report.add_argument("--output", default="allure-report", metavar="DIR")
    merge = command("merge", "join the reports of shards into one verdict")
    merge.add_argument("directories", nargs="+", metavar="DIR", help="reports of one shard each")
    merge.add_argument("--to", default="reports-merged", metavar="DIR", help="a new directory")
    merge.add_argument("--no-report", action="store_true", help="leave out the Allure report")
    merge.add_argument("--report-to", default="allure-report", metavar="DIR")
    check = command("check", "check saved histories again")
    check.add_argument("histories", nargs="+", metavar="HISTORY", help="history.npz")
    check.add_argument(
        "--export", metavar="FILE", help="write the history as lines of JSON instead (-: print)"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    with streams.safe():
        try:
            code: object = _main(arguments)
        except SystemExit as ended:  # argparse has told how a command is called
            code = ended.code
            if streams.refused() is None:
                raise
        # What was lost with the output may have been the verdict.
        if (trouble := streams.refused()) and code in (EXIT_PASSED, EXIT_FAILED):
            code = _told(trouble)
        assert isinstance(code, int)
        return code


def _main(arguments: Sequence[str] | None) -> int:
    options = build_parser().parse_args(arguments)
    try:
        _demand_place()
        return _dispatch(options)
    except Trouble as trouble:
        return _told(trouble)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # e.g. `stackproof steps | head`
        return EXIT_FAILED if options.command == "run" else EXIT_PASSED
    except ModuleNotFoundError:
        raise  # told by `__main__`, when a requirement is missing
    except Exception as error:
        given = sys.argv[1:] if arguments is None else arguments
        return _told(defects.described(error, shlex.join(["stackproof", *given])))


def _demand_place() -> None:
    try:
        Path.cwd()
    except OSError as error:
        raise Trouble(
            "there is no working directory", reason_of(error), "change to a folder that exists"
        ) from error


def _told(trouble: Trouble) -> int:
    with contextlib.suppress(OSError):
        print(f"\nstackproof: {trouble}", file=sys.stderr, flush=True)
    return EXIT_COULD_NOT_RUN


def _dispatch(options: argparse.Namespace) -> int:
    # Imported when needed: `down` must be quick and must work when clients are missing.
    if options.command == "run":
        from stackproof.commands.run import run

        return run(options)
    if options.command == "up":
        from stackproof.commands.stacks import up

        return up(options.services)
    if options.command == "down":
        from stackproof.commands.stacks import down

        return down(options.runs)
    if options.command == "doctor":
        from stackproof.commands.doctor import doctor

        return doctor(options.services, endpoints=options.endpoints)
    if options.command == "clean":
        from stackproof.commands.clean import clean

        return clean(options.services, yes=options.yes)
    if options.command == "compatibility":
        from stackproof.commands.compatibility import compatibility

        return compatibility(options)
    if options.command == "images":
        from stackproof.commands.images import images

        return images(options.services)
    if options.command == "init":
        from stackproof.commands.init import init

        return init(options.directory, [a for text in options.areas for a in text.split(",") if a])
    if options.command == "steps":
        from stackproof.commands.steps import steps

        return steps(options.words, markdown=options.markdown)
    if options.command == "figures":
        from stackproof.commands.figures import figures

        return figures(options.words)
    if options.command == "report":
        from stackproof.commands.run import make_report

        return make_report(options.output)
    if options.command == "merge":
        from stackproof.commands.merge import merge

        return merge(options)
    from stackproof.commands.check import check

    return check(options.histories, export_to=options.export)


if __name__ == "__main__":
    sys.exit(main())
