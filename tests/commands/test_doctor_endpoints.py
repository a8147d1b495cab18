"""What the doctor says of services and their endpoints; secrets are never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackproof.commands.doctor import doctor
from stackproof.ports import free_port

SECRETS = ("sword+fish-4", "sword+fish-5")
TOML = """
[services.kafka]
provider = "external"
bootstrap_servers = "127.0.0.1:9092"
username = "qa"
allow_destructive = ["127.0.0.1:9092"]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("STACK", "KAFKA_BOOTSTRAP_SERVERS", "STACKPROOF_CONFIG"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stackproof.commands.doctor._checks", dict)
    (tmp_path / "stackproof.toml").write_text(TOML)
    return tmp_path


def test_each_setting_with_its_origin(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "broker.staging:9092")
    monkeypatch.setenv("KAFKA_PASSWORD", SECRETS[0])
    monkeypatch.setenv("REDIS_URL", f"redis://qa:{SECRETS[1]}@cache:6379/2")
    assert doctor() == 0
    printed = capsys.readouterr().out
    file = project / "stackproof.toml"
    for line in (
        f"kafka: external  [[services.kafka] in {file}]",
        "redis: auto  [default]",
        "bootstrap_servers = broker.staging:9092  [environment KAFKA_BOOTSTRAP_SERVERS]",
        f"username = qa  [{file}]",
        "password = *****  [environment KAFKA_PASSWORD]",
        "url = *****  [environment REDIS_URL]",
        "allow_destructive = 127.0.0.1:9092",
    ):
        assert f" {line}\n" in printed, printed
    assert not any(secret in printed for secret in SECRETS)


def test_endpoints_are_tried_only_when_asked(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("KAFKA_PASSWORD", SECRETS[0])
    assert doctor() == 0
    assert "nobody listens" not in capsys.readouterr().out
    assert doctor(endpoints=True) == 2
    printed = capsys.readouterr().out
    assert "FAIL  endpoint kafka: the external Kafka cannot be used: nobody listens" in printed
    assert "endpoint redis" not in printed, "it is not external"
    assert SECRETS[0] not in printed


def test_a_wrong_setting_is_told(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert doctor(endpoints=True) == 2
    assert "services.kafka.password is missing" in capsys.readouterr().out
