"""The page on a server: what it says, and that it says the same the next time."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackproof.commands.compatibility import lasting, page
from stackproof.errors import Trouble
from stackproof.ports import free_port
from stackproof.processes.run import RUN_VARIABLE
from tests.compatibility import __main__ as script
from tests.compatibility.servers import SERVERS, running

ROOT = Path(__file__).parents[2]
REDIS = next(server for server in SERVERS if server.name == "redis")


def scenario(name: str, verdict: str, reason: str = "", feature: str = "f/a.feature") -> dict:
    return {"name": name, "verdict": verdict, "reason": reason, "feature": feature, "line": 3}


def test_a_page() -> None:
    reason = (
        "the topic stackproof-r0a1b2c3d-s012-t cannot be had\n  why: it says no\n  so: 1\n  4th"
    )
    told = page("Some Kafka 1.0", "knows the requests of Kafka 3.5", [
        scenario("A", "passed"), scenario("B", "passed", feature="f/b.feature"),
        scenario("C", "not supported", reason), scenario("D", "failed", "1 lost"),
        scenario("E", "broken", "lost its way"),
    ])  # fmt: skip
    assert told.splitlines()[0] == "# Some Kafka 1.0"
    assert "2 passed, 1 failed, 1 not supported, 1 broken." in told
    assert "- C\n  - the topic stackproof-RUN-SCENARIO-t cannot be had\n  - why: it says no" in told
    assert "4th" not in told
    assert "- D\n  - 1 lost" in told and "- E\n  - lost its way" in told
    assert "- `f/a.feature`: 1\n- `f/b.feature`: 1" in told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9092 refused", "HOST:PORT refused"),
        ("at localhost:32001", "at HOST:PORT"),
        ("stackproof-rdeadbeef-s007-in.put", "stackproof-RUN-SCENARIO-in.put"),
        ("15 s, r1, s7, 1:2", "15 s, r1, s7, 1:2"),
    ],
)
def test_nothing_of_one_run_alone(text: str, expected: str) -> None:
    assert lasting(text) == expected


def compatibility(where: dict[str, str], *arguments: str, directory: Path) -> Any:
    own = {k: v for k, v in os.environ.items() if not k.startswith(("STACK", "REDIS"))}
    own.pop(RUN_VARIABLE, None)
    return subprocess.run(
        [sys.executable, "-m", "stackproof", "compatibility", "redis", *arguments],
        cwd=ROOT, env={**own, **where, "STACKPROOF_RUNS": str(directory)},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_a_server_is_tried(tmp_path: Path) -> None:
    features = tmp_path / "features"
    features.mkdir()
    for place in ("steps", "environment.py"):
        (features / place).symlink_to(ROOT / place)
    (features / "one.feature").write_text("""
Feature: One
  Scenario: On the endpoint
    Given a Redis server
    When the key "k" is set to "v"
    Then the key "k" holds "v"
  Scenario: On two endpoints
    Given a Redis server
    And a Kafka broker
    When the key "k" is set to "v"
    Then the key "k" holds "v"
""")
    output = tmp_path / "page.md"
    how = ("--output", str(output), "--reports", str(tmp_path / "reports"), "--title", "Redis here")
    with running(REDIS, tmp_path / "server", lambda _: None) as where:
        done = compatibility(where, str(features), *how, directory=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert output.read_text().startswith("# Redis here\n\nRedis 7.0")
    assert "Scenarios: 1 passed, 0 failed, 0 not supported." in output.read_text()


def test_an_endpoint_that_does_not_answer(tmp_path: Path) -> None:
    output = tmp_path / "page.md"
    where = {"STACK": "external", "REDIS_URL": f"redis://127.0.0.1:{free_port()}"}
    done = compatibility(where, "--output", str(output), directory=tmp_path)
    assert done.returncode == 2 and "cannot be used" in done.stderr, done.stdout + done.stderr
    assert "Traceback" not in done.stderr and not output.exists()


def test_a_server_that_cannot_be_had_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise Trouble("Redis 7.0 could not be obtained", "no network")

    monkeypatch.setattr(script, "running", fails)
    monkeypatch.setattr(script, "SERVERS", (REDIS, replace(REDIS, name="other")))
    monkeypatch.setattr(script, "PAGES", tmp_path / "pages")
    monkeypatch.setattr(script, "JOINED", tmp_path / "joined.md")
    monkeypatch.setattr("sys.argv", ["compatibility", "redis"])
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "other.md").write_text(page("Other", "", [scenario("A", "passed")]))
    assert script.main() == 0
    joined = (tmp_path / "joined.md").read_text()
    assert "| Redis 7.0 | not tried | | |" in joined
    assert "Not tried: Redis 7.0 could not be obtained" in joined
    assert "| 1 | 0 | 0 |" in joined, "the page from before is kept"


def test_one_server_tried_again_keeps_the_others_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = script.JOINED.read_text(encoding="utf-8")
    monkeypatch.setattr(script, "PAGES", tmp_path)
    assert script.joined(before) == before
    (tmp_path / f"{REDIS.name}.md").write_text(
        f"# {REDIS.title}\n\nScenarios: 1 passed, 2 failed, 3 not supported.\n\n## Failed\n\n- A\n"
    )
    after = script.joined(before)
    assert f"| {REDIS.title} | 1 | 2 | 3 |" in after
    assert "3 not supported.\n\n### Failed\n\n- A\n\n## " in after
    assert len(after.split("\n## ")) == len(before.split("\n## "))
