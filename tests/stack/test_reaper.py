"""Whatever happens to a run, nothing it started outlives it for long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from stackproof.polling import poll
from stackproof.processes import liveness, reaper
from stackproof.processes.process import ManagedProcess
from stackproof.processes.run import RUN_VARIABLE, Run, known_runs
from tests.stack.conftest import PATIENCE, PYTHON, await_gone, await_text, lives, posix_only

pytestmark = posix_only

Program = Callable[..., subprocess.Popen]

#: What the issue promises.
SECONDS = 10.0
KINDS = (
    "child",
    "daemon",
    "in its directory, environment cleared",
    "in its directory, environment of another run",
    "told by an argument only",
    "told by its program only",
    "stopped",
    "deaf to signals",
    "in the ledger only",
)


@dataclass
class Owner:
    """An owner of a run in a process of its own, with all it started."""

    process: subprocess.Popen
    run: Run
    watcher: int
    family: dict[str, int]

    def left(self) -> list[str]:
        """What there still is of the run."""
        found = sorted(kind for kind, pid in self.family.items() if lives(pid))
        return found + [str(p) for p in (self.run.directory, self.run.lock_file) if p.exists()]


@pytest.fixture
def owner(runs: Path, tmp_path: Path, program: Program) -> Iterator[Callable[..., Owner]]:
    owners: list[Owner] = []

    def start(*kinds: str, keep: bool = False) -> Owner:
        report = tmp_path / f"owner-{len(owners)}"
        arguments = [report, *(["--keep"] if keep else []), "--kinds", *kinds]
        process = program("owner", *arguments, quick=False, env=with_sources())
        poll(
            lambda: report.exists() and "ready yes\n" in report.read_text(),
            within=PATIENCE,
            awaiting="the owner to be ready",
            describe=lambda _: report.read_text() if report.exists() else "nothing",
            alive=lambda: "the owner died" if process.poll() else None,
        )
        said = [line.rpartition(" ") for line in report.read_text().splitlines()]
        told = {name: value for name, _, value in said}
        run = Run(told.pop("run"), runs / f"{said[0][2]}")
        watcher = int(told.pop("watcher"))
        del told["ready"]
        owners.append(Owner(process, run, watcher, {k: int(v) for k, v in told.items()}))
        return owners[-1]

    yield start
    for one in owners:
        for pid in (one.watcher, *one.family.values()):
            if lives(pid):
                os.kill(pid, signal.SIGKILL)


def with_sources() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def await_nothing_left(owner: Owner) -> None:
    poll(owner.left, until=lambda left: not left, within=SECONDS, awaiting="nothing to be left")
    await_gone(owner.watcher)


# -- the watcher -------------------------------------------------------------
def test_nothing_is_left_when_the_owner_is_killed(
    owner: Callable[..., Owner], program: Program
) -> None:
    one = owner(*KINDS)
    bystander = program("sleeper")
    assert sorted(one.family) == sorted([*KINDS, "its child"])
    assert all(lives(pid) for pid in one.family.values())
    one.process.kill()  # not waited for: to be a zombie is to be dead
    await_nothing_left(one)
    assert bystander.poll() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_watcher_survives_what_ends_the_owner_and_its_group(
    owner: Callable[..., Owner], number: signal.Signals
) -> None:
    one = owner("daemon")
    os.killpg(one.process.pid, number)
    os.kill(one.watcher, number)  # even one that is meant for all processes of this name
    await_nothing_left(one)
    assert one.process.wait() != 0


def test_a_kept_run_stays_until_it_is_ended(owner: Callable[..., Owner]) -> None:
    one = owner("child", "daemon", keep=True)
    assert one.process.wait(PATIENCE) == 0
    await_gone(one.watcher)
    assert reaper.reap_stale_runs() == []
    assert one.left() == ["child", "daemon", str(one.run.directory), str(one.run.lock_file)]
    assert reaper.reap(one.run) == []
    assert one.left() == []


def test_when_the_watcher_dies_too_the_next_run_clears_up(owner: Callable[..., Owner]) -> None:
    one = owner("child", "in its directory, environment cleared")
    os.kill(one.watcher, signal.SIGKILL)
    one.process.kill()
    one.process.wait()
    assert all(lives(pid) for pid in one.family.values())
    assert reaper.reap_stale_runs() == [one.run.id]
    assert one.left() == []


def test_a_watcher_that_died_is_stood_in_for(run: Run, tmp_path: Path) -> None:
    watcher = reaper.Watcher(run)
    process = sleeping(run, tmp_path)
    os.kill(watcher.pid, signal.SIGKILL)
    assert watcher.dismiss(keep=False) == []
    assert not process.alive()
    assert not run.directory.exists()


def test_dismissed_with_keep_nothing_is_touched(run: Run, tmp_path: Path) -> None:
    watcher = reaper.Watcher(run)
    process = sleeping(run, tmp_path)
    assert watcher.dismiss(keep=True) == []
    assert not lives(watcher.pid)
    assert process.alive()
    assert run.directory.exists()


def test_dismissed_without_keep_nothing_is_left(run: Run, tmp_path: Path) -> None:
    watcher = reaper.Watcher(run)
    process = sleeping(run, tmp_path)
    assert watcher.dismiss(keep=False) == []
    assert not process.alive()
    assert not run.directory.exists()
    assert not run.lock_file.exists()


# -- a living run ------------------------------------------------------------
def test_a_living_run_is_not_stale(owner: Callable[..., Owner]) -> None:
    one = owner("child")
    assert reaper.reap_stale_runs() == []
    assert lives(one.family["child"])
    assert one.run.owner() == one.process.pid


def test_a_run_that_is_just_beginning_is_not_stale(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run looks for stale ones at every moment of this one's beginning."""
    looks = 0

    def looking_before(original: Callable) -> Callable:
        def wrapper(*arguments: object, **options: object) -> object:
            nonlocal looks
            looks += 1
            assert reaper.reap_stale_runs() == []
            result = original(*arguments, **options)
            assert reaper.reap_stale_runs() == []
            return result

        return wrapper

    # Not `monkeypatch.undo()`: that would undo the fixture's own runs directory too.
    with monkeypatch.context() as patch:
        patch.setattr(Run, "write_state", looking_before(Run.write_state))
        patch.setattr(liveness, "hold", looking_before(liveness.hold))
        patch.setattr(Path, "mkdir", looking_before(Path.mkdir))
        run = Run.begin()
    assert looks >= 4
    assert run.read_state()["owner"] == os.getpid()
    assert run.lock_file.exists()
    run.end()


def test_runs_that_begin_while_others_clear_up_stay_whole(runs: Path) -> None:
    begun: list[Run] = []
    troubles: list[BaseException] = []
    done = threading.Event()

    def begin() -> None:
        try:
            begun.extend(Run.begin() for _ in range(25))
        except BaseException as error:
            troubles.append(error)

    def clear() -> None:
        try:
            while not done.is_set():
                assert reaper.reap_stale_runs() == []
        except BaseException as error:
            troubles.append(error)

    clearers = [threading.Thread(target=clear) for _ in range(2)]
    beginners = [threading.Thread(target=begin) for _ in range(3)]
    for thread in (*clearers, *beginners):
        thread.start()
    for thread in beginners:
        thread.join()
    done.set()
    for thread in clearers:
        thread.join()
    assert troubles == []
    assert all(run.read_state()["id"] == run.id and run.owner_lives() for run in begun)
    assert sorted(run.id for run in known_runs()) == sorted(run.id for run in begun)
    for run in begun:
        run.end()


def test_a_lost_lock_file_does_not_make_a_run_stale(run: Run) -> None:
    run.lock_file.unlink()
    assert run.owner_lives()
    assert reaper.reap_stale_runs() == []


def test_a_lock_file_without_a_run_is_removed(runs: Path) -> None:
    runs.mkdir()
    old, new = runs / "r12345678.lock", runs / "r12345679.lock"
    for lock in (old, new):
        lock.touch()
    os.utime(old, (1e9, 1e9))
    reaper.reap_stale_runs()
    assert list(runs.iterdir()) == [new]  # that one's directory may be about to be made


def test_what_is_no_run_is_left_alone(runs: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (runs / "notes").mkdir(parents=True)
    (runs / "r87654321").symlink_to(precious)
    assert known_runs() == []
    assert reaper.reap_stale_runs() == []
    assert precious.exists()
    assert (runs / "notes").exists()


# -- whose process is it? ----------------------------------------------------
def sleeping(run: Run, tmp_path: Path, *arguments: object, **options: object) -> ManagedProcess:
    file = Path(__file__).with_name("programs") / "sleeper.py"
    return ManagedProcess(
        "sleeper",
        [*PYTHON, str(file), *map(str, arguments)],
        log=tmp_path / "sleeper.log",
        cwd=tmp_path,
        run=run,
        **options,  # type: ignore[arg-type]
    )


def stale(run: Run, **state: object) -> Run:
    """The run as it looks when its owner is gone."""
    run.end()
    run.write_state(owner_birth=None, owner_started=0.0, **state)
    return run


def test_a_process_that_got_an_old_id_is_spared(run: Run, program: Program) -> None:
    other = program("sleeper")
    with (run.directory / reaper.LEDGER).open("a") as ledger:
        ledger.write(f"{other.pid} {liveness.birth(os.getpid())}\n")
    assert reaper.reap(run) == []
    assert other.poll() is None


def test_an_owner_whose_id_was_given_to_another_is_gone(run: Run, program: Program) -> None:
    other = program("sleeper")
    run.end()
    run.write_state(owner=other.pid)  # with the birth of the true owner
    assert not run.owner_lives()
    assert reaper.reap_stale_runs() == [run.id]
    assert other.poll() is None


def test_a_zombie_owns_nothing(run: Run, program: Program) -> None:
    dead = program("sleeper", "--exit", 0)
    poll(
        lambda: psutil.Process(dead.pid).status(),
        until=lambda status: status == psutil.STATUS_ZOMBIE,
        within=PATIENCE,
        awaiting="a zombie",
    )
    run.end()
    run.write_state(owner=dead.pid, owner_birth=liveness.birth(dead.pid))
    assert not run.owner_lives()


def test_the_birth_of_a_process_is_its_own(program: Program) -> None:
    one, other = program("sleeper"), program("sleeper")
    assert liveness.birth(one.pid) == liveness.birth(one.pid)
    assert liveness.birth(one.pid) is not None
    assert liveness.birth(one.pid) != liveness.birth(os.getpid())
    other.kill()
    other.wait()
    assert liveness.birth(other.pid) is None


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have clock time only")
def test_a_birth_does_not_move_with_the_clock(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = program("sleeper")
    before = liveness.birth(one.pid)
    import psutil._pslinux

    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: 1.0)
    assert liveness.birth(one.pid) == before


def test_a_persons_shell_in_the_directory_is_spared(run: Run, program: Program) -> None:
    import fcntl
    import pty
    import termios

    leader, terminal = pty.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    shell = program("sleeper", "--say", run.directory / "kafka.log", stdin=terminal,
                    stdout=subprocess.DEVNULL, cwd=run.directory,
                    preexec_fn=take_terminal)  # fmt: skip
    without = program("sleeper", "--say", run.directory / "kafka.log",
                      stdout=subprocess.DEVNULL, cwd=run.directory)  # fmt: skip
    assert reaper.reap(run) == []
    assert shell.poll() is None
    assert without.wait(PATIENCE) == -signal.SIGKILL
    os.close(leader)
    os.close(terminal)


def test_whoever_clears_up_spares_its_ancestors(run: Run, tmp_path: Path, program: Program) -> None:
    """`stackproof down` from a script that works in the run's directory."""
    script = (
        "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', '''"
        "import sys; from pathlib import Path; from stackproof.processes import reaper;"
        "from stackproof.processes.run import Run;"
        f'print(reaper.reap(Run("{run.id}", Path("{run.directory}"))))'
        "''']))"
    )
    stale(run)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=run.directory, env=with_sources(),
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
    assert not run.directory.exists()


def test_a_torn_ledger_is_read_as_far_as_it_goes(run: Run, tmp_path: Path) -> None:
    process = sleeping(run, tmp_path, env={RUN_VARIABLE: "another"})
    ledger = run.directory / reaper.LEDGER
    ledger.write_bytes(b"\xff\xfe rubbish\n\n" + ledger.read_bytes() + b"77")
    assert reaper.reap(run) == []
    assert not process.alive()


def test_recording_needs_the_run(run: Run, program: Program) -> None:
    reaper.reap(run)
    with pytest.raises(OSError, match=r"processes\.ledger"):
        reaper.record(run, program("sleeper").pid)


def test_a_family_that_grows_while_it_is_killed(run: Run, tmp_path: Path) -> None:
    """Its children have nothing in common with the run but their parent."""
    pids = tmp_path / "pids"
    file = Path(__file__).with_name("programs") / "sleeper.py"
    code = (
        "import os, sys; os.chdir('/');"
        f"os.execve(sys.executable, [*{PYTHON!r}, {str(file)!r}, '--restless',"
        f"'--pid-file', {str(pids)!r}], {{}})"
    )
    ManagedProcess("restless", [*PYTHON, "-c", code], log=tmp_path / "log", cwd=tmp_path, run=run)
    await_text(pids, lines=20)
    assert reaper.reap(run) == []
    assert [pid for pid in map(int, pids.read_text().split()) if lives(pid)] == []


def test_what_resists_is_told_and_can_be_found_again(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = sleeping(run, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(reaper, "kill_all", lambda processes: None)
        left = reaper.reap(run, within=0.2)
        assert len(left) == 1
        assert left[0].startswith(f"process {process.pid} (")
        assert run.directory.exists()  # what is left is recognised by it
        stale(run)
        patch.setattr(reaper, "reap", lambda run, **_: left)
        assert reaper.reap_stale_runs() == []  # not told as removed
    assert reaper.reap(run) == []
    assert not process.alive()


def test_marked_finds_descendants_too(program: Program, tmp_path: Path) -> None:
    pids, run_id = tmp_path / "pids", f"r{os.getpid()}"
    env = {**os.environ, "STACKPROOF_WORKER": f"{run_id}-1"}
    program("sleeper", "--children", 2, "--pid-file", pids, env=env)
    other = program("sleeper", env={**os.environ, "STACKPROOF_WORKER": f"{run_id}-11"})
    family = {int(pid) for pid in await_text(pids, lines=3).split()}
    assert {p.pid for p in reaper.marked("STACKPROOF_WORKER", f"{run_id}-1")} == family
    assert other.poll() is None


@pytest.mark.skipif(sys.platform != "linux", reason="births can be compared on Linux alone")
def test_what_is_older_than_a_run_is_none_of_it(program: Program, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    old = program("sleeper", "--pid-file", pids, env={**os.environ, "MARK": str(tmp_path)})
    await_text(pids, lines=1)
    own = liveness.birth(old.pid)
    assert own is not None
    for since in (None, liveness.birth(os.getpid()), own):
        found = reaper.marked("MARK", str(tmp_path), since=since)
        assert [process.pid for process in found] == [old.pid]
    boot, _, ticks = own.rpartition("-")
    assert reaper.marked("MARK", str(tmp_path), since=f"{boot}-{int(ticks) + 1}") == []


@pytest.mark.parametrize(
    ("one", "other", "before"),
    [
        ("a-9", "a-10", True),
        ("a-10", "a-10", False),
        ("a-10", "a-9", False),
        ("a-9", "b-10", False),  # the machine was started anew
        ("9", "10", False),  # a time of day, which can be set
        ("9.50", "10.25", False),
        (None, "a-10", False),
        ("a-9", None, False),
        ("a-9", "another", False),
    ],
)
def test_births_are_compared_where_they_can_be(
    one: str | None, other: str | None, before: bool
) -> None:
    assert liveness.born_before(one, other) is before
