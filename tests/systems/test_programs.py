"""A system without topics: launched with what its services are, and no Kafka made for it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stackproof.access import Access
from stackproof.errors import Trouble
from stackproof.history import History
from stackproof.processes.run import Run
from stackproof.services import service
from stackproof.services.base import Endpoint
from stackproof.session.places import NamedPlaces
from stackproof.settings import SystemSettings
from stackproof.systems.choosing import Systems
from stackproof.systems.program import Program

PROGRAM = "import os, signal\nprint('ready:', os.environ['URL'], flush=True)\nsignal.pause()\n"


def endpoint(name: str, address: str, **access: Any) -> Endpoint:
    roles = {"redis": "server", "postgresql": "primary", "rabbitmq": "node-1"}
    return Endpoint(name, name, "external", {roles[name]: address}, access=Access(**access))


@pytest.mark.parametrize(
    ("given", "url"),
    [
        (endpoint("redis", "h:1"), "redis://h:1"),
        (endpoint("redis", "h:1/2", password="p@:", tls=True), "rediss://:p%40%3A@h:1/2"),
        (endpoint("rabbitmq", "h:1/v", username="u", password="p"), "amqp://u:p@h:1/v"),
        (endpoint("rabbitmq", "h:1", username="u", tls=True), "amqps://u@h:1"),
    ],
)
def test_where_a_service_is_with_and_without_who_logs_in(given: Endpoint, url: str) -> None:
    found: Any = service(given.service)
    assert found.url(given) == url
    assert found.ready_line(given) == re.sub("//.*@", "//", url)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Any]:
    cleanups: list[Any] = []
    plain = SystemSettings(
        "shop", (sys.executable, "-c", PROGRAM), tmp_path,
        environment={"URL": "{redis_url} of {scenario}"}, ready_line="ready: redis://h:1 of s1",
        ready_within=20.0,
    )  # fmt: skip
    made: dict[str, Any] = {}
    found: Any = SimpleNamespace(
        id="s1", directory=tmp_path, run=Run("r1", tmp_path), history=History("t"),
        add_cleanup=cleanups.append, scaled=lambda seconds: seconds,
    )  # fmt: skip
    found.settings = _Settings(plain)
    places = SimpleNamespace(
        fields=lambda services: {f"{name}_url": f"{name}://h:1" for name in services}
    )
    found.use = lambda kind, *name: (
        places if kind is NamedPlaces else made.setdefault(name, kind(found, *name))
    )
    yield found
    for cleanup in reversed(cleanups):
        cleanup()


class _Settings(dict[str, Any]):
    def __init__(self, system: SystemSettings):
        super().__init__({"run.systems_end": "kill"})
        self.systems = {system.name: system}
        self.system = self.systems.__getitem__


def test_it_is_launched_with_the_fields_of_its_services(session: Any) -> None:
    shop = session.settings.system("shop")
    assert shop.services == ("redis",)
    program = Systems(session).program(shop)
    assert type(program) is Program
    instance = program.instances.start()
    assert instance.alive()
    program.end_one(lambda running: running.crash())
    assert not instance.alive()


def test_what_is_about_topics_says_that_it_has_none(session: Any) -> None:
    with pytest.raises(Trouble, match=r"the shop has no topics\n(?s:.*)uses = \[\"kafka\"\]"):
        Systems(session).named(session.settings.system("shop"))
