"""What the doctor, a run and a clean-up say of Redis servers that are not ours."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

from stackproof.commands.doctor import doctor
from stackproof.errors import NotSupported, Trouble
from stackproof.services import service
from stackproof.services.base import Endpoint
from stackproof.stack.external import asked
from tests.stores.conftest import StartRedis

ROOT = Path(__file__).parents[2]


def client_of(address: str, **options: object) -> Redis:
    host, port = address.split(":")
    return Redis(host, int(port), **options)  # type: ignore[arg-type]


def told(address: str, capsys: pytest.CaptureFixture) -> str:
    """The doctor's line of the endpoint and what belongs to it."""
    text = capsys.readouterr().out
    assert "\nsettings (file" in text, "the doctor went on to its end"
    return text[text.index("endpoint redis") :].partition("\nsettings")[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--rename-command", "GETDEL", ""), ""),
        (("--rename-command", "UNLINK", "", "--rename-command", "INFO", ""), ""),
        (("--rename-command", "SET", ""), "does not offer .*\n.*unknown command 'SET'"),
        (("--rename-command", "DEL", "hidden"), "does not offer .*\n.*unknown command 'DEL'"),
        (("--replicaof", "127.0.0.1 9"), "is a replica, and takes no writes"),
        (("--maxmemory", "1"), "has no memory left for data\n.*maxmemory"),
        (("--min-replicas-to-write", "1"), "too few replicas\n.*NOREPLICAS"),
        (("--requirepass", "secret"), "does not let the suite in"),
        (("--cluster-enabled", "yes"), "is part of a Redis Cluster, which the suite does not supp"),
        (("--cluster-enabled", "yes", "--rename-command", "HELLO", ""), "part of a Redis Cluster"),
        (("--cluster-enabled", "yes", "--rename-command", "HELLO", "", "--rename-command", "INFO",
          ""), "is part of a Redis Cluster"),
        (("--databases", "1"), ""),
    ],
    ids=lambda given: " ".join(given)[:40] if isinstance(given, tuple) else "",
)  # fmt: skip
def test_what_a_server_refuses_is_told(
    redis_server: StartRedis, arguments: tuple[str, ...], says: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    address = redis_server(*arguments)
    monkeypatch.setenv("STACK", "external")
    monkeypatch.setenv("REDIS_URL", f"redis://{address}")
    code = doctor(["redis"], endpoints=True)
    line = told(address, capsys)
    if not says:
        assert code == 0 and "answers" in line, line
        return
    assert code == 2
    assert re.search(says, line), line


def verdicts(address: str, place: Path, *chosen: str, user: str = "") -> dict[str, str]:
    """How the scenarios of a run on this server ended, by name."""
    names = [word for name in chosen for word in ("--name", name)]
    done = subprocess.run(
        [sys.executable, "-m", "stackproof", "run", "features/cache", *names, "--no-report",
         "--tags", "not @performance", "--reports", str(place / "reports"),
         "--stack", "external"],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
        env={**os.environ, "REDIS_URL": f"redis://{user}{address}", "STACKPROOF_RUNS": str(place),
             "STACKPROOF_PREFIX": "qa"},
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr
    results = json.loads((place / "reports" / "results.json").read_text())
    return {scenario["name"]: scenario["verdict"] for scenario in results["scenarios"]}


LAST, BATCH = "last value that was set", "written in one batch"


@pytest.mark.parametrize(
    ("arguments", "user"),
    [
        (("--rename-command", "MSET", ""), ""),
        (("--rename-command", "MSET", "x", "--rename-command", "SCAN", ""), ""),
        (("--user", *["qa", "on", ">pw", "~qa-*", "+@all", "-mset"]), "qa:pw@"),
    ],
)
def test_a_command_that_is_missing_keeps_its_scenario_from_running_and_no_other(
    redis_server: StartRedis, tmp_path: Path, arguments: tuple[str, ...], user: str
) -> None:
    found = verdicts(redis_server(*arguments), tmp_path, LAST, BATCH, user=user)
    assert list(found.values()) == ["passed", "not supported"], found


def test_the_rights_in_the_documentation_are_enough(
    redis_server: StartRedis, tmp_path: Path
) -> None:
    documented = re.search(r"`(~stackproof-[^`]*)`", (ROOT / "docs/endpoints.md").read_text())
    assert documented
    rights = documented[1].replace("stackproof-", "qa-")
    address = redis_server("--user", *f"qa on >pw {rights}".split())
    found = verdicts(address, tmp_path, user="qa:pw@")
    assert len(found) > 15 and set(found.values()) <= {"passed"}, found
    assert not client_of(address).keys()


def test_what_cannot_be_cleaned_is_told(redis_server: StartRedis) -> None:
    address = redis_server("--rename-command", "SCAN", "")
    endpoint = Endpoint("redis", "e", "external", {"server": address})
    with pytest.raises(NotSupported, match="unknown command 'SCAN'"), asked(
        service("redis"), endpoint
    ):  # fmt: skip
        service("redis").leftovers(endpoint, "qa-")  # type: ignore[attr-defined]


def test_what_a_client_makes_of_an_answer_is_told_too(redis_server: StartRedis) -> None:
    endpoint = Endpoint("redis", "e", "external", {"server": "127.0.0.1:1"})
    with pytest.raises(Trouble, match=r"does not understand\n.*KeyError: 'is_fenced'"), asked(
        service("redis"), endpoint
    ):  # fmt: skip
        raise KeyError("is_fenced")
