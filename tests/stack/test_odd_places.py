"""Our servers start in folders of any name, whatever a person's environment holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stackproof.errors import Trouble
from stackproof.obtain import Cache
from stackproof.processes import reaper
from stackproof.processes.run import RUN_VARIABLE, Run
from stackproof.services import service
from stackproof.services.base import Requirement
from stackproof.stack.docker.provider import DockerProvider
from stackproof.stack.native import NativeProvider
from tests.stack.conftest import posix_only

pytestmark = posix_only

HOSTILE = {
    "JAVA_TOOL_OPTIONS": "-XX:+UseG1GC", "JDK_JAVA_OPTIONS": "-XX:+UseParallelGC -Xms2g",
    "_JAVA_OPTIONS": "-Xmx24m", "CLASSPATH": "/nothing", "KAFKA_OPTS": "-Xmx1m",
    "LOG4J_CONFIGURATION_FILE": "/nothing.xml", "LOG4J_CONFIGURATIONFILE": "/nothing.xml",
    "ERL_FLAGS": "-no_such_flag +nonsense", "ERL_LIBS": "/nothing", "ERL_AFLAGS": "+P 1",
    "RABBITMQ_NODENAME": "other@nowhere.invalid", "RABBITMQ_ENABLED_PLUGINS": "nothing",
    "RABBITMQ_NODE_PORT": "tcp://10.0.0.1:5672", "RABBITMQ_BASE": "/nothing",
    "LC_ALL": "C", "LD_PRELOAD": "/nothing.so",
}  # fmt: skip
PLAIN = "a b,c:d;prüfung+~@=%41"
TAME = PLAIN + "\\s"
NO_PATTERN = "q'uo\"te $HOME `date` !#&|<>{}"
WILD = NO_PATTERN + "*?[x]"


@pytest.fixture
def provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[NativeProvider]:
    place = tmp_path / request.param
    place.mkdir()
    monkeypatch.setenv("STACKPROOF_RUNS", str(place))
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    for name, text in HOSTILE.items():
        monkeypatch.setenv(name, text)
    run = Run.begin()
    try:
        yield NativeProvider(run, place / "logs", Cache(), time_factor=3)
    finally:
        reaper.reap(run)


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("redis", TAME),
        ("redis", NO_PATTERN),
        ("kafka", WILD),
        ("rabbitmq", PLAIN),
        ("postgresql", TAME),
        ("postgresql", WILD),
    ],
    indirect=["provider"],
)
def test_it_starts(provider: NativeProvider, name: str) -> None:
    provider.obtain(service(name), lambda _: None)
    cluster = provider.start(service(name), Requirement(name), f"{name}-1")
    service(name).check(cluster.endpoint, timeout=10)
    cluster.stop()


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("redis", "new\nline"),
        ("redis", "[ab]"),
        ("kafka", "bell\a"),
        ("rabbitmq", "q'uote"),
        ("rabbitmq", "a`b"),
        ("rabbitmq", "a\\b"),
    ],
    indirect=["provider"],
)
def test_a_folder_is_refused_by_its_name_before_anything_starts(
    provider: NativeProvider, name: str
) -> None:
    with pytest.raises(Trouble, match="cannot be kept in the folder") as caught:
        provider.start(service(name), Requirement(name), f"{name}-1")
    assert "STACKPROOF_RUNS" in caught.value.remedy


@pytest.mark.parametrize("provider", ["c:d"], indirect=True)
def test_containers_mount_no_folder_with_a_colon(
    provider: NativeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    containers = DockerProvider(provider._run, tmp_path / "logs", Cache())
    monkeypatch.setattr(containers, "_find", lambda: (None, (), None))
    with pytest.raises(Trouble, match="Kafka in containers cannot be kept in the folder"):
        containers.start(service("kafka"), Requirement("kafka"), "kafka-1")
