"""Servers around Prometheus: one program that tells of itself in metrics."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import ClassVar

from stackproof.errors import NotSupported, Trouble
from stackproof.obtain import DebianArtifact
from stackproof.services.base import Endpoint, Image
from stackproof.services.location import Location
from stackproof.services.nodes import Service
from stackproof.services.web import Web
from stackproof.services.where import Where
from stackproof.urls import host_and_port

SERVER = "server"
_LOOPBACK = "127.0.0.1"


class Exporting(Service):
    """A service of one server. Asked for ``/metrics``, it says how it was built.

    Attributes:
        program: as its makers call it.
    """

    program: ClassVar[str]
    files_suffice = True
    hello = b"GET /-/healthy HTTP/1.0\r\n\r\n"

    def called(self, where: Where) -> str:
        """The program's name, which is another one in Debian."""
        return where.program(
            package_of(self.program) if where.obtained(self.server) else self.program
        )

    def listening(self, where: Where) -> str:
        """The option that says where it listens."""
        address, port = where.listen(SERVER)
        return (
            f"--web.listen-address={host_and_port('0.0.0.0' if address == '*' else address, port)}"
        )

    def health(self, where: Where, path: str = "/-/ready") -> Sequence[str]:
        """A command for its container."""
        return ("wget", "-q", "-O-", f"http://{_LOOPBACK}:{where.listen(SERVER)[1]}{path}")

    @property
    def unready(self) -> tuple[type[BaseException], ...]:
        """Refused connections, time-outs, HTTP errors."""
        return (OSError,)

    def version(self, endpoint: Endpoint) -> str:
        """As its metrics tell it."""
        with closing(Web(endpoint.at(SERVER), endpoint.access)) as web:
            told = web.ask("GET", "/metrics").text
        found = re.search(rf'^{self.program}_build_info{{.*\bversion="([^"]*)"', told, re.MULTILINE)
        return f"{self.title} {found[1]}" if found else self.title


def reload(web: Web, what: str) -> None:
    """Have a server read its configuration anew.

    Raises:
        Trouble: it cannot use it; ``what`` says what has changed.
        requests.HTTPError: nobody may ask for it.
    """
    import requests

    try:
        web.ask("POST", "/-/reload")
    except requests.HTTPError as error:
        if error.response is not None and error.response.status_code == 500:
            raise Trouble(f"{what} cannot be used", str(error), "correct the file") from error
        raise


def directory_of(endpoint: Endpoint, what: str, reads: str) -> Path:
    """Where a server reads files that scenarios write while it runs.

    Args:
        endpoint: the server.
        what: completes "this Prometheus cannot be told ...".
        reads: completes "nothing says where it reads ...".

    Raises:
        NotSupported: nobody has said where.
    """
    place = endpoint.directory(SERVER)
    if place is None:
        name = endpoint.service
        raise NotSupported(
            f"this {name.capitalize()} cannot be told {what}",
            f"nothing says where it reads {reads}",
            f"name the directory ({name.upper()}_DIRECTORY); see docs/endpoints.md",
        )
    return place


def package_of(program: str) -> str:
    """What Debian calls a program, and its package."""
    return program if program == "prometheus" else f"prometheus-{program.replace('_', '-')}"


def debian(program: str, title: str, *without: str) -> DebianArtifact:
    """The package of a program; ``without`` what it needs for its web pages."""
    package = package_of(program)
    return DebianArtifact(package, title, (f"usr/bin/{package}", "--version"), without=without)


def image(program: str, version: str) -> Image:
    """The official image of a program, and the local one."""
    name = program.replace("_", "-")
    variable = f"{program.upper()}_IMAGE"
    return Image(variable, f"prom/{name}:v{version}", f"stackproof/{name}:{version}")


def location(name: str) -> Location:
    """Where somebody's own is: a URL of HTTP, or host and port."""
    known: Mapping[str, tuple[str, ...]] = {
        key: (f"{name.upper()}_{key.upper()}",) for key in ("url", "host", "port")
    }
    return Location(
        plain=("http",), encrypted=("https",), encrypted_port=443, path="", variables=known
    )
