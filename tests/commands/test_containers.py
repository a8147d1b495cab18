"""`stackproof up` and `down` with containers, and a run that is killed: nothing is left."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from stackproof.polling import poll
from stackproof.processes import reaper
from stackproof.processes.run import known_runs
from tests import engine
from tests.stack.conftest import PATIENCE, ROOT, posix_only

pytestmark = [
    pytest.mark.skipif(bool(engine.missing("redis")), reason=engine.missing("redis")),
    posix_only,
]


def stackproof(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "stackproof", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "DOCKER_HOST": engine.the_engine().host, "STACK": "docker"},
        start_new_session=True,
    )  # fmt: skip


def ended(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def test_up_and_down(runs: Path) -> None:
    code, out, err = ended(stackproof("up", "redis"))
    assert code == 0, err
    (run,) = known_runs()
    try:
        assert "redis: containers (chosen by environment STACK)" in err
        reached = re.search(r"redis-1: \S*127\.0\.0\.1:(\d+)", out)
        assert reached is not None, out
        socket.create_connection(("127.0.0.1", int(reached[1])), timeout=PATIENCE).close()
        assert len(engine.of_run(run.id)) == 2
        assert "Ready to accept" in (run.directory / "logs" / "redis-1-server.log").read_text()
        assert ended(stackproof("down", run.id)) == (0, f"run {run.id}: ended\n", "")
        assert engine.of_run(run.id) == []
        assert list(runs.iterdir()) == []
    finally:
        reaper.reap(run)


@pytest.mark.parametrize("moment", ["Compose has begun", "a container is there", "it is ready"])
def test_killed_at_any_moment(runs: Path, moment: str) -> None:
    up = stackproof("up", "redis")
    run = poll(known_runs, within=PATIENCE, awaiting="a run")[0]
    reached = {
        "Compose has begun": lambda: list(run.directory.glob("docker-starting-*")),
        "a container is there": lambda: engine.of_run(run.id),
        "it is ready": lambda: up.poll() is not None or run.kept,
    }
    try:
        poll(reached[moment], within=PATIENCE, awaiting=moment, first_pause=0.001)
        up.send_signal(signal.SIGKILL)
        up.wait()
        if run.kept:
            ended(stackproof("down", run.id))
        poll(
            lambda: [*engine.of_run(run.id), *reaper.processes_of(run), *runs.iterdir()],
            until=lambda left: not left,
            within=PATIENCE,
            awaiting="nothing to be left",
        )
    finally:
        up.communicate()
        reaper.reap(run)


def test_a_stale_run_is_removed_by_the_next(runs: Path) -> None:
    """The watcher was killed together with its run: the next run clears up."""
    up = stackproof("up", "redis")
    run = poll(known_runs, within=PATIENCE, awaiting="a run")[0]
    poll(lambda: engine.of_run(run.id), within=PATIENCE, awaiting="a container")
    owner = psutil.Process(up.pid)
    watchers = [p for p in owner.children() if "stackproof.processes.reaper" in p.cmdline()]
    assert len(watchers) == 1
    reaper.kill_all([*watchers, owner])
    up.communicate()
    assert engine.of_run(run.id)
    assert reaper.reap_stale_runs() == [run.id]
    assert engine.of_run(run.id) == []
