"""Alerts and silences, by Alertmanager's API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from stackproof.services.base import Endpoint
from stackproof.services.exporting import SERVER, reload
from stackproof.services.web import Web

#: For how long an alert holds that nobody sends again.
_HOLDS = timedelta(hours=1)
_CONTENT = "content"


class Alertmanager:
    """Asks one server."""

    def __init__(self, endpoint: Endpoint, *, timeout: float = 10.0):
        self._web = Web(endpoint.at(SERVER), endpoint.access, timeout=timeout)

    def alerts(self, *filters: str) -> list[dict[str, Any]]:
        """Alerts that have not ended; ``filters`` as ``queue="orders"``."""
        return list(self._web.json("GET", "/api/v2/alerts", params={"filter": filters}))

    def post(
        self, labels: Mapping[str, str], *, annotations: Mapping[str, str] | None = None,
        lasts: timedelta = _HOLDS,
    ) -> None:  # fmt: skip
        """Raise an alert, or have it end where ``lasts`` is not above zero."""
        self._post([_alert(labels, annotations or {}, lasts)])

    def _post(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        self._web.ask("POST", "/api/v2/alerts", json=list(alerts))

    def silence(self, labels: Mapping[str, str], seconds: float) -> str:
        """Silence alerts with these labels; the silence's ID."""
        now = datetime.now(UTC)
        matchers = [
            {"name": name, "value": value, "isRegex": False} for name, value in labels.items()
        ]
        ends = _time(now + timedelta(seconds=seconds))
        asked = {"matchers": matchers, "startsAt": _time(now), "endsAt": ends,
                 "createdBy": "stackproof", "comment": "by a test"}  # fmt: skip
        return str(self._web.json("POST", "/api/v2/silences", json=asked)["silenceID"])

    def unsilence(self, ident: str) -> None:
        """End a silence."""
        self._web.ask("DELETE", f"/api/v2/silence/{ident}")

    def reload(self) -> None:
        """Read configuration anew; see `stackproof.services.exporting.reload`."""
        reload(self._web, "these routes")

    def close(self) -> None:
        """Connections of HTTP."""
        self._web.close()


class AlertKeeper(Alertmanager):
    """See `stackproof.services.keeping.Keeper`: names are those of alerts."""

    def answers(self) -> None:
        """It tells its state."""
        self._web.ask("GET", "/api/v2/status")

    def put(self, name: str, content: str) -> None:
        """Raise an alert of this name."""
        self.post({"alertname": name}, annotations={_CONTENT: content})

    def get(self, name: str) -> str | None:
        """Its annotation."""
        found = self._named(lambda one: one == name)
        return str(found[0]["annotations"].get(_CONTENT, "")) if found else None

    def names(self, prefix: str) -> list[str]:
        """Each as often as there is an alert."""
        return [one["labels"]["alertname"] for one in self._beginning(prefix)]

    def contents(self, prefix: str) -> list[str]:
        """See `stackproof.services.keeping.TellsAll`."""
        return [str(one["annotations"].get(_CONTENT, "")) for one in self._beginning(prefix)]

    def _named(self, fits: Callable[[str], bool]) -> list[dict[str, Any]]:
        return [one for one in self.alerts() if fits(one["labels"].get("alertname", ""))]

    def _beginning(self, prefix: str) -> list[dict[str, Any]]:
        return self._named(lambda name: name.startswith(prefix))

    def drop(self, names: Sequence[str]) -> None:
        """End them."""
        wanted = set(names)
        found = self._named(lambda name: name in wanted)
        if found:
            self._post([_alert(one["labels"], one["annotations"], timedelta(0)) for one in found])


def _alert(
    labels: Mapping[str, str], annotations: Mapping[str, str], lasts: timedelta
) -> dict[str, Any]:
    now = datetime.now(UTC)
    began = now if lasts > timedelta(0) else now - timedelta(seconds=1)
    return {"labels": dict(labels), "annotations": dict(annotations),
            "startsAt": _time(began), "endsAt": _time(now + lasts)}  # fmt: skip


def _time(at: datetime) -> str:
    return at.isoformat()
