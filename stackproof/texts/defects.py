"""An exception that nobody expected is a defect of the suite: one sentence, and a log."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import traceback
from pathlib import Path

from stackproof.errors import Trouble

log = logging.getLogger(__name__)


def described(error: BaseException, doing: str) -> Trouble:
    """What is told of a defect; its traceback goes to the log, or behind it where there is none.

    Args:
        error: what was raised.
        doing: what was running, e.g. the command.
    """
    trace = "".join(traceback.format_exception(error))
    said = traceback.format_exception_only(error)[-1].strip()
    file = _logged(f"{doing}\n{trace}")
    remedy = f"report it with the log: {file}" if file else f"report it with this:\n{trace}"
    return Trouble(f"defect of the suite: {said}", f"while running: {doing}", remedy)


def _logged(text: str) -> Path | None:
    """The log with the text in it: the run's own, or else a file of its own."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler) and handler.baseFilename != os.devnull:
            log.error("defect of the suite: %s", text)
            return Path(handler.baseFilename)
    with contextlib.suppress(OSError):
        descriptor, name = tempfile.mkstemp(prefix="stackproof-defect-", suffix=".log")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
        return Path(name)
    return None
