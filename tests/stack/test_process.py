"""One managed process: its death in words, its end, and that of its children."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.errors import Trouble
from stackproof.polling import DeadlineExceeded, poll
from stackproof.processes import reaper
from stackproof.processes.process import ManagedProcess, describe_exit, file_end
from stackproof.processes.run import RUN_VARIABLE, Run
from tests.stack.conftest import PATIENCE, PROGRAMS, PYTHON, await_text, lives, posix_only

Start = Callable[..., ManagedProcess]


@pytest.fixture
def start(run: Run, tmp_path: Path) -> Start:
    def start(*arguments: object, **options: object) -> ManagedProcess:
        argv = [*PYTHON, str(PROGRAMS / "sleeper.py"), *map(str, arguments)]
        given = {"log": tmp_path / "logs" / "sleeper.log", "cwd": tmp_path, "run": run, **options}
        return ManagedProcess("sleeper-1", argv, **given)  # type: ignore[arg-type]

    return start


# -- words -------------------------------------------------------------------
@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "ended with exit code 0"),
        (1, "ended with exit code 1"),
        (127, "ended with exit code 127"),
        (128, "ended with exit code 128"),
        pytest.param(137, "ended with exit code 137 (128 + SIGKILL)", marks=posix_only),
        pytest.param(143, "ended with exit code 143 (128 + SIGTERM)", marks=posix_only),
        (255, "ended with exit code 255"),
        pytest.param(-9, "was killed by SIGKILL", marks=posix_only),
        (-11, "was killed by SIGSEGV"),
        (-250, "was killed by signal 250"),
        (3221225477, "ended with exit code 3221225477"),  # an access violation of Windows
    ],
)
def test_exits_in_words(code: int, words: str) -> None:
    assert describe_exit(code) == words


def test_the_end_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "log"
    assert file_end(file) == "(no log: No such file or directory)"
    file.write_text("")
    assert file_end(file) == "(it printed nothing)"
    file.write_bytes(b"one\ntwo\xff\nthree")
    assert file_end(file, 2) == "two\N{REPLACEMENT CHARACTER}\nthree"
    assert file_end(file, 2, start=9) == "three"
    assert file_end(file, 2, start=999).endswith("three")  # the file has been cut meanwhile


def test_of_a_long_last_line_the_beginning_and_the_end_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text(
        "Traceback (most recent call last):\nValueError: no such column " + "x" * 99_999
    )
    (first, last) = file_end(file).splitlines()
    assert first.startswith("Traceback")
    assert last.startswith("ValueError: no such column x")
    assert len(last) < 500


@given(st.lists(st.text("ab é", max_size=30), min_size=1, max_size=60), st.integers(1, 30))
def test_the_end_of_a_file_is_the_end_of_its_text(lines: list[str], count: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "log"
        text = "\n".join([*lines, "last"])
        file.write_text(text, encoding="utf-8")
        assert file_end(file, count) == "\n".join([*lines, "last"][-count:])


# -- life and death ----------------------------------------------------------
def test_while_it_lives_there_is_no_death(start: Start) -> None:
    process = start()
    assert process.alive()
    assert process.death() is None
    assert process.exit_code is None
    with pytest.raises(DeadlineExceeded, match=r"waited 0.05 s for sleeper-1 to end"):
        process.wait(0.05)


def test_a_death_tells_the_exit_and_the_end_of_the_log(start: Start) -> None:
    process = start("--say", "configuration is wrong", "--exit", 3)
    assert process.wait(PATIENCE) == 3
    death = process.death()
    assert death == "sleeper-1 ended with exit code 3; its log ends:\n  | configuration is wrong"


@posix_only
def test_a_death_by_a_signal(start: Start) -> None:
    process = start()
    process.send(signal.SIGSEGV)
    process.wait(PATIENCE)
    assert (process.death() or "").startswith("sleeper-1 was killed by SIGSEGV; its log ends:")


def test_a_log_continues_but_its_end_is_the_own_one(start: Start) -> None:
    start("--say", "the first", "--exit", 1).wait(PATIENCE)
    second = start("--exit", 1)
    second.wait(PATIENCE)
    assert second.log.read_text() == "the first\n"
    assert second.log_end() == "(it printed nothing)"


def test_errors_go_to_the_log_and_no_input_comes(run: Run, tmp_path: Path) -> None:
    code = "import sys; print(repr(sys.stdin.read())); print('oh', file=sys.stderr)"
    process = ManagedProcess("p", [*PYTHON, "-c", code], log=tmp_path / "log", cwd=tmp_path,
                             run=run)  # fmt: skip
    process.wait(PATIENCE)
    assert sorted(process.log_end().splitlines()) == ["''", "oh"]


def test_its_environment_has_additions_and_the_runs_mark(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INHERITED", "yes")
    monkeypatch.delenv(RUN_VARIABLE)
    names = ("INHERITED", "ADDED", RUN_VARIABLE)
    code = f"import os; print([os.environ[name] for name in {names}])"
    process = ManagedProcess("p", [*PYTHON, "-c", code], log=tmp_path / "log", cwd=tmp_path,
                             run=run, env={"ADDED": "too"})  # fmt: skip
    process.wait(PATIENCE)
    assert process.log_end() == f"['yes', 'too', '{run.id}']"


def test_a_program_that_is_not_there(run: Run, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ManagedProcess("p", [str(tmp_path / "none")], log=tmp_path / "log", cwd=tmp_path, run=run)


def test_nothing_starts_once_the_run_has_ended(run: Run, start: Start) -> None:
    reaper.reap(run)
    with pytest.raises(Trouble, match="sleeper-1 was not started"):
        start(log=run.directory / "logs" / "sleeper.log")
    assert not run.directory.exists()


def test_a_run_that_ends_meanwhile_takes_it_along(
    run: Run, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = []

    def too_late(run: Run, process_id: int) -> None:
        pids.append(process_id)
        raise FileNotFoundError("the ledger is gone")

    monkeypatch.setattr(reaper, "record", too_late)
    with pytest.raises(Trouble, match="its run has ended"):
        start()
    assert [lives(pid) for pid in pids] == [False]


# -- ending ------------------------------------------------------------------
def test_kill_takes_children_along(start: Start, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    process = start("--children", 2, "--pid-file", pids)
    family = [int(pid) for pid in await_text(pids, lines=3).split()]
    process.kill()
    assert [pid for pid in family if lives(pid)] == []
    process.kill()  # once more does no harm


@posix_only
def test_kill_takes_along_what_a_dead_process_left(start: Start, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    process = start("--children", 1, "--pid-file", pids, "--exit", 1)
    process.wait(PATIENCE)
    (child,) = (int(p) for p in await_text(pids, lines=2).split() if int(p) != process.pid)
    assert lives(child)
    process.kill()
    assert not lives(child)


@posix_only
def test_kill_spares_a_session_that_got_its_old_id(
    start: Start, run: Run, program: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start("--exit", 0)
    process.wait(PATIENCE)
    other = program("sleeper")
    session = os.getsid(other.pid)
    monkeypatch.setattr(os, "getsid", lambda pid: process.pid if pid == other.pid else -1)
    process.kill()
    assert other.poll() is None
    assert session == other.pid


@posix_only
def test_terminate_lets_it_end_by_itself(start: Start, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    process = start("--slow-end", "--pid-file", pids)
    await_text(pids)
    end = process.terminate(PATIENCE)
    assert (end.code, end.overdue) == (143, None)
    assert str(end).startswith("ended with exit code 143 (128 + SIGTERM) 0.")
    assert (process.death() or "").startswith("sleeper-1 ended with exit code 143 (128 + SIGTERM)")


@posix_only
def test_terminate_kills_what_does_not_listen(start: Start, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    process = start("--ignore", "SIGTERM", "--children", 1, "--pid-file", pids)
    family = [int(pid) for pid in await_text(pids, lines=2).split()]
    end = process.terminate(within=0.05)
    assert str(end) == "did not stop within 0.05 s of SIGTERM, and was killed"
    assert [pid for pid in family if lives(pid)] == []


@posix_only
def test_a_stopped_process_can_be_killed(start: Start) -> None:
    process = start()
    process.send(signal.SIGSTOP)
    poll(
        lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED,
        within=PATIENCE,
        awaiting="it to be stopped",
    )
    process.kill()
    assert process.exit_code == -signal.SIGKILL


def test_signals_to_the_dead_do_nothing(start: Start) -> None:
    process = start("--exit", 0)
    process.wait(PATIENCE)
    process.send(signal.SIGTERM)
    assert str(process.terminate()) == "ended with exit code 0 before it was told to stop"


def test_it_has_a_session_of_its_own(start: Start) -> None:
    if sys.platform == "win32":
        pytest.skip("sessions of POSIX")
    process = start()
    assert os.getsid(process.pid) == process.pid  # Ctrl-C does not reach it
