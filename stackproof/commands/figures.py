"""``stackproof figures``: percentiles of what all runs have measured."""

from __future__ import annotations

from collections.abc import Sequence

from stackproof.errors import EXIT_FAILED, EXIT_PASSED
from stackproof.figures import read
from stackproof.settings import load

_TITLES = ("figure", "values", "median", "90 %", "99 %", "worst", "last")


def figures(words: Sequence[str]) -> int:
    """Print the series that contain all ``words``, one line each."""
    file = load().figures_file
    wanted = [word.lower() for word in words]
    rows: list[tuple[str, ...]] = [_TITLES]
    for series in read(file):
        if not all(word in series.title.lower() for word in wanted):
            continue
        told = [*(series.percentile(q) for q in (50, 90, 99, 100)), series.values[-1]]
        texts = [f"{value:.3g} {series.unit}".rstrip() for value in told]
        rows.append((series.title, str(len(series.values)), *texts))
    if len(rows) == 1:
        print(f"no figure contains {' and '.join(words)}" if words else f"{file} has no figures")
        return EXIT_FAILED
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    for first, *others in rows:
        cells = [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        print("  ".join([first.ljust(widths[0]), *cells]))
    return EXIT_PASSED
