"""The options of ``stackproof run``, which other commands give as well."""

from __future__ import annotations

import argparse


def of_run(run: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser with the options of ``stackproof run``."""
    run.add_argument(
        "paths",
        nargs="*",
        default=None,
        metavar="FEATURE",
        help="feature files or folders, FILE:LINE for one scenario; default: what `behave` runs",
    )
    run.add_argument(
        "--tags",
        action="append",
        default=[],
        metavar="EXPRESSION",
        help='e.g. @seed, "not @nightly"; may be repeated: all must hold',
    )
    run.add_argument(
        "--suite", choices=("pr", "nightly", "release"),
        help="pr: neither @nightly nor @release (default without --tags, --name or a line); "
        "nightly: all but @release; release: all",
    )  # fmt: skip
    run.add_argument("--rerun-failed", action="store_true",
                     help="only what did not pass in the last run")  # fmt: skip
    run.add_argument("--shard", metavar="I/N", help="the I-th of N parts of what is selected")
    run.add_argument("--durations", metavar="RESULTS", help="a results.json: cut shards by time")
    run.add_argument("--name", action="append", default=[], help="scenarios whose name matches")
    run.add_argument(
        "-j", "--jobs", type=_positive, metavar="N", help="worker processes (default: 1)"
    )
    run.add_argument("--keep", action="store_true", help="leave the stack up after the run")
    run.add_argument(
        "--fresh-clusters", action="store_true",
        help="start a new cluster for each scenario that needs its own; none is handed on",
    )  # fmt: skip
    run.add_argument("--verbose", action="store_true", help="show every step")
    run.add_argument(
        "--plan", action="store_true", help="say what would run and what it needs; start nothing"
    )
    run.add_argument("--stop", action="store_true", help="stop at the first failure")
    run.add_argument(
        "--random", nargs="?", const="new", metavar="SEED", help="random order; the seed is printed"
    )
    run.add_argument("--seed", type=_positive, metavar="N", help="seed of generated inputs")
    run.add_argument("--timeout", metavar="SECONDS", help="for each scenario (default: 60)")
    run.add_argument("--time-factor", metavar="F", help="multiplies every time limit (default: 1)")
    run.add_argument("--stack", metavar="PROVIDER", help="how services run (default: auto)")
    run.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="settings",
        help="any setting of stackproof.toml, e.g. services.kafka.provider=external",
    )
    run.add_argument("--reports", metavar="DIR", help="results, logs, evidence (default: reports)")
    run.add_argument(
        "--allow-skipped",
        action="store_true",
        help="scenarios that did not run do not make the run fail",
    )
    run.add_argument("--no-report", action="store_true", help="leave out the Allure report")
    run.add_argument("--report-to", default="allure-report", metavar="DIR",
                     help="where the Allure report goes (default: allure-report)")  # fmt: skip
    return run


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("a number from 1 on is expected")
    return number
