"""A disk that loses its power keeps what was synced, and nothing else."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackproof.obtain import Cache
from stackproof.polling import poll
from stackproof.processes.run import Run
from stackproof.stack.harm import disks, volatile
from stackproof.stack.harm.volatile import VolatileDisk

pytestmark = pytest.mark.skipif(
    volatile.unusable() is not None, reason=volatile.unusable() or "it can be had"
)
_NEW = os.O_WRONLY | os.O_CREAT


class Disk(VolatileDisk):
    """One with files that tests write."""

    def __init__(self, run: Run):
        self.place = run.directory / "data"
        self.place.mkdir()
        super().__init__(run, Cache(), "node-1", self.place, run.directory / "disk.log")

    def write(
        self, name: str, content: bytes, sync: Callable[[int], None] | None = None,
        *, at: int = 0, flags: int = _NEW, size: int | None = None,
    ) -> None:  # fmt: skip
        """Write, cut and sync, in this order; each of the last two if it is asked for."""
        file = os.open(self.place / name, flags, 0o640)
        try:
            os.pwrite(file, content, at)
            if size is not None:
                os.ftruncate(file, size)
            if sync is not None:
                sync(file)
        finally:
            os.close(file)

    def sync_directory(self, name: str = ".") -> None:
        """As servers do after a renaming."""
        directory = os.open(self.place / name, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)

    @property
    def names(self) -> set[str]:
        """What is there now."""
        return {str(path.relative_to(self.place)) for path in self.place.rglob("*")}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    run = Run("power-0000", tmp_path / "power-0000")
    run.directory.mkdir()
    made = Disk(run)
    yield made
    made.stop()
    assert not os.path.ismount(made.place)


def test_content_is_lost_since_its_last_sync(disk: Disk) -> None:
    (disk.place / "old").write_bytes(b"o" * 5000)
    disk.mount()
    disk.write("old", b"new", at=4096)
    disk.write("synced", b"s" * 5000, os.fsync)
    disk.write("data", b"d" * 5000, os.fdatasync)
    disk.write("both", b"b" * 5000, os.fsync)
    disk.write("both", b"B" * 5000)
    disk.write("direct", b"w" * 100, flags=_NEW | os.O_DSYNC)
    disk.write("never", b"n" * 5000)
    disk.sync_directory()
    assert (disk.place / "both").read_bytes() == b"B" * 5000
    lost = disk.lose()
    found = {name: (disk.place / name).read_bytes() for name in disk.names}
    assert found == {
        "old": b"o" * 5000, "synced": b"s" * 5000, "data": b"d" * 5000, "both": b"b" * 5000,
        "direct": b"w" * 100, "never": b"",
    }  # fmt: skip
    assert (lost.lost_bytes, lost.lost_files) == (5 * 4096, 3)
    assert (disk.place / "synced").stat().st_mode & 0o777 == 0o640


def test_what_is_written_over_an_old_log_is_lost(disk: Disk) -> None:
    """Sizes tell nothing: the file is as long as ever."""
    disk.mount()
    disk.write("log", bytes(1 << 20), os.fsync)
    disk.write("log", b"first", os.fdatasync, at=8192)
    disk.write("log", b"second", at=16384)
    assert disk.lose().lost_bytes == 4096
    content = (disk.place / "log").read_bytes()
    assert len(content) == 1 << 20
    assert content[8192:8197] == b"first"
    assert content.strip(b"\0") == b"first"


def test_what_is_cut_and_grows_again_is_empty_there(disk: Disk) -> None:
    disk.mount()
    disk.write("file", b"x" * 10_000, os.fsync)
    disk.write("file", b"", size=100)
    disk.write("file", b"", os.fsync, size=10_000)
    disk.write("file", b"", size=0)
    disk.lose()
    assert (disk.place / "file").read_bytes() == b"x" * 100 + bytes(9900)


def test_mapped_memory_is_durable_by_msync(disk: Disk) -> None:
    disk.mount()
    disk.write("map", b"", size=8192)
    with (disk.place / "map").open("r+b") as file, mmap.mmap(file.fileno(), 8192) as memory:
        memory[:3] = b"one"
        memory.flush()
        memory[4096:4099] = b"two"
    disk.lose()
    assert (disk.place / "map").read_bytes().strip(b"\0") == b"one"


def test_names_are_durable_in_their_order(disk: Disk) -> None:
    (disk.place / "before").touch()
    (disk.place / "removed").touch()
    disk.mount()
    (disk.place / "below").mkdir()
    disk.write("below/first", b"1", os.fsync)
    disk.write("below/second", b"2")
    (disk.place / "before").rename(disk.place / "after")
    assert disk.names == {"after", "removed", "below", "below/first", "below/second"}
    disk.sync_directory()
    (disk.place / "removed").unlink()
    disk.write("last", b"3")
    disk.lose()
    assert disk.names == {"after", "removed", "below", "below/first", "below/second"}
    assert (disk.place / "below/second").read_bytes() == b""
    disk.mount()
    disk.write("new", b"new", os.fsync)
    (disk.place / "new").rename(disk.place / "below/first")
    os.link(disk.place / "after", disk.place / "linked")
    (disk.place / "way").symlink_to("after")
    disk.sync_directory("below")
    disk.lose()
    assert (disk.place / "below/first").read_bytes() == b"new"
    assert not disk.names & {"new", "linked", "way"}


def test_a_removed_file_does_not_come_back_by_its_number(disk: Disk) -> None:
    """The file system below gives an inode's number to the next file."""
    disk.mount()
    for number in range(20):
        disk.write("file", b"old" * number, os.fsync)
        (disk.place / "file").unlink()
    disk.write("file", b"young", os.fsync)
    disk.lose()
    assert (disk.place / "file").read_bytes() == b"young"


def test_a_sync_under_way_does_not_return(disk: Disk) -> None:
    """Its caller is killed all the same, and what it wrote is lost."""
    disk.mount()
    program = (
        "import os, sys\nf = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)\n"
        "while True:\n os.pwrite(f, b'x', 0); os.fsync(f); print('synced', flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(disk.place / "file")], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"synced\n"
        disk.hold()
        heard: list[bytes] = []
        reading = threading.Thread(target=lambda: heard.append(writer.stdout.read()))  # type: ignore[union-attr]
        reading.start()
        status = Path(f"/proc/{writer.pid}/syscall")
        poll(lambda: status.read_text().split()[0] == "74", within=20, awaiting="its sync")  # fsync
        writer.kill()
        assert writer.wait(20) == -9
        reading.join(20)
    disk.write("other", b"y")
    assert disk.lose().lost_bytes >= 4096


def test_nothing_is_lost_without_a_loss_of_power(disk: Disk) -> None:
    disk.mount()
    disk.write("file", b"never synced")
    disk.stop()
    assert (disk.place / "file").read_bytes() == b"never synced"
    assert not os.path.ismount(disk.place)


def test_it_is_unmounted_with_its_run(disk: Disk, tmp_path: Path) -> None:
    """Also when its program has been killed: nothing answers there any more."""
    disk.mount()
    assert disk._process is not None
    disk._process.kill()
    with pytest.raises(OSError, match="not connected"):
        list(disk.place.iterdir())
    run = Run("power-0000", tmp_path / "power-0000")
    assert disks.reap(run) == [f"disk mounted at {disk.place}"]
    assert list(disk.place.iterdir()) == []


def test_where_it_cannot_be_had(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    from stackproof.errors import NotSupported

    monkeypatch.setattr(volatile, "unusable", lambda: "there is no /dev/fuse")
    with pytest.raises(NotSupported, match="no /dev/fuse"):
        disk.mount()
