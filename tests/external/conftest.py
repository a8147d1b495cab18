"""Somebody's broker, one for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stackproof.access import Access
from stackproof.processes.run import RUN_VARIABLE
from stackproof.services.base import Endpoint
from tests.external.broker import USER, SecuredBroker, secured_broker


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "kafka: starts a real Apache Kafka")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    with secured_broker(tmp_path_factory.mktemp("somebodys")) as broker:
        yield broker


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of all runs of this test."""
    monkeypatch.setenv("STACKPROOF_RUNS", str(tmp_path))
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    return tmp_path


def access_by(broker: SecuredBroker, mechanism: str, **other: object) -> Access:
    """As the suite's user, encrypted."""
    access = {"tls": True, "ca_file": str(broker.authority.file), "sasl_mechanism": mechanism,
              "username": USER, "password": broker.password, **other}  # fmt: skip
    return Access(**access)  # type: ignore[arg-type]


def mutual(broker: SecuredBroker) -> Access:
    """By the client's certificate."""
    return Access(
        tls=True,
        ca_file=str(broker.authority.file),
        certificate_file=str(broker.client.certificate),
        key_file=str(broker.client.key),
        key_password=broker.key_password,
    )


def endpoint_at(broker: SecuredBroker, listener: str, access: Access) -> Endpoint:
    """Somebody's endpoint as the external provider would describe it."""
    return Endpoint("kafka", "kafka-1", "external", {"bootstrap": broker.addresses[listener]},
                    access=access, destructive=False)  # fmt: skip
