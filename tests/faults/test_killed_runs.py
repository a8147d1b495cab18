"""A run killed while everything is broken leaves nothing broken behind."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from stackproof.errors import Trouble
from stackproof.polling import poll
from stackproof.processes import reaper
from stackproof.processes.run import RUN_VARIABLE, Run
from stackproof.services import service
from stackproof.stack.docker import leftovers
from stackproof.stack.docker.engine import find_engine
from stackproof.stack.docker.images import Images
from stackproof.stack.harm import disks, packets

ROOT = Path(__file__).parents[2]
_STARTS_WITHIN, _GONE_WITHIN = 180.0, 60.0

pytestmark = pytest.mark.skipif(
    packets.unusable() is not None or disks.unusable() is not None,
    reason="brokers cannot be cut and disks not be mounted here",
)


def containers() -> str | None:
    """Why there are no containers; None: there are."""
    try:
        images = Images(find_engine())
        wanted = service("kafka").images()
        return None if all(images.at_hand(image) for image in wanted) else "no image at hand"
    except Trouble as trouble:
        return trouble.what


@pytest.mark.parametrize("stack", ["native", "docker"])
def test_nothing_stays_broken(stack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if stack == "docker" and (why := containers()):
        pytest.skip(why)
    monkeypatch.setenv("STACKPROOF_RUNS", str(tmp_path))
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    breaker = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.breaker", stack],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert breaker.stdout is not None
        said = breaker.stdout.readline().split()
        assert said, "it could not break everything"
        (place,) = tmp_path.glob("stackproof-*")
        run = Run(said[0], place / said[0])
        expected = {"processes", "disks", "directory"}
        expected.add("packets" if stack == "native" else "containers")
        assert {kind for kind, found in left(run).items() if found} == expected
    finally:
        breaker.kill()
        breaker.wait()
    try:
        poll(
            lambda: left(run),
            until=lambda kinds: not any(kinds.values()),
            within=_GONE_WITHIN,
            awaiting="everything of the killed run to be gone",
        )
    finally:
        reaper.reap(run)


def left(run: Run) -> dict[str, object]:
    """What there is of a run, by kind."""
    rules = subprocess.run(
        ["iptables", "-w", "-S"], capture_output=True, text=True, check=True, timeout=30
    ).stdout
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    found: dict[str, object] = {
        "processes": [p.pid for p in reaper.marked(RUN_VARIABLE, run.id)],
        "packets": [line for line in rules.splitlines() if run.id in line],
        "disks": [line.split()[1] for line in mounts if run.id in line],
        "directory": run.directory.exists(),
        "containers": [],
    }
    with contextlib.suppress(Trouble), contextlib.closing(find_engine().client()) as client:
        wanted = {"label": f"{leftovers.RUN_LABEL}={run.id}"}
        found["containers"] = [c["Id"] for c in client.api.containers(all=True, filters=wanted)]
    return found
