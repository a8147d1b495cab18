"""The cache of obtained servers.

Each artifact is a directory named after its exact version. It is built beside
its place and moved there when complete, under a lock, so that an interrupted or
a second simultaneous run never sees half of one. A manifest of names and sizes
tells a damaged one from a whole one at each start; `Cache.verify` compares
contents too.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import psutil

from stackproof.errors import Trouble
from stackproof.paths import cache_directory, demand_plain
from stackproof.polling import poll
from stackproof.processes import reaper

if TYPE_CHECKING:
    from filelock import FileLock

#: Receives one line of progress, without a line break.
Say = Callable[[str], None]

_MANIFEST = ".manifest.json"
# Longer than the longest build, so that whoever waits outlasts a builder that works.
_LOCK_WITHIN = 1800.0


class Artifact(Protocol):
    """Something to obtain."""

    @property
    def key(self) -> str:
        """Directory name in the cache; holds every version that decides its content."""

    @property
    def title(self) -> str:
        """Name for people."""

    def build(self, into: Path, cache: Cache, say: Say) -> None:
        """Fill the empty directory ``into``; raise `Trouble` when that is impossible."""


@runtime_checkable
class InVersions(Protocol):
    """An artifact that can be had in other versions."""

    def of(self, version: str) -> Artifact:
        """The same in another version."""


@dataclass(frozen=True)
class Ended:
    """How a program that obtains something ended: its exit code and all it printed."""

    code: int
    output: str


class Cache:
    """Artifacts by key below one directory. Safe to use from several threads."""

    def __init__(self, directory: Path | None = None):
        self._chosen = directory
        self._given_up = False
        self._programs: set[subprocess.Popen] = set()
        self._guard = threading.Lock()

    @cached_property
    def directory(self) -> Path:
        """Where servers lie; a project that uses none needs no such place.

        Raises:
            Trouble: there is no place for them, or its name would not do.
        """
        place = (self._chosen or cache_directory()) / "servers"
        # Paths of libraries and of classes are lists.
        demand_plain(place, "what servers consist of", os.pathsep + ";!")
        return place

    def path(self, artifact: Artifact) -> Path:
        """Where ``artifact`` lies, whether it is there or not."""
        return self.directory / artifact.key

    def has(self, artifact: Artifact) -> bool:
        """Whether ``artifact`` is there, with all its files in their sizes."""
        return damage(self.path(artifact)) is None

    def ensure(self, artifact: Artifact, say: Say) -> Path:
        """Return the artifact's directory, building it if it is missing or damaged.

        Raises:
            Trouble: it could not be obtained.
        """
        place = self.path(artifact)
        if damage(place) is None:
            return place
        from filelock import FileLock  # loads much, and only where something is missing

        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.directory / f"{artifact.key}.lock")
            self._acquire(lock, artifact, say)
            try:
                found = damage(place)
                if found is None:  # another run built it while this one waited for the lock
                    return place
                if place.exists():
                    say(f"{artifact.title}: damaged in the cache ({found}), obtained anew")
                    _remove(place)
                self._build(artifact, place, say)
            finally:
                lock.release()
        except OSError as error:
            raise Trouble(
                f"{artifact.title} could not be put into the cache",
                f"{self.directory}: {error.strerror or error}",
                "free some space or choose another place by STACKPROOF_CACHE",
            ) from error
        return place

    def _acquire(self, lock: FileLock, artifact: Artifact, say: Say) -> None:
        """Wait for whoever else is obtaining the same; ends when this run gives up."""
        from filelock import Timeout

        told = False

        def attempt() -> bool:
            nonlocal told
            self._go_on()
            try:
                lock.acquire(timeout=0)
            except Timeout:
                if not told:
                    say(f"{artifact.title}: another run is obtaining it")
                told = True
                return False
            return True

        try:
            poll(attempt, within=_LOCK_WITHIN, awaiting="another run to obtain it")
        except AssertionError as late:
            raise Trouble(
                f"{artifact.title} could not be obtained",
                f"another run has been at it for {_LOCK_WITHIN:g} s",
                f"end that run; it holds {lock.lock_file}",
            ) from late

    def _build(self, artifact: Artifact, place: Path, say: Say) -> None:
        beside = place.with_name(f"{artifact.key}.partial")
        _remove(beside)
        beside.mkdir(parents=True)
        try:
            artifact.build(beside, self, say)
            _write_manifest(beside)
            self._go_on()
            beside.rename(place)
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def verify(self, artifact: Artifact) -> str | None:
        """Compare every file's content with the manifest; None or the first difference."""
        return damage(self.path(artifact), contents=True)

    # -- programs that artifacts are built with ------------------------------
    def run(
        self,
        argv: Sequence[str],
        *,
        within: float,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run a program to its end, without input; ``env`` instead of this environment.

        Raises:
            subprocess.TimeoutExpired: it did not end in time; it is killed with its children.
            Trouble: it cannot be started, or the run gives up.
        """
        program = self.launch(argv, output=subprocess.PIPE, cwd=cwd, env=env)
        try:
            printed, _ = program.communicate(timeout=within)
        finally:
            self.end(program)
        self._go_on()
        return Ended(program.returncode, printed.decode(errors="replace"))

    def launch(
        self,
        argv: Sequence[str],
        *,
        output: int,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen:
        """Start a program; it is killed when the run gives up. Must be followed by `end`.

        Raises:
            Trouble: it cannot be started, or the run gives up.
        """
        with self._guard:
            self._go_on()
            try:
                program = subprocess.Popen(
                    list(argv),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=cwd,
                    env=env,
                    start_new_session=True,
                )
            except OSError as error:
                raise Trouble(
                    f"{argv[0]} cannot be started", error.strerror or str(error), "repair it"
                ) from error
            self._programs.add(program)
        return program

    def end(self, program: subprocess.Popen) -> None:
        """Kill a program with its children, unless it has ended, and let go of it."""
        if program.poll() is None:
            _kill(program)
        program.kill()
        program.wait()
        if program.stdout is not None:
            program.stdout.close()
        with self._guard:
            self._programs.discard(program)

    def give_up(self) -> None:
        """End what is being obtained, and obtain nothing more: the run is ending."""
        with self._guard:
            self._given_up = True
            programs = list(self._programs)
        for program in programs:
            _kill(program)

    def _go_on(self) -> None:
        if self._given_up:
            raise Trouble("obtaining servers was given up", "the run is ending")


def damage(directory: Path, *, contents: bool = False) -> str | None:
    """What is wrong with an obtained directory: None when it is as it was obtained.

    With ``contents``, also files changed without a change of size, and files added.
    """
    try:
        manifest = json.loads((directory / _MANIFEST).read_text(encoding="utf-8"))
        files = {str(name): (int(size), str(digest)) for name, (size, digest) in manifest.items()}
    except FileNotFoundError:
        return "it was never completed"
    except (OSError, ValueError, TypeError, AttributeError) as error:
        return f"its manifest cannot be read: {error}"
    for name, (size, digest) in files.items():
        file = directory / name
        try:
            actual = file.stat().st_size
        except OSError:
            return f"{name} is missing"
        if actual != size:
            return f"{name} has {actual} bytes instead of {size}"
        if contents and _digest(file) != digest:
            return f"{name} has other content"
    if contents:
        added = sorted({str(file.relative_to(directory)) for file in _files(directory)} - {*files})
        if added:
            return f"{added[0]} does not belong to it"
    return None


def _write_manifest(directory: Path) -> None:
    manifest = {
        str(file.relative_to(directory)): (file.stat().st_size, _digest(file))
        for file in sorted(_files(directory))
    }
    (directory / _MANIFEST).write_text(json.dumps(manifest, indent=0), encoding="utf-8")


def _files(directory: Path) -> list[Path]:
    return [
        file
        for file in directory.rglob("*")
        if file.is_file() and not file.is_symlink() and file != directory / _MANIFEST
    ]


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _kill(program: subprocess.Popen) -> None:
    with contextlib.suppress(psutil.Error):
        top = psutil.Process(program.pid)
        reaper.kill_found(lambda: reaper.with_descendants([top]))
