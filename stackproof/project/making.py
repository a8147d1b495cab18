"""Writing a small project that runs at once."""

from __future__ import annotations

from pathlib import Path

from stackproof import __version__
from stackproof.errors import Trouble

_TEMPLATE = Path(__file__).parent / "template"
_HIDDEN = "dot-"  # packaging leaves out files that begin with a dot
_VERSION = "@VERSION@"


def make_project(place: Path) -> list[Path]:
    """Fill a directory, which must be empty or not exist; returns its files, relative to it.

    Raises:
        Trouble: it holds something already, or cannot be written.
    """
    try:
        if place.exists() and not place.is_dir():
            raise Trouble(f"{place} is a file", "a project is a directory", "choose another name")
        if place.is_dir() and (there := sorted(p.name for p in place.iterdir())):
            raise Trouble(
                f"the directory {place} is not empty",
                f"it holds {', '.join(there[:3])}{' and more' if len(there) > 3 else ''}, and "
                "nothing shall be overwritten",
                "choose another name, or empty it",
            )
        written = []
        for source in sorted(p for p in _TEMPLATE.rglob("*") if p.is_file()):
            if "__pycache__" in source.parts:
                continue
            parts = source.relative_to(_TEMPLATE).parts
            target = Path(*(part.replace(_HIDDEN, ".", 1) if part.startswith(_HIDDEN) else part
                            for part in parts))  # fmt: skip
            (place / target).parent.mkdir(parents=True, exist_ok=True)
            text = source.read_text(encoding="utf-8").replace(_VERSION, __version__)
            (place / target).write_text(text, encoding="utf-8", newline="\n")
            written.append(target)
    except OSError as error:
        raise Trouble(
            f"the project {place} cannot be written",
            f"{error.filename}: {error.strerror}",
            "choose a place that may be written to",
        ) from error
    return written
