"""A real broker, as the suite itself starts it natively."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from stackproof.services.base import Endpoint, Requirement
from stackproof.services.kafka import Kafka
from stackproof.services.kafka.client import KafkaAdmin, TopicSpec
from stackproof.services.kafka.client.connection import connection
from tests.native import native

_NUMBERS = count()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "kafka: starts a real Apache Kafka")


@dataclass
class Broker:
    """One broker; topics with names of their own are made on demand."""

    endpoint: Endpoint
    connection: dict[str, Any]
    admin: KafkaAdmin

    def topic(self, partitions: int = 1) -> str:
        name = f"topic-{next(_NUMBERS)}"
        self.admin.create([TopicSpec(name, partitions)], within=30)
        return name


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    place = tmp_path_factory.mktemp("kafka")
    kafka = Kafka()
    with native(place, time_factor=2) as provider:
        provider.obtain(kafka, lambda _: None)
        endpoint = provider.start(kafka, Requirement("kafka"), "kafka-1").endpoint
        how = connection(endpoint.addresses, endpoint.access)
        admin = KafkaAdmin(endpoint.addresses, endpoint.access)
        yield Broker(endpoint, how, admin)
        admin.close()


@pytest.fixture
def closing() -> Iterator[Callable[[Any], Any]]:
    """Closes what it is given, at the end."""
    opened: list[Any] = []

    def keep(client: Any) -> Any:
        opened.append(client)
        return client

    yield keep
    for client in reversed(opened):
        client.close()
