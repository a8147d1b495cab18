"""Paths as people write them, and programs as the PATH has them: made absolute in one way.

Servers and tools are started in other working directories than the suite's own.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import platformdirs

from stackproof.errors import Trouble

CACHE_VARIABLE = "STACKPROOF_CACHE"


def absolute(written: str | Path, base: Path | None = None) -> Path:
    """An absolute path: ``~`` stands for a home directory, links stay as they are.

    Args:
        written: as somebody has written it.
        base: where a relative one begins; default: the working directory.

    Raises:
        Trouble: it begins with ``~``, and there is no such home directory.
    """
    try:
        expanded = Path(written).expanduser()
    except RuntimeError as error:
        raise Trouble(
            f"the path {str(written)!r} cannot be used", str(error), "write it out, or set HOME"
        ) from error
    return Path(base or "", expanded).absolute()


def cache_directory() -> Path:
    """Where what was obtained is kept: ``STACKPROOF_CACHE`` or the user's cache directory.

    Raises:
        Trouble: there is neither.
    """
    configured = os.environ.get(CACHE_VARIABLE)
    try:
        return absolute(configured or platformdirs.user_cache_dir("stackproof"))
    except RuntimeError as error:
        raise Trouble(
            "there is no place to keep servers and tools",
            "this user has no home directory, and HOME is not set to one",
            f"set {CACHE_VARIABLE} to a folder that may be written, or HOME",
        ) from error


def demand_plain(place: Path, title: str, unfit: str = "") -> None:
    """Refuse a folder whose name a program does not cope with, before that is started.

    Args:
        place: the folder.
        title: of the program.
        unfit: characters besides those that no program of ours can be relied on to cope with.

    Raises:
        Trouble: such a character stands in it.
    """
    found = next((c for c in str(place) if not c.isprintable() or c in unfit), None)
    if found is not None:
        raise Trouble(
            f"{title} cannot be kept in the folder {str(place)!r}",
            f"it does not cope with {found!r} in the name of a folder",
            f"set {CACHE_VARIABLE} (for what is obtained) or STACKPROOF_RUNS (for what runs) "
            "to a folder with another name",
        )


def find_program(name: str, *beside: str) -> Path | None:
    """A program of the PATH, or of a folder of those ``beside`` it; None: there is none.

    It keeps its name, because a launcher may tell by it which program it is to be.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *beside])
    found = shutil.which(name, path=path)
    return absolute(found) if found else None


def beside_python() -> str:
    """Where packages of PyPI put programs; it need not be on the PATH."""
    return str(Path(sys.executable).parent)


def beside(file: str, name: str) -> Path:
    """The file that another one calls ``name``: below the directory where that one lies.

    Raises:
        Trouble: there is none.
    """
    found = Path(file).parent / name
    if not found.is_file():
        raise Trouble(f'there is no file "{name}"', f"looked for {found}",
                      f"its name begins where {file} lies")  # fmt: skip
    return found
