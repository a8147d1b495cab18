"""``stackproof check``: saved histories, checked again without any service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stackproof.errors import EXIT_FAILED, EXIT_PASSED, Trouble
from stackproof.history import HistoryError, render_check


def check(files: Sequence[str]) -> int:
    """Re-check each file; 1 when one holds an anomaly.

    Raises:
        Trouble: a file cannot be read.
    """
    passed = True
    for file in files:
        try:
            text, fine = render_check(Path(file))
        except HistoryError as error:
            raise Trouble(str(error)) from error
        print(f"{file}\n{text}")
        passed = passed and fine
    return EXIT_PASSED if passed else EXIT_FAILED
