"""Runs of their own, far from those of whoever works on this machine."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from stackproof.polling import poll
from stackproof.processes import reaper
from stackproof.processes.run import RUN_VARIABLE, Run, known_runs

PROGRAMS = Path(__file__).parent / "programs"
ROOT = Path(__file__).parents[2]
#: Generous: how long something takes is not what these tests are about.
PATIENCE = 30.0

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
#: An interpreter that starts quickly: without site-packages.
PYTHON = (sys.executable, "-I", "-S")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "kafka: starts a real Apache Kafka")


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory of all runs of this test; whatever lives in one is ended with it."""
    monkeypatch.setenv("STACKPROOF_RUNS", str(tmp_path))
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    # The machine's own engine is used by those tests that ask for one.
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    directory = tmp_path.resolve() / f"stackproof-{os.getuid() if hasattr(os, 'getuid') else ''}"
    yield directory
    for left in known_runs():
        # Whatever a test did to the environment: never the runs of whoever works here.
        assert left.directory.is_relative_to(directory), left
        if (left.directory / reaper.LEDGER).exists():
            reaper.reap(left)


@pytest.fixture
def run(runs: Path) -> Run:
    return Run.begin()


@pytest.fixture
def program() -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts a Python program of `programs`; it is ended with the test."""
    started: list[subprocess.Popen] = []

    def start(name: str, *arguments: object, quick: bool = True, **options: object):
        python = PYTHON if quick else (sys.executable,)
        argv = [*python, str(PROGRAMS / f"{name}.py"), *map(str, arguments)]
        # Not the run's: without its mark.
        env = {k: v for k, v in os.environ.items() if k != RUN_VARIABLE}
        options = {"cwd": ROOT, "start_new_session": True, "env": env, **options}
        started.append(subprocess.Popen(argv, **options))  # type: ignore[call-overload]
        return started[-1]

    yield start
    for process in started:
        with contextlib.suppress(psutil.Error):
            if process.poll() is None:
                reaper.kill_all(reaper.with_descendants([psutil.Process(process.pid)]))
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def lives(process_id: int) -> bool:
    try:
        return reaper.is_alive(psutil.Process(process_id))
    except psutil.Error:
        return False


def await_gone(*process_ids: int, within: float = PATIENCE) -> None:
    poll(
        lambda: [p for p in process_ids if lives(p)],
        until=lambda left: not left,
        within=within,
        awaiting="processes to be gone",
    )


def await_text(file: Path, *, lines: int = 1) -> str:
    """The text of a file once it has so many complete lines."""
    poll(
        lambda: file.exists() and file.read_text().count("\n") >= lines,
        within=PATIENCE,
        awaiting=f"{lines} lines in {file}",
    )
    return file.read_text()
