"""Mailpit: takes every mail by SMTP, delivers none further, and shows them by HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from stackproof.obtain import GoArtifact
from stackproof.services.base import Endpoint, Image
from stackproof.services.keeping import Keeper, Keeping
from stackproof.services.location import Location
from stackproof.services.mailpit.known import API, SERVER
from stackproof.services.web import Web
from stackproof.services.where import Node, Where

_MODULE, _VERSION = "github.com/axllent/mailpit", "1.27.11"


class Mailpit(Keeping):
    """The service ``mailpit``; option ``accepts``: the only domain that it takes mail for."""

    name = "mailpit"
    kept = "mailbox"
    written_to = SERVER
    got_elsewhere = True
    title = "Mailpit"
    # Its web pages would need npm; its API does not.
    server = GoArtifact(
        "mailpit", "Mailpit", f"{_MODULE}@v{_VERSION}",
        ldflags=f"-s -w -X {_MODULE}/config.Version=v{_VERSION}",
    )  # fmt: skip
    programs = ("bin",)
    image = Image("MAILPIT_IMAGE", f"axllent/mailpit:v{_VERSION}", f"stackproof/mailpit:{_VERSION}")
    files_suffice = True
    hello = b"NOOP\r\n"
    ports: Mapping[str, int] = {"client": 1025, API: 8025}
    options: Mapping[str, Any] = {"accepts": ""}
    location = Location(
        plain=("smtp",),
        encrypted=("smtps",),
        encrypted_port=465,
        path="",
        variables={
            "url": ("MAILPIT_URL", "SMTP_URL"),
            "host": ("MAILPIT_HOST", "SMTP_HOST"),
            "port": ("MAILPIT_PORT", "SMTP_PORT"),
        },
        others={API: ("MAILPIT_API",)},
    )

    def nodes(self, where: Where) -> list[Node]:
        """One server; mails lie in its database."""
        data = where.data(SERVER, "/data")
        argv = [
            where.program("mailpit"), "--disable-version-check", "--quiet",
            "--smtp", _listen(where, "client"), "--listen", _listen(where, API),
            "--database", f"{data}/mails.db", "--max", "0", "--smtp-disable-rdns",
        ]  # fmt: skip
        if domain := where.options["accepts"]:
            quoted = domain.replace(".", r"\.")
            argv += ["--smtp-allowed-recipients", f"@{quoted}$"]
        return [
            Node(SERVER, argv, roles=("client", API), data=data, memory_mb=80,
                 health=("mailpit", "readyz", "--listen", f"127.0.0.1:{self.ports[API]}"))
        ]  # fmt: skip

    def keeper(self, endpoint: Endpoint, node: str = "", *, timeout: float = 10.0) -> Keeper:
        """See `stackproof.services.mailpit.client`."""
        from stackproof.services.mailpit.client import MailKeeper

        return MailKeeper(endpoint, timeout=timeout)

    @property
    def unready(self) -> tuple[type[BaseException], ...]:
        """Refused connections, time-outs, HTTP errors; those of SMTP are of this kind, too."""
        return (OSError,)

    def version(self, endpoint: Endpoint) -> str:
        """As its API tells it."""
        with closing(Web(endpoint.at(SERVER, API), endpoint.access)) as web:
            return f"Mailpit {web.json('GET', '/api/v1/info')['Version']}"


def _listen(where: Where, role: str) -> str:
    address, port = where.listen(SERVER, role)
    return f"{'0.0.0.0' if address == '*' else address}:{port}"


SERVICE = Mailpit
