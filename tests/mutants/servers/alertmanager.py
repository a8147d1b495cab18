"""Alertmanagers with faults: in what they take, or in whom they tell."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stackproof.obtain import Cache
from stackproof.ports import LOOPBACK
from stackproof.services.alertmanager.moved import PROGRAM, TEMPLATES, Moved
from stackproof.services.alertmanager.server import Alertmanager
from tests.mutants.servers import behind
from tests.mutants.servers.http import Asked, Fault, Send, Told
from tests.mutants.servers.http import serve as serve_http
from tests.mutants.servers.state import State

FIELDS = ("{port}", "{directory}", "{data}")


def sound(state: State, asked: Asked, send: Send) -> Told:
    """No fault: the control."""
    return send(asked)


def never_resolves(state: State, asked: Asked, send: Send) -> Told:
    """That an alert has ended is not taken notice of."""
    if asked.method == "POST" and asked.path == "/api/v2/alerts":
        now = datetime.now(UTC)
        later = (now + timedelta(hours=1)).isoformat()
        alerts = [
            {**alert, "endsAt": later}
            for alert in json.loads(asked.body)
            if datetime.fromisoformat(alert["endsAt"]) > now
        ]
        return send(replace(asked, body=json.dumps(alerts).encode())) if alerts else Told(200)
    return send(asked)


def takes_no_silence(state: State, asked: Asked, send: Send) -> Told:
    """Silences are answered, and silence nobody."""
    if asked.method == "POST" and asked.path == "/api/v2/silences":
        return Told(200, b'{"silenceID": "none"}', {"Content-Type": "application/json"})
    if asked.method == "DELETE":
        return Told(200)
    return send(asked)


def groups_nothing(state: State, asked: Asked, send: Send) -> Told:
    """Each alert is told for itself."""
    return _configured(asked, send, r"group_by: \[.*\]", "group_by: ['...']")


def tells_the_wrong_one(state: State, asked: Asked, send: Send) -> Told:
    """Who is on call gets the mails of everybody, and the other way round."""
    return _configured(asked, send, r"receiver: on call", "receiver: everybody")


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (sound, never_resolves, takes_no_silence, groups_nothing, tells_the_wrong_one)
}


def _configured(asked: Asked, send: Send, pattern: str, text: str) -> Told:
    if asked.path == "/-/reload":
        file = Path(sys.argv[3]) / "alertmanager.yml"
        file.write_text(re.sub(pattern, text, file.read_text()))
    return send(asked)


def serve(fault: str) -> Callable[[socket.socket, socket.socket], None]:
    """What a proxy does with each connection."""
    return serve_http(FAULTS[fault])


def main() -> None:
    """Run in the place of an Alertmanager: fault, and `FIELDS`."""
    fault, port, directory, data = sys.argv[1:]
    cache, package = Cache(), Alertmanager().server
    templates = Path(TEMPLATES)
    if not templates.exists():
        templates.symlink_to(cache.path(package) / "usr" / "share" / "prometheus" / "alertmanager")
    program = cache.path(Moved(package)) / PROGRAM
    behind.serve_behind(
        lambda inner: [
            str(program), f"--web.listen-address={LOOPBACK}:{inner}",
            f"--config.file={directory}/alertmanager.yml", f"--storage.path={data}/state",
            "--cluster.listen-address=", "--log.level=warn",
        ],
        serve(fault), int(port),
    )  # fmt: skip
