"""Copies of a system's project in which one file is changed; the original is never touched."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from stackproof.errors import Trouble
from stackproof.settings import Settings
from tests.mutants.auto.changes import Change


@dataclass(frozen=True)
class Sources:
    """What of a system is changed.

    Attributes:
        settings: the file that describes the system; its directory is copied.
        place: the package or the program, below that directory.
    """

    settings: Path
    place: Path

    @property
    def base(self) -> Path:
        """The directory that is copied."""
        return self.settings.parent

    def files(self) -> list[Path]:
        """The Python files that are changed: all but tests."""
        if self.place.is_file():
            return [self.place]
        return [
            file
            for file in sorted(self.place.rglob("*.py"))
            if not {"tests", "test"} & {*file.relative_to(self.place).parts}
            and not file.name.startswith(("test_", "conftest"))
        ]

    def copy(self, into: Path, change: Change | None, *, instead: str = "") -> Path:
        """Copy what is changed, and link all that lies beside it; the copy's settings file.

        Args:
            into: a new directory.
            change: None: nothing is changed.
            instead: what every file holds in place of its text.
        """
        here, there = self.base, into
        for part in self.place.relative_to(self.base).parts:
            there.mkdir()
            for beside in here.iterdir():
                if beside.name not in (part, self.settings.name):
                    (there / beside.name).symlink_to(beside)
            here, there = here / part, there / part
        if here.is_dir():
            shutil.copytree(here, there, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(here, there)
        # Paths in it are relative to where it lies.
        shutil.copyfile(self.settings, into / self.settings.name)
        if change is not None:
            self._same(change.file, into).write_text(change.after, encoding="utf-8")
        for file in self.files() if instead else ():
            self._same(file, into).write_text(instead, encoding="utf-8")
        return into / self.settings.name

    def _same(self, file: Path, into: Path) -> Path:
        return into / file.relative_to(self.base)

    def search_path(self, copied: Path) -> str:
        """``PYTHONPATH`` for a program that runs the copy."""
        top = self.place.parent
        while (top / "__init__.py").exists():
            top = top.parent
        own = str(copied.parent / top.relative_to(self.base))
        return os.pathsep.join(filter(None, (own, os.environ.get("PYTHONPATH"))))


def sources_of(settings: Settings, name: str, given: str = "") -> Sources:
    """Where the Python code of a system lies.

    Args:
        settings: describe the system.
        name: the system's.
        given: the package or program, if its command does not tell.

    Raises:
        Trouble: there is no such system, or no such code.
    """
    system = settings.system(name)
    assert settings.file is not None
    file = settings.file.parent.resolve() / settings.file.name
    command = list(system.command)
    place = system.directory / given if given else None
    if place is None and "-m" in command[:-1]:
        place = system.directory / command[command.index("-m") + 1].replace(".", "/")
        if not place.is_dir():
            place = place.parent if (place.parent / "__init__.py").exists() else place
            place = place if place.is_dir() else place.with_suffix(".py")
    elif place is None:
        scripts = [system.directory / word for word in command if word.endswith(".py")]
        place = next((script for script in scripts if script.is_file()), None)
    if place is None or not place.exists():
        raise Trouble(
            f"the Python code of the system {name} was not found",
            f"its command is {' '.join(command) or '(none: it is attached)'}",
            "name its package or program, relative to its directory: --sources my_pipeline",
        )
    if not place.resolve().is_relative_to(file.parent):
        raise Trouble(
            f"the code of the system {name} cannot be copied",
            f"{place} does not lie below {file.parent}, the directory of {file.name}",
            "put a stackproof.toml above it",
        )
    return Sources(file, file.parent / place.resolve().relative_to(file.parent))
