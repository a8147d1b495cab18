"""A container that loses its power: it is killed, and what it had not made durable is gone.

A library preloaded into the server (``syncs.c``) writes down, for each file, its size when it
was last synced. When power is lost, every file is cut to that size, and to nothing when it was
never synced since the process started (memory-mapped files without a sync of their own
included). What lay there when the process started counts as synced; names of files (creations,
renamings, removals) are kept, as a journalling file system keeps them.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stackproof.errors import NotSupported, Trouble
from stackproof.obtain import Cache, Say
from stackproof.paths import find_program

LIBRARY = "syncs.so"
_SOURCE = Path(__file__).with_name("syncs.c")
_DEADLINE = 60.0
_WITHOUT = "run this scenario on Linux with a C compiler (Debian: apt-get install gcc)"


@dataclass(frozen=True)
class SyncLibrary:
    """The preloaded library, built by this machine's C compiler."""

    title: str = "the recorder of syncs"

    @cached_property
    def key(self) -> str:
        """Names the source and the kind of machine."""
        digest = hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:12]
        return f"syncs-{os.uname().machine}-{digest}"

    def build(self, into: Path, cache: Cache, say: Say) -> None:
        """Compile it."""
        compiler = find_program("cc") or find_program("gcc") or find_program("clang")
        if compiler is None:
            raise NotSupported(
                "a loss of power cannot be staged here",
                "what a server has synced is recorded by a library that a C compiler must make",
                _WITHOUT,
            )
        command = [str(compiler), "-O2", "-shared", "-fPIC", "-nostdlib", "-fno-stack-protector",
                   "-o", str(into / LIBRARY), str(_SOURCE)]  # fmt: skip
        try:
            done = cache.run(command, within=_DEADLINE)
        except subprocess.TimeoutExpired as error:
            raise Trouble(f"{self.title} could not be built", str(error), "run again") from error
        if done.code or not (into / LIBRARY).exists():
            raise NotSupported("a loss of power cannot be staged here", done.output, _WITHOUT)


def library(cache: Cache, say: Say) -> Path:
    """Where the library lies; built at the first call.

    Raises:
        NotSupported: it cannot be had here.
    """
    if sys.platform != "linux":
        raise NotSupported(
            "a loss of power cannot be staged here", f"this is {sys.platform}", _WITHOUT
        )
    return cache.ensure(SyncLibrary(), say) / LIBRARY


@dataclass(frozen=True)
class Lost:
    """What a loss of power cost: bytes that were on the disk and are not, of so many files."""

    lost_bytes: int
    lost_files: int


def lose(data: Path, journal: Iterable[str]) -> Lost:
    """Cut every file below ``data`` to what was synced; its process must be dead.

    Args:
        data: directory of a server's data.
        journal: size by inode: of what lay there at the start, then as the library wrote it.
    """
    synced: dict[int, int] = {}
    for line in journal:
        inode, _, size = line.partition(" ")
        if inode.isdecimal() and size.strip().isdecimal():
            # The last sync counts: a file may have been cut since, by its owner.
            synced[int(inode)] = int(size)
    lost = cut = 0
    for file in _files(data):
        found = file.stat()
        kept = min(found.st_size, synced.get(found.st_ino, 0))
        before = _occupied(found)
        if kept < found.st_size:
            os.truncate(file, kept)
            cut += 1
        lost += before - _occupied(file.stat())
    return Lost(lost, cut)


def _occupied(file: os.stat_result) -> int:
    """Without the holes: servers reserve index files of megabytes, and fill them later."""
    return min(file.st_size, file.st_blocks * 512)


def _files(data: Path) -> list[Path]:
    return [f for f in sorted(data.rglob("*")) if f.is_file() and not f.is_symlink()]
