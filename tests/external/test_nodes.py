"""Endpoints whose nodes may be broken: their addresses, and what they must be like."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackproof.errors import NotSupported, Refused, Trouble
from stackproof.processes.run import Run
from stackproof.services import service
from stackproof.services.base import Endpoint, Requirement
from stackproof.settings import load
from stackproof.stack.external import ExternalProvider, external_endpoint

PRIMARY = '[services.postgresql]\nprovider = "external"\nhost = "db1"\ndatabase = "orders"\n'
NODE = "[services.postgresql.nodes.{}]\n"
REPLICA = f'{NODE.format("replica-1")}address = "db2:5433"\n'
KAFKA = '[services.kafka]\nprovider = "external"\nbootstrap_servers = "k1:9092,k2:9092"\n'


def endpoint(directory: Path, name: str, toml: str) -> Endpoint:
    (directory / "stackproof.toml").write_text(toml)
    settings = load(directory, environment={})
    nodes = settings.service(name).nodes
    return external_endpoint(settings, service(name), f"{name}-1", {}, nodes)


def test_the_first_node_is_at_the_endpoint_unless_it_says_another(tmp_path: Path) -> None:
    toml = PRIMARY + NODE.format("primary") + REPLICA
    found = endpoint(tmp_path, "postgresql", toml)
    assert found.addresses == {"primary": "db1:5432/orders", "replica-1": "db2:5433/orders"}
    assert list(found.instances) == ["postgresql-1-primary", "postgresql-1-replica-1"]
    assert not found.ours


def test_who_may_not_be_broken_is_reached_nevertheless(tmp_path: Path) -> None:
    found = endpoint(tmp_path, "postgresql", PRIMARY + REPLICA)
    assert found.addresses == {"primary": "db1:5432/orders", "replica-1": "db2:5433/orders"}
    assert list(found.instances) == ["postgresql-1-replica-1"]


def test_brokers_stand_for_the_list_of_some_of_them(tmp_path: Path) -> None:
    nodes = "".join(
        f'[services.kafka.nodes.broker-{n}]\naddress = "k{n}:9092"\n' for n in (0, 1, 2)
    )
    found = endpoint(tmp_path, "kafka", KAFKA + nodes)
    assert found.addresses == {f"broker-{n}": f"k{n}:9092" for n in (0, 1, 2)}


@pytest.mark.parametrize(
    ("name", "toml", "told"),
    [
        ("postgresql", PRIMARY + NODE.format("replica-1"), "replica-1] has no address"),
        ("kafka", f"{KAFKA}[services.kafka.nodes.broker-1]\n", "broker-1] has no address"),
        ("kafka", f'{KAFKA}[services.kafka.nodes.broker-1]\naddress = "k1"\n', "'k1'"),
    ],
)
def test_an_address_must_be_known(tmp_path: Path, name: str, toml: str, told: str) -> None:
    with pytest.raises(Trouble) as caught:
        endpoint(tmp_path, name, toml)
    assert told in str(caught.value)


def start(directory: Path, toml: str, **options: object) -> None:
    """Start it for a scenario that breaks it; nothing is connected before that is allowed."""
    (directory / "stackproof.toml").write_text(toml)
    provider = ExternalProvider(Run("r00000001", directory), load(directory, environment={}))
    needed = Requirement("postgresql", tuple(sorted(options.items())), dedicated=True)
    provider.start(service("postgresql"), needed, "postgresql-1")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"replicas": 2}, "it asks for primary, replica-1, replica-2; of primary, replica-1 it is"),
        ({"replicas": 0, "proxied": True}, "asks for proxied = True"),
        ({"replicas": 1, "disk_mb": 96}, "asks for disk_mb = 96"),
        ({"synchronous": 1}, "asks for synchronous = 1"),
    ],
)
def test_what_it_is_not_is_not_supported(
    tmp_path: Path, options: dict[str, object], told: str
) -> None:
    with pytest.raises(NotSupported) as caught:
        start(tmp_path, PRIMARY + NODE.format("primary") + REPLICA, **options)
    assert told in str(caught.value)


@pytest.mark.parametrize("options", [{"replicas": 1}, {}])
def test_all_addresses_must_be_allowed(tmp_path: Path, options: dict[str, object]) -> None:
    for allowed in ('allow_destructive = ["db1:5432"]\n', ""):
        with pytest.raises(Refused) as caught:
            start(tmp_path, PRIMARY + allowed + NODE.format("primary") + REPLICA, **options)
        # As it must be written, so without the database.
        assert 'allow_destructive = ["db1:5432", "db2:5433"]' in str(caught.value)
