"""`stackproof up` and `down`, as commands; the broker is a real one."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from stackproof.polling import poll
from stackproof.processes import reaper
from stackproof.processes.run import RUN_VARIABLE, Run, known_runs
from tests.stack.conftest import (
    PATIENCE,
    PROGRAMS,
    ROOT,
    await_gone,
    await_text,
    lives,
    posix_only,
)

#: What the issue promises.
SECONDS = 10.0

Stackproof = Callable[..., subprocess.Popen]


@pytest.fixture
def stackproof(runs: Path) -> Iterator[Stackproof]:
    started: list[subprocess.Popen] = []

    def start(*arguments: str, **environment: str) -> subprocess.Popen:
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "stackproof", *arguments],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
                env={**os.environ, **environment}, start_new_session=True,
            )
        )  # fmt: skip
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
    for run in known_runs():
        reaper.reap(run)


def ended(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def begun(runs: Path) -> Run:
    """The run that a command has begun."""
    return poll(known_runs, within=PATIENCE, awaiting="a run")[0]


def await_nothing_left(run: Run) -> None:
    poll(
        lambda: [*reaper.processes_of(run), *run.directory.parent.iterdir()],
        until=lambda left: not left,
        within=SECONDS,
        awaiting="nothing to be left",
    )


@pytest.mark.kafka
def test_up_and_down(stackproof: Stackproof, runs: Path) -> None:
    code, out, err = ended(stackproof("up", "kafka", "kafka"))
    assert code == 0, err
    (run,) = known_runs()
    said = re.fullmatch(
        r"run (r\w{8})\n  kafka-1: 127\.0\.0\.1:(\d+)\n"
        r"run features on it by: STACK=external KAFKA_BOOTSTRAP_SERVERS=127\.0\.0\.1:\2 "
        r"stackproof run\nlogs: (.+)\nend it by: stackproof down \1\n",
        out,
    )
    assert said is not None, out
    assert said[1] == run.id
    assert "Kafka Server started" in (Path(said[3]) / "kafka-1-broker-1.log").read_text()
    assert len(list(Path(said[3]).iterdir())) == 1  # named twice, started once
    assert "kafka: native processes" in err
    assert "starting kafka: done in" in err
    socket.create_connection(("127.0.0.1", int(said[2])), timeout=PATIENCE).close()
    (broker,) = reaper.processes_of(run)  # and no watcher

    code, out, err = ended(stackproof("down", "r00000000"))
    assert (code, out) == (2, "")
    assert "there is no run r00000000" in err
    assert f"the runs are: {run.id}" in err
    assert broker.is_running()

    assert ended(stackproof("down")) == (0, f"run {run.id}: ended\n", "")
    assert not lives(broker.pid)
    assert list(runs.iterdir()) == []
    assert ended(stackproof("down")) == (0, "nothing is left running\n", "")


@pytest.mark.kafka
@posix_only
def test_up_killed_while_it_starts(stackproof: Stackproof, runs: Path) -> None:
    up = stackproof("up", "kafka")
    run = begun(runs)
    await_text(run.directory / reaper.LEDGER)
    assert ended(stackproof("down", run.id))[0] == 2  # not while it is at work
    up.send_signal(signal.SIGKILL)
    await_nothing_left(run)


@pytest.mark.kafka
@posix_only
def test_up_interrupted_while_it_starts(stackproof: Stackproof, runs: Path) -> None:
    up = stackproof("up", "kafka")
    run = begun(runs)
    await_text(run.directory / reaper.LEDGER)
    up.send_signal(signal.SIGINT)
    code, out, err = ended(up)
    assert (code, out) == (130, ""), err
    assert reaper.processes_of(run) == []
    assert list(runs.iterdir()) == []


@posix_only
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15)])
def test_up_ended_while_it_obtains(
    stackproof: Stackproof, runs: Path, tmp_path: Path, number: int, code: int,
) -> None:  # fmt: skip
    maven, seen = tmp_path / "bin" / "mvn", tmp_path / "seen"
    maven.parent.mkdir()
    maven.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{PROGRAMS / "mvn.py"}" "$@"\n')
    maven.chmod(0o755)
    up = stackproof(
        "up", "kafka", MVN="hangs", MVN_SEEN=str(seen), STACKPROOF_CACHE=str(tmp_path / "cache"),
        PATH=f"{maven.parent}{os.pathsep}{os.environ['PATH']}",
    )  # fmt: skip
    obtaining = [int(pid) for pid in await_text(seen, lines=2).splitlines()[1].split()]
    run = begun(runs)
    up.send_signal(number)
    assert ended(up)[0] == code
    await_nothing_left(run)
    await_gone(*obtaining)
    assert not (tmp_path / "cache" / "servers" / "kafka-4.3.1").exists()


@posix_only
def test_up_interrupted_while_it_waits_for_another_run(
    stackproof: Stackproof, runs: Path, tmp_path: Path
) -> None:  # fmt: skip
    servers = tmp_path / "cache" / "servers"
    servers.mkdir(parents=True)
    with FileLock(servers / "kafka-4.3.1.lock"):
        up = stackproof("up", "kafka", STACKPROOF_CACHE=str(tmp_path / "cache"))
        assert up.stderr is not None
        assert any("another run is obtaining it" in line for line in up.stderr)
        up.send_signal(signal.SIGINT)
        assert ended(up)[0] == 130
    assert list(runs.iterdir()) == []


def test_what_cannot_be_obtained_ends_it(
    stackproof: Stackproof, runs: Path, tmp_path: Path
) -> None:  # fmt: skip
    up = stackproof("up", "kafka", STACKPROOF_CACHE=str(tmp_path / "cache"), PATH=str(tmp_path))
    code, out, err = ended(up)
    assert (code, out) == (2, "")
    assert "`mvn` is not on the PATH" in err
    assert "Traceback" not in err
    assert list(runs.iterdir()) == []


def test_an_unknown_service(stackproof: Stackproof, runs: Path) -> None:
    code, out, err = ended(stackproof("up", "kafka", "redsi"))
    assert (code, out) == (2, "")
    assert "no service is called 'redsi'" in err
    assert "the services are: " in err
    assert ", kafka, " in err
    assert not runs.exists()  # told before anything begins


@posix_only
def test_a_runs_directory_of_another_user(
    stackproof: Stackproof, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    from stackproof.errors import Trouble

    me = os.getuid()
    other = runs.with_name(f"stackproof-{me + 1}")
    other.mkdir()
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    with pytest.raises(Trouble, match="belongs to another user") as caught:
        Run.begin()
    assert "STACKPROOF_RUNS" in caught.value.remedy
    assert list(other.iterdir()) == []


def test_a_runs_directory_that_cannot_be_made(
    stackproof: Stackproof, tmp_path: Path
) -> None:  # fmt: skip
    (tmp_path / "file").touch()
    code, _, err = ended(stackproof("up", "kafka", STACKPROOF_RUNS=str(tmp_path / "file")))
    assert code == 2
    assert "the run's directory cannot be made" in err
    assert "Traceback" not in err


def test_up_clears_up_after_those_who_died(
    stackproof: Stackproof, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    dead = Run.begin()
    monkeypatch.delenv(RUN_VARIABLE)
    dead.end()
    dead.write_state(owner_birth="another", owner_started=0.0)
    up = stackproof("up", "kafka", STACKPROOF_CACHE=str(tmp_path / "cache"), PATH=str(tmp_path))
    assert f"removing what was left of the interrupted run {dead.id}" in ended(up)[2]
    assert not dead.directory.exists()
