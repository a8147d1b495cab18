"""One scenario's work with its Alertmanager: its routes, and what it silences."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from stackproof.services.alertmanager.client import Alertmanager
from stackproof.services.alertmanager.known import CONFIGURATION
from stackproof.services.exporting import SERVER, directory_of
from stackproof.services.fixture import Scenario

_PATIENCE = 10.0
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")


class AlertFixture:
    """Routes of the scenario's own, and its silences."""

    def __init__(self, scenario: Scenario, endpoint: str = "alertmanager"):
        self._scenario = scenario
        self._endpoint = scenario.endpoint(endpoint)
        self._client = Alertmanager(self._endpoint, timeout=scenario.scaled(_PATIENCE))
        self._silences: list[str] = []
        self.address = self._endpoint.at(SERVER)
        scenario.add_cleanup(self._client.close)

    def route(self, routes: Path, smtp: str) -> None:
        """Have it route alerts as a file says.

        Args:
            routes: its configuration, in which addresses are called as in the scenario, and
                ``{smtp}`` is where mails are sent.
            smtp: ``host:port``.
        """
        place = directory_of(self._endpoint, "where alerts go", "its configuration")
        text = routes.read_text(encoding="utf-8")
        own = _ADDRESS.sub(lambda found: self._scenario.own(found[0]), text)
        file = place / CONFIGURATION
        if not self._endpoint.ours:
            before = file.read_text(encoding="utf-8")
            self._scenario.add_cleanup(lambda: self._configure(file, before))
        self._configure(file, own.replace("{smtp}", smtp))

    def _configure(self, file: Path, text: str) -> None:
        file.write_text(text, encoding="utf-8")
        self._client.reload()

    def silence(self, labels: Mapping[str, str]) -> None:
        """Silence alerts with these labels until the scenario ends, or `unsilence` is called."""
        ident = self._client.silence(labels, 3600)
        self._silences.append(ident)
        self._scenario.add_cleanup(self.unsilence)

    def unsilence(self) -> None:
        """End the scenario's silences."""
        while self._silences:
            self._client.unsilence(self._silences.pop())
