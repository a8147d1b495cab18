"""Named places of every service have what the vocabulary and systems ask of them."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import pytest

from stackproof.services import service_names
from stackproof.services.places import Places

WITH_PLACES = [
    name for name in service_names() if find_spec(f"stackproof.services.{name}.places") is not None
]


@pytest.mark.parametrize("service", WITH_PLACES)
def test_each_has_all_of_the_protocol(service: str) -> None:
    made = import_module(f"stackproof.services.{service}.places").PLACES
    asked = {name for name in vars(Places) if not name.startswith("_")} | {"noun"}
    assert {name for name in asked if not hasattr(made, name)} == set()


def test_services_with_places_are_found() -> None:
    assert {"kafka", "redis", "rabbitmq", "postgresql", "s3", "etcd"} <= set(WITH_PLACES)
