"""The cache of obtained servers.

Each artifact is a directory named after its exact version. It is built beside
its place and moved there when complete, under a lock, so that an interrupted or
a second simultaneous run never sees half of one. A manifest of names and sizes
tells a damaged one from a whole one at each start; `Cache.verify` compares
contents too.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import platformdirs
from filelock import FileLock

from stackproof.errors import Trouble

#: Receives one line of progress, without a line break.
Say = Callable[[str], None]

_MANIFEST = ".manifest.json"


def cache_directory() -> Path:
    """Where obtained servers are kept: ``STACKPROOF_CACHE`` or the user's cache directory."""
    configured = os.environ.get("STACKPROOF_CACHE")
    return Path(configured) if configured else Path(platformdirs.user_cache_dir("stackproof"))


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


class Cache:
    """Artifacts by key below one directory."""

    def __init__(self, directory: Path | None = None):
        self.directory = (directory or cache_directory()) / "servers"

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
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with FileLock(self.directory / f"{artifact.key}.lock"):
                found = damage(place)
                if found is None:  # another run built it while this one waited for the lock
                    return place
                if place.exists():
                    say(f"{artifact.title}: damaged in the cache ({found}), obtained anew")
                    shutil.rmtree(place)
                beside = place.with_name(f"{artifact.key}.partial")
                shutil.rmtree(beside, ignore_errors=True)
                beside.mkdir(parents=True)
                try:
                    artifact.build(beside, self, say)
                    _write_manifest(beside)
                    beside.rename(place)
                finally:
                    shutil.rmtree(beside, ignore_errors=True)
        except OSError as error:
            raise Trouble(
                f"{artifact.title} could not be put into the cache",
                f"{self.directory}: {error.strerror or error}",
                "free some space or choose another place by STACKPROOF_CACHE",
            ) from error
        return place

    def verify(self, artifact: Artifact) -> str | None:
        """Compare every file's content with the manifest; None or the first difference."""
        return damage(self.path(artifact), contents=True)


def damage(directory: Path, *, contents: bool = False) -> str | None:
    """What is wrong with an obtained directory: None when it is as it was obtained."""
    try:
        manifest = json.loads((directory / _MANIFEST).read_text())
    except FileNotFoundError:
        return "it was never completed"
    except (OSError, json.JSONDecodeError) as error:
        return f"its manifest cannot be read: {error}"
    for name, (size, digest) in manifest.items():
        file = directory / name
        try:
            actual = file.stat().st_size
        except OSError:
            return f"{name} is missing"
        if actual != size:
            return f"{name} has {actual} bytes instead of {size}"
        if contents and _digest(file) != digest:
            return f"{name} has other content"
    return None


def _write_manifest(directory: Path) -> None:
    manifest = {
        str(file.relative_to(directory)): (file.stat().st_size, _digest(file))
        for file in sorted(directory.rglob("*"))
        if file.is_file() and not file.is_symlink()
    }
    (directory / _MANIFEST).write_text(json.dumps(manifest, indent=0))


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
