"""The Compose files, as Compose itself reads them; no engine is needed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from stackproof.errors import NotSupported, Trouble
from stackproof.obtain import Cache
from stackproof.services import service, service_names
from stackproof.services.kafka import containers
from stackproof.stack.docker.building import recipes
from stackproof.stack.docker.compose import compose_file, find_compose
from stackproof.stack.site import LocalSite
from tests.stack.conftest import ROOT

COMPOSE = ROOT / "compose"
VARIANTS = [
    ("kafka", {}, ["kafka-1"]),
    ("kafka", {"COMPOSE_PROFILES": "three"}, ["kafka-1", "kafka-2", "kafka-3"]),
    ("kafka", {"KAFKA_FLAVOUR": "redpanda"}, ["kafka-1"]),
    *((file.stem, {}, None) for file in sorted(COMPOSE.glob("*.yml")) if file.stem != "kafka"),
]


def no_compose() -> str:
    try:
        find_compose()
    except Trouble as trouble:
        return trouble.what
    return ""


def read(name: str, variables: dict[str, str]) -> dict[str, Any]:
    """A Compose file with all its variables filled in."""
    if reason := no_compose():
        pytest.skip(reason)
    plain = ("KAFKA_", "REDIS_", "RABBITMQ_", "REDPANDA_", "COMPOSE_", "STACKPROOF_")
    env = {k: v for k, v in os.environ.items() if not k.startswith(plain)}
    done = subprocess.run(
        [*find_compose()[0], "-f", str(COMPOSE / f"{name}.yml"), "config", "--format", "json"],
        env={**env, **variables}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "variable is not set" not in done.stderr  # each has a default
    return json.loads(done.stdout)


@pytest.mark.parametrize(("name", "variables", "expected"), VARIANTS)
def test_a_file_keeps_the_rules(
    name: str, variables: dict[str, str], expected: list[str] | None
) -> None:
    project = read(name, {**variables, "STACKPROOF_RUN": "r12345678"})
    assert expected is None or sorted(project["services"]) == expected
    for each in project["services"].values():
        assert each["labels"]["stackproof.run"] == "r12345678"
        assert {port["host_ip"] for port in each["ports"]} == {"127.0.0.1"}
        assert each["healthcheck"]["test"]
        assert int(each["mem_limit"]) > 0
        assert float(each["cpus"]) > 0
        assert each["logging"]["driver"] == "json-file"
        # Nothing with a name, which would outlive its container.
        volumes = [v for v in each.get("volumes", []) if v["type"] == "volume"]
        assert all("source" not in volume for volume in volumes)
        mounts = [v for v in each.get("volumes", []) if v["type"] == "bind"]
        assert all(mount["read_only"] for mount in mounts)
    assert "volumes" not in project
    assert [n["labels"]["stackproof.run"] for n in project["networks"].values()] == ["r12345678"]


@pytest.mark.parametrize(("name", "variables", "expected"), VARIANTS)
def test_a_file_works_alone(
    name: str, variables: dict[str, str], expected: list[str] | None
) -> None:
    project = read(name, variables)
    assert project["name"] == f"stackproof-{name}"
    for each in project["services"].values():
        for mount in each.get("volumes", []):
            if mount["type"] == "bind":
                assert Path(mount["source"]).is_dir(), mount
        if each["image"].startswith("apache"):
            assert (Path(each["volumes"][0]["source"]) / "kafka-1.properties").is_file()


def test_the_images_are_those_of_the_services() -> None:
    for name in service_names():
        assert compose_file(name).is_file()
        defaults = {each["image"] for each in read(name, {})["services"].values()}
        assert defaults == {image.official for image in service(name).images()}
        for image in service(name).images():
            named = read(name, {image.variable: "some/image:1"})["services"].values()
            assert {each["image"] for each in named} == {"some/image:1"}


def test_what_make_images_builds_is_what_the_services_look_for() -> None:
    built = {recipe.name: recipe.tag for recipe in recipes()}
    assert built == {name: service(name).images()[0].local for name in service_names()}


def test_redpanda_has_what_was_promised() -> None:
    (broker,) = read("kafka", {"KAFKA_FLAVOUR": "redpanda"})["services"].values()
    assert broker["image"] == "redpandadata/redpanda:v24.2.4"
    assert "--memory=512M" in broker["command"]
    assert [place.partition(":")[0] for place in broker["tmpfs"]] == ["/var/lib/redpanda/data"]


@pytest.mark.parametrize(
    ("variant", "ports"), [("one", {1: 9092}), ("three", {1: 9092, 2: 9093, 3: 9094})]
)
def test_kafkas_defaults_are_the_suites_own_settings(
    variant: str, ports: dict[int, int], tmp_path: Path
) -> None:
    containers.write_configuration(tmp_path / variant, ports, {})
    fresh = {file.name: file.read_text() for file in (tmp_path / variant).iterdir()}
    committed = {f.name: f.read_text() for f in (COMPOSE / "kafka" / variant).iterdir()}
    assert committed == fresh, (
        "write them anew: containers.write_configuration(Path('compose/kafka/"
        f"{variant}'), {ports}, {{}})"
    )


def site(tmp_path: Path, **options: Any) -> LocalSite:
    kafka = service("kafka")
    return LocalSite("kafka-1", tmp_path, {**kafka.default_options(), **options}, Cache(tmp_path))


def test_kafkas_containers_get_what_the_site_has(tmp_path: Path) -> None:
    place = site(tmp_path, brokers=3, config=(("num.partitions", "7"),), heap_mb=200)
    composition = service("kafka").compose(place)
    assert composition.instances == {f"kafka-1-{n}": f"kafka-{n}" for n in (1, 2, 3)}
    assert composition.profiles == ("three",)
    assert composition.environment["KAFKA_MEMORY"] == "328m"
    addresses = service("kafka").addresses(place)["bootstrap"].split(",")
    for number, address in enumerate(addresses, start=1):
        text = (tmp_path / "config" / f"kafka-{number}.properties").read_text()
        assert f"PLAINTEXT://{address},BETWEEN://kafka-{number}:" in text
        assert "num.partitions=7\n" in text
        assert composition.environment[f"KAFKA_PORT_{number}"] == address.rpartition(":")[2]
    assert (tmp_path / "config").stat().st_mode & 0o777 == 0o755  # the container's user reads it


def test_what_kafkas_containers_cannot_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotSupported, match="2 Kafka brokers in containers are not possible"):
        service("kafka").compose(site(tmp_path, brokers=2))
    monkeypatch.setenv("KAFKA_FLAVOUR", "redpanda")
    with pytest.raises(NotSupported, match="Redpanda runs as one broker"):
        service("kafka").compose(site(tmp_path, brokers=3))
    monkeypatch.setenv("KAFKA_FLAVOUR", "rabbit")
    with pytest.raises(Trouble, match="KAFKA_FLAVOUR cannot be 'rabbit'"):
        service("kafka").compose(site(tmp_path))
