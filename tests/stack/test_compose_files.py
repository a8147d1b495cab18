"""The Compose files, as Compose itself reads them; no engine is needed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from stackproof.errors import NotSupported, Trouble
from stackproof.obtain import Cache
from stackproof.services import service, service_names
from stackproof.services.nodes import Service
from stackproof.services.postgresql.managed import IMAGE as PATRONI_IMAGE
from stackproof.services.where import InContainers
from stackproof.stack.docker.building import recipes
from stackproof.stack.docker.compose import find_compose
from stackproof.stack.docker.rendering import compose_text
from stackproof.stack.site import LocalSite
from tests.stack.conftest import ROOT

COMPOSE = ROOT / "compose"
#: Nodes of those files that are not a service's usual cluster.
OTHERS = {"kafka-three": ["broker-1", "broker-2", "broker-3"], "redpanda": ["broker-1"]}
FILES = sorted(file.stem for file in COMPOSE.glob("*.yml"))


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


@pytest.mark.parametrize("name", FILES)
def test_a_file_keeps_the_rules(name: str) -> None:
    project = read(name, {"STACKPROOF_RUN": "r12345678"})
    assert sorted(project["services"]) == OTHERS.get(name, sorted(project["services"]))
    for each in project["services"].values():
        assert each["labels"]["stackproof.run"] == "r12345678"
        if each.get("network_mode") == "host":
            listens = [word for word in each["entrypoint"] if "listen-address=" in word]
            assert all(word.endswith("=") or "=127.0.0.1:" in word for word in listens) and listens
        else:
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
    networks = project.get("networks", {}).values()
    on_host = all(each.get("network_mode") == "host" for each in project["services"].values())
    assert [n["labels"]["stackproof.run"] for n in networks] in (
        ["r12345678"], [] if on_host else None
    )  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_works_alone(name: str) -> None:
    project = read(name, {})
    assert project["name"] == f"stackproof-{name}"
    for each in project["services"].values():
        for mount in each.get("volumes", []):
            if mount["type"] == "bind":
                assert Path(mount["source"]).is_dir(), mount


def test_the_images_are_those_of_the_services() -> None:
    for name in service_names():
        defaults = {each["image"] for each in read(name, {})["services"].values()}
        assert defaults == {image.official for image in service(name).images()}
        for image in service(name).images():
            named = read(name, {image.variable: "some/image:1"})["services"].values()
            assert {each["image"] for each in named} == {"some/image:1"}


def test_what_make_images_builds_is_what_the_services_look_for() -> None:
    built = {recipe.name: recipe.tag for recipe in recipes()}
    of_options = {"postgresql-patroni": PATRONI_IMAGE.local}
    assert built == of_options | {name: service(name).images()[0].local for name in service_names()}


def test_redpanda_has_what_was_promised() -> None:
    (broker,) = read("redpanda", {})["services"].values()
    assert broker["image"] == "redpandadata/redpanda:v24.2.4"
    assert "--memory=512M" in broker["entrypoint"]
    assert [place.partition(":")[0] for place in broker["tmpfs"]] == ["/var/lib/redpanda/data"]


def test_brokers_tell_clients_the_port_that_was_chosen() -> None:
    """Clients go where brokers send them: a port that people choose must be advertised, too."""
    project = read("kafka-three", {"KAFKA_BROKER_2_CLIENT": "19092"})
    for name, port in {"broker-1": "9092", "broker-2": "19092", "broker-3": "9094"}.items():
        assert [p["published"] for p in project["services"][name]["ports"]] == [port]
        properties = project["configs"][f"{name}-server.properties"]["content"]
        assert f"PLAINTEXT://127.0.0.1:{port},BETWEEN://{name}:19092\n" in properties


def site(tmp_path: Path, **options: Any) -> LocalSite:
    kafka = service("kafka")
    return LocalSite("kafka-1", tmp_path, {**kafka.default_options(), **options}, Cache(tmp_path))


def test_kafkas_containers_get_what_the_site_has(tmp_path: Path) -> None:
    kafka = service("kafka")
    assert isinstance(kafka, Service)
    place = site(tmp_path, brokers=3, config=(("num.partitions", "7"),), heap_mb=200)
    composition = kafka.compose(place)
    assert composition.instances == {f"kafka-1-broker-{n}": f"broker-{n}" for n in (1, 2, 3)}
    text = compose_text(kafka, composition.nodes, InContainers(kafka, place.options, place))
    project = yaml.safe_load(text)
    for name, address in kafka.addresses(place).items():
        made = project["services"][name]
        assert made["mem_limit"] == "328m"
        assert made["ports"] == [f"{address}:9092"]
        properties = project["configs"][f"{name}-server.properties"]["content"]
        assert f"PLAINTEXT://{address},BETWEEN://{name}:19092\n" in properties
        assert "num.partitions=7\n" in properties


def test_what_kafkas_containers_cannot_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_FLAVOUR", "redpanda")
    with pytest.raises(NotSupported, match="Redpanda runs as one broker"):
        service("kafka").compose(site(tmp_path, brokers=3))
    monkeypatch.setenv("KAFKA_FLAVOUR", "rabbit")
    with pytest.raises(Trouble, match="KAFKA_FLAVOUR cannot be 'rabbit'"):
        service("kafka").compose(site(tmp_path))


def test_what_changes_while_a_node_runs_is_mounted(tmp_path: Path) -> None:
    kind = service("alertmanager")
    assert isinstance(kind, Service)
    place = LocalSite("alertmanager-1", tmp_path, kind.default_options(), Cache(tmp_path))
    composition = kind.compose(place)
    shared = tmp_path / "shared" / "server"
    assert composition.shared == {"server": shared}
    assert (shared / "alertmanager.yml").stat().st_mode & 0o044 == 0o044  # another user reads it
    assert kind.others(place) == {"server directory": str(shared)}
    where = InContainers(kind, place.options, place)
    mounted = {"server": ["/alertmanager", f"{shared}:/etc/stackproof-shared:ro"]}
    project = yaml.safe_load(compose_text(kind, composition.nodes, where, volumes=mounted))
    (made,) = project["services"].values()
    assert made["volumes"] == mounted["server"]
    assert made["network_mode"] == "host"
    assert "ports" not in made
    assert "configs" not in made  # it would hide what is mounted
    address = kind.addresses(place)["server"]
    assert f"--web.listen-address={address}" in made["entrypoint"]
    assert address.startswith("127.0.0.1:")
