"""A disk that can lose its power: it knows what each file's owner has synced, and drops the rest.

A file system in user space (FUSE) is mounted over a node's data. It sees every write and every
sync, whoever makes them and however files grow. What is durable there: ``volatile_disk/main.go``.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from stackproof.errors import NotSupported, Trouble
from stackproof.obtain import Cache, GoArtifact, Say
from stackproof.paths import find_program
from stackproof.polling import DeadlineExceeded, poll
from stackproof.processes import reaper
from stackproof.processes.environment import server_environment
from stackproof.processes.process import ManagedProcess
from stackproof.processes.run import Run
from stackproof.stack.harm import disks
from stackproof.stack.harm.power import Lost

DISK = GoArtifact(
    "volatile", "the disk that can lose its power",
    directory=Path(__file__).with_name("volatile_disk"),
)  # fmt: skip
_PAGE = 4096
#: Seconds in which a server that is written to has something on its disk that is not synced.
_UNSYNCED_WITHIN = 10.0
_NOT_HERE = "a loss of power cannot be staged here"


def unusable() -> str | None:
    """Why such a disk cannot be had here; None: it can."""
    if sys.platform != "linux":
        return f"its disk needs Linux; this is {sys.platform}"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "its disk is a file system in user space, and /dev/fuse is not to be had"
    if os.geteuid() != 0 and find_program("fusermount3") is None:
        return "mounting its disk needs root's rights, or fusermount3"
    return None


def obtain(cache: Cache, say: Say) -> Path:
    """Build its program, unless that has been done; where it is.

    Raises:
        NotSupported: such a disk cannot be had here.
        Trouble: it cannot be built.
    """
    if (why := unusable()) is not None:
        raise NotSupported(_NOT_HERE, why, "run this scenario on Linux as root, with /dev/fuse")
    cache.ensure(DISK, say)
    return DISK.program(cache)


class VolatileDisk:
    """Mounted over a directory of the run's from `mount` to `lose` or `stop`.

    Args:
        run: whose directory it is.
        cache: where its program is.
        name: of the node.
        place: the directory; what is in it counts as synced.
        log: receives what it says of itself.
    """

    def __init__(self, run: Run, cache: Cache, name: str, place: Path, log: Path):
        self._run, self._cache, self._name = run, cache, name
        self._place, self._log = place, log
        self._process: ManagedProcess | None = None
        self._times = 0

    def mount(self) -> None:
        """Mount it, unless it is.

        Raises:
            NotSupported: it cannot be done here.
        """
        if self._process is not None:
            return
        program = obtain(self._cache, lambda line: None)
        reaper.also(self._run, disks.__name__)  # before there is anything to unmount
        self._times += 1
        synced = self._place.with_name(f"{self._place.name}.synced-{self._times}")
        synced.mkdir(parents=True)
        self._place.mkdir(exist_ok=True)
        self._process = ManagedProcess(
            f"the disk of {self._name}",
            [str(program), str(self._place), str(synced)],
            log=self._log, cwd=self._run.directory, run=self._run, talks=True,
            env=server_environment({}), alone=True,
        )  # fmt: skip
        if self._answer() != "mounted":
            why = self._process.log_end()
            self.stop()
            raise NotSupported(
                _NOT_HERE, why, "run this scenario where file systems may be mounted"
            )

    def hold(self) -> None:
        """Let no sync return any more, and wait until something is not synced.

        A server that is idle has perhaps nothing: then that is told by `lose`.
        """
        self._tell("hold")
        try:
            poll(
                lambda: int(self._tell("count")), within=_UNSYNCED_WITHIN,
                awaiting="something that is not synced",
            )  # fmt: skip
        except DeadlineExceeded:
            return

    def lose(self) -> Lost:
        """Leave in the directory what was synced; its server must be dead.

        What was lost is found by a look at the directory before and after.

        Raises:
            Trouble: it could not be done.
        """
        before = _pages(self._place)
        if self._tell("lose") != "lost":
            log = self._process.log_end() if self._process is not None else ""
            raise Trouble(f"{self._name} could not lose its power", log, "")
        self.stop()
        after = _pages(self._place)
        lost = [page for page, content in before.items() if after.get(page) != content]
        return Lost(len(lost) * _PAGE, len({file for file, _ in lost}))

    def stop(self) -> None:
        """Unmount it, if it is mounted; nothing is lost."""
        process, self._process = self._process, None
        if process is not None:
            process.close_input()
            try:
                process.wait(10)
            except DeadlineExceeded:
                process.kill()
                disks.unmount_below(self._place)

    def _tell(self, what: str) -> str:
        assert self._process is not None
        try:
            self._process.write(f"{what}\n")
        except OSError as error:
            raise Trouble(
                f"the disk of {self._name} has ended", self._process.log_end(), ""
            ) from error
        return self._answer()

    def _answer(self) -> str:
        assert self._process is not None
        return next(self._process.lines(), b"").decode().strip()


def _pages(directory: Path) -> dict[tuple[str, int], int]:
    """A checksum of each page of each file that holds anything but zeros."""
    found: dict[tuple[str, int], int] = {}
    for file in sorted(directory.rglob("*")):
        if file.is_file() and not file.is_symlink():
            name = str(file.relative_to(directory))
            found |= {(name, number): content for number, content in _contents(file)}
    return found


def _contents(file: Path) -> Iterator[tuple[int, int]]:
    with file.open("rb", buffering=0) as stream:
        end, size = 0, stream.seek(0, os.SEEK_END)
        while end < size:
            try:
                begin = os.lseek(stream.fileno(), end, os.SEEK_DATA)
            except OSError:  # nothing but holes
                return
            end = os.lseek(stream.fileno(), begin, os.SEEK_HOLE)
            for offset in range(begin // _PAGE * _PAGE, end, _PAGE):
                content = os.pread(stream.fileno(), _PAGE, offset)
                if content.strip(b"\0"):
                    yield offset // _PAGE, zlib.crc32(content)
