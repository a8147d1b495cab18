"""``stackproof check``: saved histories, checked again without any service."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from stackproof.errors import EXIT_FAILED, EXIT_PASSED, Trouble
from stackproof.history import HistoryError, export, render_check


def check(files: Sequence[str], *, export_to: str | None = None) -> int:
    """Re-check each file; 1 when one holds an anomaly.

    Args:
        files: saved histories.
        export_to: a file for their operations as lines of JSON, "-" is the output; None: none.

    Raises:
        Trouble: a file cannot be read, or written.
    """
    if export_to is not None:
        return _exported(files, export_to)
    passed = True
    for file in files:
        try:
            text, fine = render_check(Path(file))
        except HistoryError as error:
            raise Trouble(str(error)) from error
        print(f"{file}\n{text}")
        passed = passed and fine
    return EXIT_PASSED if passed else EXIT_FAILED


def _exported(files: Sequence[str], to: str) -> int:
    try:
        with nullcontext(sys.stdout) if to == "-" else Path(to).open("w", encoding="utf-8") as out:
            for file in files:
                export(Path(file), out.write)
    except HistoryError as error:
        raise Trouble(str(error)) from error
    except OSError as error:
        raise Trouble(f"{to} cannot be written", str(error), "choose another file") from error
    return EXIT_PASSED
