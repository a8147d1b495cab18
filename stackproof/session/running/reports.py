"""The directory with everything a run leaves behind."""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from stackproof.errors import Trouble, reason_of
from stackproof.paths import absolute
from stackproof.settings import Settings

_MADE_HERE = ("allure-results", "evidence", "junit", "logs")
_RESULTS = "results.json"


class Reports:
    """Results, logs and evidence of one run.

    Attributes:
        directory: where all of it lies.
        logs: the log of every instance and worker.
        allure: Allure results.
    """

    def __init__(self, directory: Path, lock: FileLock, log: logging.Handler):
        self.directory = directory
        self._lock = lock
        self._log = log
        self.logs = directory / "logs"
        self.evidence = directory / "evidence"
        self.allure = directory / "allure-results"
        self.junit = directory / "junit"

    @classmethod
    def open(cls, settings: Settings) -> Reports:
        """Take possession of the reports directory and clear what the last run left.

        Raises:
            Trouble: another run is using it, or it cannot be written.
        """
        directory = absolute(settings["run.reports"]).absolute()
        lock = FileLock(directory / ".lock")
        try:
            directory.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
            # Whoever looks at them after a run that came to nothing must not see the last one's.
            (directory / _RESULTS).unlink(missing_ok=True)
            for name in _MADE_HERE:
                _empty(directory / name)
            log = _log_to_file(directory / "stackproof.log", settings["run.log_level"])
        except Timeout:
            raise Trouble(
                f"another run is writing to {directory}",
                "two runs would mix their results",
                "wait for it, or give this one another place by STACKPROOF_REPORTS",
            ) from None
        except OSError as error:
            lock.release()
            raise Trouble(
                f"the reports cannot be written to {directory}",
                _refusal(error, directory),
                "choose another place by STACKPROOF_REPORTS",
            ) from error
        return cls(directory, lock, log)

    def formatters(self, config: Any, chosen: Sequence[Any]) -> list[Any]:
        """The formatters chosen on the command line, and those that every run has."""
        from behave.formatter.base import StreamOpener

        from stackproof.reporting.allure import AllureFormatter
        from stackproof.reporting.junit import JUnitFormatter

        formatters = list(chosen)
        for kind, place in (
            (AllureFormatter, self.allure),
            (JUnitFormatter, self.junit / "stackproof.xml"),
        ):
            if not any(isinstance(formatter, kind) for formatter in formatters):
                formatters.append(kind(StreamOpener(filename=str(place)), config))
        return formatters

    def write_results(self, results: dict[str, Any]) -> None:
        """Write the run's results for programs, completely or not at all."""
        unfinished = self.directory / f".{_RESULTS}.new"
        try:
            unfinished.write_text(json.dumps(results, indent=1), encoding="utf-8")
            unfinished.replace(self.directory / _RESULTS)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            # A write, unlike an open, does not name its file.
            raise Trouble(
                "results.json was not written",
                reason_of(error, self.directory / _RESULTS),
                "make room or choose another place by STACKPROOF_REPORTS",
            ) from error

    def close(self) -> None:
        """Let other runs use the directory."""
        logging.getLogger().removeHandler(self._log)
        self._log.close()
        self._lock.release()


def _empty(place: Path) -> None:
    """Make a folder that is there and empty; a link or a mounted volume stays what it is.

    Raises:
        OSError: something in it cannot be removed.
    """
    if place.is_file():
        place.unlink()
    Path(os.path.realpath(place)).mkdir(parents=True, exist_ok=True)
    for entry in place.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _refusal(error: OSError, directory: Path) -> str:
    place = Path(error.filename or directory)
    if isinstance(error, FileExistsError) and not place.is_dir():
        return f"{place}: it is no folder"
    return reason_of(error, directory)


class _LogFile(logging.FileHandler):
    """A log whose disk is full says so once, not by a traceback for every line."""

    _told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- logging's name
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        else:
            self._tell(error)

    def close(self) -> None:
        """Close the file; what was still buffered may not find room."""
        try:
            super().close()
        except OSError as error:
            self._tell(error)

    def _tell(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            print(f"the log is incomplete: {reason_of(error, self.baseFilename)}", file=sys.stderr)


def _log_to_file(file: Path, level: str) -> logging.Handler:
    handler = _LogFile(file, mode="w", encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    return handler


def facts_of(
    provider: str, servers: Mapping[str, str], settings: Settings, seed: int
) -> dict[str, str]:
    """What the report says of the run's surroundings.

    Args:
        provider: names of the providers.
        servers: version of each service's servers, by service.
        seed: of generated inputs.
    """
    return {
        "provider": provider,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "cores": str(os.cpu_count()),
        "input seed": str(seed),
        "order": settings["run.random_order"] or "as written",
        **servers,
    }
