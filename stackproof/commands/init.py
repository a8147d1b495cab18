"""``stackproof init``: a project of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stackproof.errors import EXIT_PASSED
from stackproof.project import make_project
from stackproof.texts import counted


def init(directory: str, areas: Sequence[str] = ()) -> int:
    """Write a small project that runs at once, and say what to do next."""
    place = Path(directory)
    files = make_project(place, areas)
    print(f"{place}: {counted(len(files), 'file')} written")
    for file in files:
        print(f"  {file.as_posix()}")
    print("next:")
    if place.resolve() != Path.cwd():
        print(f"  cd {place}")
    print("  stackproof doctor     what a run needs, and whether it is there")
    print("  stackproof run        passes as it is")
    if areas:
        print(f"  stackproof run features/{sorted(areas)[0]}     one area alone")
    print("then put your own system into stackproof.toml; README.md says how")
    return EXIT_PASSED
