"""A service for tests: a server of forty lines instead of a broker."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any

from stackproof.obtain import Artifact
from stackproof.services.base import Endpoint, ProcessSpec, Requirement, Site
from tests.stack.conftest import PROGRAMS, PYTHON


class NotYetError(Exception):
    """It answers, but does not want to."""


class Tiny:
    """The service; options are those of `programs/tiny_server.py`."""

    name = "tiny"
    title = "Tiny"

    def __init__(self, start_within: float = 30.0) -> None:
        self.start_within = start_within
        self.checks: list[float] = []
        self.laid_out: list[Site] = []
        self.needed: Sequence[Artifact] = ()

    def default_options(self) -> dict[str, Any]:
        return {"servers": 1, "not_before": 1, "die": "", "clash": "", "child": "", "program": ""}

    def memory_mb(self, options: Mapping[str, Any]) -> int:
        return 10 * options["servers"]

    def artifacts(self) -> Sequence[Artifact]:
        return self.needed

    def lay_out(self, site: Site) -> list[ProcessSpec]:
        self.laid_out.append(site)
        specs = []
        for number in range(1, site.options["servers"] + 1):
            name = f"{site.cluster}-{number}"
            place = site.directory / name
            place.mkdir(parents=True)
            argv = [*PYTHON, str(PROGRAMS / "tiny_server.py"), str(site.port(name)), str(place)]
            for option in ("not_before", "die", "clash", "child"):
                argv.append(f"--{option.replace('_', '-')}={site.options[option]}")
            if site.options["program"]:
                argv[0] = site.options["program"]
            specs.append(ProcessSpec(name, argv, place))
        return specs

    def addresses(self, site: Site) -> dict[str, str]:
        numbers = range(1, site.options["servers"] + 1)
        return {str(n): f"127.0.0.1:{site.port(f'{site.cluster}-{n}')}" for n in numbers}

    def check(self, endpoint: Endpoint, *, timeout: float) -> None:
        self.checks.append(timeout)
        for address in endpoint.addresses.values():
            if (answer := ask(address, timeout)) != "ok":
                raise NotYetError(f"it says {answer!r}")

    @property
    def unready(self) -> tuple[type[BaseException], ...]:
        return (NotYetError, OSError)

    def ready_line(self, endpoint: Endpoint) -> str:
        return ", ".join(endpoint.addresses.values())


def ask(address: str, timeout: float = 10.0) -> str:
    """What the server at ``address`` answers."""
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=timeout) as connection:
        return connection.recv(10).decode()


def need(**options: Any) -> Requirement:
    """A requirement of the service."""
    return Requirement("tiny", tuple(sorted(options.items())))
