"""The directory with everything a run leaves behind."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from stackproof.errors import Trouble
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
        directory = Path(settings["run.reports"]).resolve()
        lock = FileLock(directory / ".lock")
        try:
            directory.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
            # Whoever looks at them after a run that came to nothing must not see the last one's.
            (directory / _RESULTS).unlink(missing_ok=True)
            for name in _MADE_HERE:
                shutil.rmtree(directory / name, ignore_errors=True)
                (directory / name).mkdir()
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
                f"{error.strerror or error}: {error.filename or directory}",
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
        unfinished.write_text(json.dumps(results, indent=1))
        unfinished.replace(self.directory / _RESULTS)

    def close(self) -> None:
        """Let other runs use the directory."""
        logging.getLogger().removeHandler(self._log)
        self._log.close()
        self._lock.release()


def _log_to_file(file: Path, level: str) -> logging.Handler:
    handler = logging.FileHandler(file, mode="w")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    return handler
