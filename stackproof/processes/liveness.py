"""Who still lives: marks that survive crashes, reused process IDs and changed clocks.

A lock on a file says whether its holder lives: the operating system drops it
with the process, however that ends, and it is seen from other containers that
share the directory. A process ID with its birth says whether a process is still
the same one.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import IO

import psutil

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def hold(file: Path) -> IO[bytes]:
    """Lock ``file`` (made if missing) until the returned stream is closed or this process ends.

    Raises:
        OSError: it cannot be written, or another process holds it.
    """
    stream = file.open("ab")
    try:
        if sys.platform == "win32":
            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        stream.close()
        raise
    return stream


def is_held(file: Path) -> bool | None:
    """Whether a living process holds ``file``; None when it is missing or cannot be locked."""
    try:
        with file.open("rb") as stream:
            if sys.platform == "win32":
                msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
                msvcrt.locking(stream.fileno(), msvcrt.LK_UNLCK, 1)
            else:
                # Shared: two that look at the same time must not take each other for the holder.
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:
        return None
    return False


def birth(process_id: int) -> str | None:
    """When a process began, in a form to compare for equality; None when there is no such one.

    On Linux the kernel's own ticks: a time of day would move when the clock is set.
    """
    if sys.platform == "linux":
        fields = _stat(process_id)
        return f"{_boot_id()}-{fields[19]}" if fields else None
    try:
        return f"{psutil.Process(process_id).create_time():.2f}"
    except psutil.Error:
        return None


def born_before(birth_of_one: str | None, birth_of_other: str | None) -> bool:
    """Whether the first of two births is certainly the earlier one; False where nothing tells.

    Nothing does but the kernel's own ticks since the same start of the machine.
    """
    one, other = ((birth or "").rpartition("-") for birth in (birth_of_one, birth_of_other))
    comparable = one[0] == other[0] != "" and one[2].isdecimal() and other[2].isdecimal()
    return comparable and int(one[2]) < int(other[2])


def has_terminal(process: psutil.Process) -> bool:
    """Whether a person may sit before it: it has a controlling terminal."""
    if sys.platform == "linux":
        fields = _stat(process.pid)
        return bool(fields) and fields[4] != "0"
    return sys.platform != "win32" and process.terminal() is not None


def _stat(process_id: int) -> list[str]:
    """The fields of ``/proc/PID/stat`` behind the name, which may hold anything."""
    try:
        # Asked of every process of the machine, several times in a run.
        descriptor = os.open(f"/proc/{process_id}/stat", os.O_RDONLY)
        try:
            text = os.read(descriptor, 4096).decode(errors="replace")
        finally:
            os.close(descriptor)
    except OSError:
        return []
    return text.rpartition(")")[2].split()


@cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8")[:8]
    except OSError:
        return "boot"


def ancestors() -> set[int]:
    """This process and all it descends from: whoever clears up must not saw off its own branch."""
    try:
        return {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    except psutil.Error:
        return {os.getpid(), os.getppid()}
