"""Parts of log files: what belongs to one scenario's time."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from stackproof import masking
from stackproof.processes.run import Run
from stackproof.reporting.evidence import Attachment
from stackproof.session.plan import ScenarioPlan
from stackproof.session.running.clusters import Clusters

_LONGEST = 400_000
_NEXT_TO_NOTHING = 1024 * 1024  # bytes


class LogSpans:
    """The logs of services and systems from the time of each scenario.

    Args:
        clusters: knows the services' logs.
        run: its directory holds those of systems.
        place: a directory for copies, outside of the run's.
    """

    def __init__(self, clusters: Clusters, run: Run, place: Path):
        self._clusters = clusters
        self._run = run
        self._place = place
        self._begins: dict[str, dict[Path, int]] = {}

    def begin(self, planned: ScenarioPlan) -> None:
        """The scenario begins: what the logs of shared services hold now is not its own."""
        logs, own = self._clusters.logs(planned)
        shared = (path for name, path in logs.items() if name not in own)
        self._begins[planned.id] = {path: _size(path) for path in shared}

    def copies(self, planned: ScenarioPlan) -> list[Attachment]:
        """Each service's log from the scenario's time span, and all of its systems' output.

        Masked. What cannot be read is left out.

        Raises:
            OSError: a copy cannot be written.
        """
        if planned.id not in self._begins:
            return []  # it never began
        outputs = sorted((self._run.directory / "scenarios" / planned.id).glob("*.log"))
        sources = {f"output of {path.stem}": (path, 0) for path in outputs}
        begins = self._begins[planned.id]
        for name, path in self._clusters.logs(planned)[0].items():
            sources[f"log of {name} during the scenario"] = (path, begins.get(path, 0))
        found = []
        for name, (path, start) in sources.items():
            copy = self._place / planned.id / f"{path.stem}.log"
            try:
                text = _span(path, start)
            except OSError:
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(masking.mask(text), encoding="utf-8")
            found.append(Attachment(name, "text/plain", path=copy))
        return found


def full_disk(directory: Path) -> str:
    """What is left where the services write, when that is next to nothing; else empty."""
    try:
        left = shutil.disk_usage(directory).free
    except OSError:
        return ""
    return f"{directory}: {left // 1024} KiB left" if left < _NEXT_TO_NOTHING else ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _span(path: Path, start: int) -> str:
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        begin = max(start, size - _LONGEST)
        stream.seek(begin)
        text = stream.read().decode("utf-8", "replace")
    return text if begin == start else f"... (the first {begin - start} bytes left out)\n{text}"
