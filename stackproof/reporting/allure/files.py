"""The files of an Allure results directory: results, attachments, nothing secret in them."""

from __future__ import annotations

import csv
import io
import mimetypes
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import Any

import attr
from allure_commons import model2
from allure_commons.logger import AllureFileLogger

from stackproof import masking
from stackproof.errors import Trouble, reason_of
from stackproof.reporting.evidence import Attachment

#: Allure embeds every attachment in one HTML page; more than this makes it unusable.
LARGEST_TEXT = 2_000_000
_PATTERNS = ("*-result.json", "*-container.json", "*-globals.json", "*-attachment*")
_RUN_FILES = ("environment.properties", "executor.json", "categories.json")
_TEXTUAL = ("text/", "application/json", "application/xml", "application/x-ndjson", "image/svg")
#: Left as they are: what programs read, and what is masked where it is made, because an
#: embedded picture may hold a secret's letters by chance.
_EXEMPT = {"uuid", "historyId", "testCaseId", "source", "status", "stage", "type"}
_EXEMPT |= {"descriptionHtml"}
#: Allure previews known types only; lines of JSON are text to it.
_PREVIEWED_AS = {"application/x-ndjson": "text/plain"}
_EXTENSIONS = {"text/plain": ".txt", "application/x-ndjson": ".jsonl", "text/csv": ".csv"}


class ResultsDirectory:
    """Writes results. What the disk refuses costs no verdict, but is told by `complain`."""

    def __init__(self, path: Path, *, clean: bool = True):
        self.path = path
        self._logger = AllureFileLogger(str(path))
        self._refused = ""
        self._told = False
        if clean:
            self._remove_previous_run()

    def write_result(self, result: model2.TestResult) -> None:
        """One test result."""
        self.guard(self._logger.report_result, _masked(result))

    def write_globals(self, item: model2.Globals) -> None:
        """Errors of the run as a whole."""
        self.guard(self._logger.report_globals, _masked(item))

    def attach(self, attachment: Attachment) -> model2.Attachment:
        """Copies one piece of evidence, masked, and returns its reference."""
        if attachment.path is not None and not attachment.path.is_file():
            missing = f"{attachment.path.name} does not exist (any more)"
            return self.attach_text(attachment.name, missing)
        if attachment.path is None:
            return self.attach_text(attachment.name, attachment.text or "", attachment.mime)
        target = self._new_file(attachment.mime, attachment.path.suffix)
        copy = _copy_text if attachment.mime.startswith(_TEXTUAL) else shutil.copyfile
        self.guard(copy, attachment.path, target)
        return _reference(attachment.name, target, attachment.mime)

    def attach_text(self, name: str, text: str, mime: str = "text/plain") -> model2.Attachment:
        """Writes a text, masked, and returns its reference."""
        target = self._new_file(mime)
        masked = _bounded(masking.mask(text)).encode("utf-8", "backslashreplace")
        self.guard(target.write_bytes, masked)
        return _reference(name, target, mime)

    def attach_table(self, name: str, rows: list[list[str]]) -> model2.Attachment:
        """Writes a table and returns its reference."""
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows(rows)
        return self.attach_text(name, buffer.getvalue(), "text/csv")

    def _new_file(self, mime: str, suffix: str = "") -> Path:
        suffix = suffix or _EXTENSIONS.get(mime) or mimetypes.guess_extension(mime) or ".bin"
        return self.path / f"{uuid.uuid4()}-attachment{suffix}"

    def guard(self, write: Any, *args: Any) -> None:
        """Calls ``write``; what the disk refuses is kept for `complain`."""
        try:
            write(*args)
        except OSError as error:
            self._refused = self._refused or reason_of(error, self.path)

    def complain(self) -> None:
        """Tell once that something could not be written; what could be is there.

        Raises:
            Trouble: results or attachments are missing.
        """
        if self._refused and not self._told:
            self._told = True
            raise Trouble(
                "the Allure results are incomplete",
                self._refused,
                "the verdicts stand; make room or choose another place by STACKPROOF_REPORTS",
            )

    def _remove_previous_run(self) -> None:
        """Allure would show a previous run's results as retries of this one's."""
        for pattern in _PATTERNS:
            for old in self.path.glob(pattern):
                old.unlink(missing_ok=True)
        for name in _RUN_FILES:
            (self.path / name).unlink(missing_ok=True)


def _reference(name: str, target: Path, mime: str) -> model2.Attachment:
    return model2.Attachment(name, target.name, _PREVIEWED_AS.get(mime, mime))


def _masked(value: Any, name: str = "") -> Any:
    """A result without secrets, wherever in it they are; what programs read stays as it is."""
    if isinstance(value, str):
        return value if name in _EXEMPT else masking.mask(value)
    if isinstance(value, list):
        return [_masked(item, name) for item in value]
    if attr.has(type(value)):
        changes = {
            f.name: _masked(getattr(value, f.name), f.name) for f in attr.fields(type(value))
        }
        return attr.evolve(value, **changes)
    return value


def _copy_text(source: Path, target: Path) -> None:
    if source.stat().st_size <= LARGEST_TEXT:
        masking.mask_file(source, target)
        return
    with tempfile.TemporaryDirectory() as folder:
        masked = Path(folder) / "masked"  # cut after masking: a cut secret is not recognised
        masking.mask_file(source, masked)
        text = masked.read_text(encoding="utf-8", errors="replace")
    target.write_text(_bounded(text), encoding="utf-8")


def _bounded(text: str) -> str:
    """Beginning and end of a long text: the cause is mostly in the latter."""
    if len(text) <= LARGEST_TEXT:
        return text
    head, tail = LARGEST_TEXT // 4, LARGEST_TEXT - LARGEST_TEXT // 4
    left_out = len(text) - head - tail
    return f"{text[:head]}\n\n... {left_out:,} characters left out ...\n\n{text[-tail:]}"
