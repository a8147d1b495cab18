"""`stackproof doctor`: what it checks, and that it ends with 2 when a run could not start."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from stackproof import services
from stackproof.cli import main
from stackproof.commands import doctor
from stackproof.obtain import Cache
from stackproof.processes.run import RUN_VARIABLE, Run
from stackproof.services import service
from tests.stack.conftest import posix_only

pytestmark = [posix_only, pytest.mark.usefixtures("runs")]


@pytest.fixture(scope="module")
def answers_of_apt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It takes seconds to give one: the same one for all tests."""
    return tmp_path_factory.mktemp("debian")


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers_of_apt: Path) -> Path:
    """A machine with Java, Maven, Go and apt, no settings, and an empty cache."""
    programs = tmp_path / "machine" / "bin"
    programs.mkdir(parents=True)
    for name in ("java", "mvn", "go"):
        (programs / name).write_text("#!/bin/sh\nexit 1\n")
        (programs / name).chmod(0o755)
    for name in ("apt-get", "apt-cache", "apt-config", "dpkg", "dpkg-deb", "dpkg-query"):
        if found := shutil.which(name):  # else the servers that come from there are not checked
            (programs / name).symlink_to(found)
    (tmp_path / "machine" / "release").write_text('JAVA_VERSION="21.0.2"\n')
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("STACKPROOF_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "debian").symlink_to(answers_of_apt)
    monkeypatch.setattr(services, "_known", {})  # what it knows of Java must not last
    for size in ("_ENOUGH_DISK", "_ENOUGH_MEMORY"):
        monkeypatch.setattr(doctor, size, 0)
    for setting in doctor.settings_module.SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)
    monkeypatch.delenv("STACKPROOF_CONFIG", raising=False)
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    return programs


def checks(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What was said about each thing checked, with its verdict in front."""
    lines = re.findall(
        r"^  (ok   |FAIL |lacks) ([^:]+): (.*)$", capsys.readouterr().out, re.MULTILINE
    )
    return {title: f"{verdict.strip()} {said}" for verdict, title, said in lines}


def test_all_is_well(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    found = checks(capsys)
    assert found["Node"].startswith("ok not on the PATH")
    assert found["ports"].startswith("ok 127.0.0.1:")
    assert found["runs"].endswith(": none")
    assert "will be obtained at the first run" in found["server kafka"]
    # Nothing on this machine's PATH unpacks Debian's packages: that is told, and no failure.
    assert {title for title, said in found.items() if not said.startswith("ok")} <= {
        "server postgresql",
        "server rabbitmq",
        "server redis",
    }


def test_without_java(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (machine / "java").unlink()
    assert main(["doctor"]) == 2
    found = checks(capsys)
    assert found["server kafka"] == "FAIL no Java was found"
    assert found["server redis"].startswith("ok")  # the other checks go on


def test_without_maven(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (machine / "mvn").unlink()
    assert main(["doctor"]) == 2
    assert checks(capsys)["server kafka"] == "FAIL `mvn` is not on the PATH"
    assert main(["doctor", "redis"]) == 0  # it takes no jars


def test_without_go(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (machine / "go").unlink()
    assert main(["doctor"]) == 2
    found = checks(capsys)
    assert found["server mailpit"].startswith("FAIL it is built with Go, and `go` is not on")
    assert found["server kafka"].startswith("ok")
    place = Cache().path(service("mailpit").artifacts()[0])
    place.mkdir(parents=True)
    (place / ".manifest.json").write_text("{}")
    assert main(["doctor", "mailpit"]) == 0  # what is built needs no Go


def test_without_network_namespaces(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor.namespaces, "refused", lambda: "Operation not permitted")
    assert main(["doctor", "milvus"]) == 2
    assert "is not permitted here: Operation not permitted" in checks(capsys)["server milvus"]


def test_maven_is_not_needed_for_what_is_there(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (machine / "mvn").unlink()
    jars = Cache().path(service("kafka").artifacts()[0])
    jars.mkdir(parents=True)
    (jars / ".manifest.json").write_text("{}")
    assert main(["doctor", "kafka"]) == 0
    found = checks(capsys)
    assert "Apache Kafka 4.3.1 whole" in found["server kafka"]


def test_damage_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    jars = Cache().path(service("kafka").artifacts()[0])
    jars.mkdir(parents=True)
    assert main(["doctor"]) == 0  # it mends itself
    said = checks(capsys)["server kafka"]
    assert "is damaged (it was never completed) and will be obtained anew" in said


@pytest.mark.parametrize("size", ["_ENOUGH_DISK", "_ENOUGH_MEMORY"])
def test_too_small(
    size: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, size, 2**60)
    assert main(["doctor"]) == 2
    said = checks(capsys)["disk" if size == "_ENOUGH_DISK" else "memory"]
    assert re.match(r"FAIL only \d+ MiB are free", said)


def test_a_disk_that_cannot_be_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(place: Path) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "disk_usage", fails)
    assert main(["doctor"]) == 2
    assert "Permission denied" in checks(capsys)["disk"]


def test_runs_left_behind_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    living, dead = Run.begin(), Run.begin()
    monkeypatch.delenv(RUN_VARIABLE)
    dead.end()
    dead.write_state(owner_birth="another", owner_started=0.0)
    assert main(["doctor"]) == 0
    assert checks(capsys)["runs"].endswith(f": {dead.id}")
    living.end()


def test_settings_with_their_origins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "project" / "stackproof.toml"
    file.write_text("[run]\nseed = 5\n[systems.orders]\ncommand = ['p']\nready_line = 'x'\n")
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert f"settings (file: {file})" in out
    assert f"run.seed = 5  [{file}]" in out
    assert "run.log_level = 'DEBUG'  [environment LOG_LEVEL]" in out
    assert "run.scenario_timeout = 60.0  [default]" in out
    assert "systems under test: orders" in out


def test_how_nodes_can_be_broken_without_doing_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "project" / "stackproof.toml").write_text(
        '[services.kafka.nodes.broker-2]\naddress = "b2:9092"\n'
        'kill = ["./touch", "killed", "--password=hush"]\nstart = ["no-such-program"]\n'
        'pause = ["touch", "paused"]\n'
    )
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for line in (
        "[services.kafka.nodes.broker-2]  b2:9092",
        "stop: not supported, there is no command",
        "kill: ./touch killed --password=*****  [60 s]\n",
        "start: no-such-program  [60 s]  (FAILS: no-such-program is not on the PATH)",
        "pause: touch paused  [60 s]  (not used: there is no resume to undo it)",
    ):
        assert line in out
    assert not list(tmp_path.rglob("killed"))


def test_settings_that_are_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "project" / "stackproof.toml").write_text("[run]\nsede = 5\n")
    assert main(["doctor"]) == 2
    assert "'run.sede' is no setting" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        ("order", '"minimum"', '"minimun"', "did you mean 'minimum'"),
        ("order", '"enum": [', '"format": "iso", "enum": [', "format that cannot be checked"),
        ("order", '"orderId": {', '"orderId": {"pattern": "^x$", ', "no valid input can be made"),
        ("rating", "draft/2020-12", "draft/2099-12", "draft that is not known"),
        ("rating", '"x-identity": "/order/id",', "", "does not say its x-identity"),
        ("rating", '"/order/placedAt": "placedAt"', '"/order/placedAt": "at"', "is in no input"),
        ("dead_letter", '"x-original": "original",', "", "does not say its x-original"),
    ],
)
def test_contracts_are_loaded_as_a_run_would(
    machine: Path, capsys: pytest.CaptureFixture[str], file: str, before: str, after: str, said: str
) -> None:
    assert main(["init", "."]) == 0
    assert main(["doctor"]) == 0
    fine = checks(capsys)["contracts of order-rater"]
    assert fine.startswith("ok input order.schema.json, output rating.schema.json")
    contract = Path("contracts") / f"{file}.schema.json"
    text = contract.read_text()
    assert before in text
    contract.write_text(text.replace(before, after))
    assert main(["doctor"]) == 2
    printed = capsys.readouterr().out
    assert "FAIL  contracts of order-rater: " in printed
    assert said in printed
    assert ".schema.json" in printed
