"""Parts of log files: what belongs to one scenario's time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from stackproof.reporting import masking
from stackproof.reporting.evidence import Attachment

_LONGEST = 400_000


def ends(files: Iterable[Path]) -> dict[Path, int]:
    """How long each file is now."""
    found = {}
    for file in files:
        try:
            found[file] = file.stat().st_size
        except OSError:
            found[file] = 0
    return found


def copy_spans(sources: Mapping[str, tuple[Path, int]], place: Path) -> list[Attachment]:
    """Copy what each file (with where to begin) holds, masked, into ``place``.

    What cannot be read or written is left out: evidence must not decide over a verdict.
    """
    found = []
    for name, (path, start) in sources.items():
        try:
            text = _span(path, start)
            place.mkdir(parents=True, exist_ok=True)
            copy = place / f"{path.stem}.log"
            copy.write_text(masking.mask(text))
        except OSError:
            continue
        found.append(Attachment(name, "text/plain", path=copy))
    return found


def _span(path: Path, start: int) -> str:
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        begin = max(start, size - _LONGEST)
        stream.seek(begin)
        text = stream.read().decode("utf-8", "replace")
    return text if begin == start else f"... (the first {begin - start} bytes left out)\n{text}"
