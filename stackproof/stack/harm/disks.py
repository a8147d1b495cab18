"""Small disks that can be filled: memory file systems mounted below the run's directory."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from stackproof.errors import NotSupported, Trouble, reason_of
from stackproof.processes import reaper
from stackproof.processes.run import Run

_DEADLINE = 20.0
_FILLER = "filler"
_PORTION = bytes(256 * 1024)


@cache
def unusable() -> str | None:
    """Why small disks cannot be had here; None: they can."""
    if sys.platform != "linux":
        return f"mounting a small disk needs Linux; this is {sys.platform}"
    if os.geteuid() != 0:
        return "mounting a small disk needs root's rights"
    return None


def mount(run: Run, place: Path, megabytes: int) -> None:
    """Mount a disk of that size at a directory of the run's; what is in it is kept.

    Raises:
        NotSupported: it cannot be done here.
    """
    if (why := unusable()) is not None:
        raise NotSupported(
            "a disk cannot be filled here", why, "run this scenario as root on Linux"
        )
    reaper.also(run, __name__)  # before there is anything to unmount
    place.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f"{place.name}.before")
    shutil.copytree(place, beside)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0777", "stackproof", str(place)],
        capture_output=True, text=True, errors="replace", timeout=_DEADLINE, check=False,
    )  # fmt: skip
    if done.returncode:
        shutil.rmtree(beside)
        raise NotSupported(
            "a disk cannot be filled here",
            f"mount: {done.stderr.strip()}",
            "run this scenario where file systems may be mounted (not in such a container)",
        )
    shutil.copytree(beside, place, dirs_exist_ok=True)
    place.chmod(0o777)
    shutil.rmtree(beside)


def fill(place: Path) -> None:
    """Leave not a byte free.

    Raises:
        Trouble: it cannot be written at all.
    """
    try:
        with (place / _FILLER).open("ab", buffering=0) as filler:
            while filler.write(_PORTION):
                pass
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise Trouble("the disk could not be filled", reason_of(error, place), "") from error


def filled(place: Path) -> bool:
    """Whether what `fill` has written is still there."""
    return (place / _FILLER).exists()


def free(place: Path) -> None:
    """Give the room back."""
    (place / _FILLER).unlink(missing_ok=True)


def unmount_below(directory: Path) -> list[str]:
    """Unmount whatever is mounted below a directory; the places."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    places = [line.split()[1].encode().decode("unicode_escape") for line in lines]
    found = [place for place in places if Path(place).is_relative_to(directory)]
    for place in sorted(found, reverse=True):
        # Lazily: who still has a file open there must not keep it. Without root's rights there
        # are file systems in user space alone.
        for command in (["umount", "-l"], ["fusermount3", "-u", "-z"]):
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                done = subprocess.run([*command, place], capture_output=True, timeout=_DEADLINE,
                                      check=False)  # fmt: skip
                if not done.returncode:
                    break
    return found


def reap(run: Run) -> list[str]:
    """Unmount what the run has mounted; called by `stackproof.processes.reaper`."""
    return [f"disk mounted at {place}" for place in unmount_below(run.directory)]
