"""The report people open: one HTML file, with the history of earlier runs."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from stackproof.reporting.categories import categories_config
from stackproof.reporting.report_tool import Progress, ReportError, obtain, run_tool

#: Runs kept in the history; Allure reads all of it each time.
HISTORY_LIMIT = 50
_TIMEOUT = 300
#: The same for every result or of no use to a reader; the timeline keeps host and thread.
_HIDDEN_LABELS = ["host", "framework", "language", "package", "thread"]
#: Allure puts an analytics service into every report and has no option against it. Reports
#: hold internals of whoever runs the suite, and open without a network.
_ANALYTICS = re.compile(
    rb"\s*<script async src=\"https://www\.googletagmanager\.com/[^>]*></script>"
    rb"\s*<script>[^<]*\bgtag\([^<]*</script>"
)
_CHARTS: list[dict[str, Any]] = [
    {"type": "currentStatus", "title": "This run"},
    {"type": "statusDynamics", "title": "Results over runs"},
    {"type": "durationDynamics", "title": "Durations over runs"},
    {"type": "statusTransitions", "title": "What changed over runs"},
    {
        "type": "stabilityDistribution",
        "title": "Stability of features over runs",
        "skipStatuses": ["skipped", "unknown"],
        "threshold": 90,
        "groupBy": "feature",
    },
    {
        "type": "testResultSeverities",
        "title": "Severities",
        "levels": ["blocker", "critical", "normal", "minor", "trivial"],
        "statuses": ["passed", "failed", "broken", "skipped", "unknown"],
    },
    {"type": "durations", "title": "Durations of scenarios", "groupBy": "none"},
]


def generate(
    results_dir: Path,
    output_dir: Path,
    history_path: Path | None,
    *,
    title: str = "Stackproof",
    progress: Progress = lambda _: None,
    cache: Path | None = None,
) -> Path:
    """Makes ``output_dir/index.html`` from Allure results; it opens from disk.

    An earlier report stays until the new one is complete. Verdicts are not touched,
    whatever happens here.

    Args:
        history_path: a ``.jsonl`` file this run is added to; None keeps no history.
        progress: told in a few words what takes time.
        cache: where the generator is kept, see ``paths.cache_directory``.

    Returns:
        The report's file.

    Raises:
        ReportError: what went wrong, why, and what to do.
    """
    if not any(results_dir.glob("*-result.json")):
        raise ReportError(
            "there is nothing to report",
            f"no results in {results_dir}",
            "run some scenarios first",
        )
    tool = obtain(cache, progress)
    progress("making the report")
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix=".new-", dir=output_dir) as scratch,
            _history(history_path) as history,
        ):
            new = Path(scratch) / "report"
            config = Path(scratch) / "allurerc.json"
            config.write_text(json.dumps(_config(title, new, history)), encoding="utf-8")
            output = run_tool(
                tool.command("generate", "--config", config, results_dir.absolute()),
                cwd=Path(scratch),
                timeout=_TIMEOUT,
                what="the report could not be generated",
                remedy="the results are kept, so the report can be made later",
            )
            if not (new / "index.html").is_file():
                raise ReportError("the report was not generated", output.strip(), "report this")
            _remove_analytics(new / "index.html")
            for file in new.iterdir():
                file.replace(output_dir / file.name)
    except OSError as error:
        remedy = "free the disk or choose another folder; the results are kept"
        raise ReportError("the report could not be written", str(error), remedy) from error
    return output_dir / "index.html"


def deep_link(report: Path, result_uuid: str, tab: str = "") -> str:
    """The address of one result in a report made by ``generate``.

    Args:
        tab: "", "history" or "attachments".
    """
    result = hashlib.md5(result_uuid.encode(), usedforsecurity=False).hexdigest()
    return f"{report.absolute().as_uri()}#{result}{'/' if tab else ''}{tab}"


def _config(title: str, output: Path, history: Path | None) -> dict[str, Any]:
    config: dict[str, Any] = {
        "name": title,
        "output": str(output),
        "hideLabels": _HIDDEN_LABELS,
        "categories": categories_config(),
        "plugins": {
            "awesome": {
                "options": {
                    "reportName": title,
                    "singleFile": True,
                    "reportLanguage": "en",
                    "groupBy": ["epic", "feature", "story"],
                    "charts": _CHARTS,
                }
            },
            # Allure adds this one unless told not to; it writes files for programs.
            "agent": {"enabled": False},
        },
    }
    if history is not None:
        config |= {"historyPath": str(history), "historyLimit": HISTORY_LIMIT}
    return config


def _remove_analytics(report: Path) -> None:
    report.write_bytes(_ANALYTICS.sub(b"", report.read_bytes(), count=1))


@contextmanager
def _history(path: Path | None) -> Iterator[Path | None]:
    """The history file for this run alone, its broken lines removed.

    A run that was killed while Allure wrote leaves half a line, and Allure refuses such a
    file for ever.
    """
    if path is None:
        yield None
        return
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f"{path.name}.lock")):
        if path.is_file():
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            whole = [line for line in lines if _is_object(line)]
            if whole != lines:
                path.write_text("".join(f"{line}\n" for line in whole), encoding="utf-8")
        yield path


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
